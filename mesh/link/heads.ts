/**
 * What others have said of their logs: every envelope and handshake carries the sender's head. One log has one root at each
 * size, so two roots at one size, from the same node, prove that it shows different histories to different people, or that
 * it was put back.
 *
 * G1. Heads are kept by node and origin: nobody can contradict for another. Of one node a few logs are kept; what it says of
 *     more is neither compared nor recorded.
 * G2. A head is of when its message was written, which may be before others that have arrived; only its root is compared.
 *     But what a node stated in one life was on its disk, so it begins the next with no less: what is stated in a handshake
 *     must not be smaller than what was heard before that life's first one. Within a life, handshakes cross, too; of a life
 *     that was met before this node's own restart, nothing more is asked.
 */
import type { Did } from '../../runtime/codec/did.ts';
import type { DigestText } from '../../runtime/codec/record.ts';
import type { Millis } from '../../runtime/core/brand.ts';
import { err, ok, type Result } from '../../runtime/core/result.ts';
import { HEAD_SEEN_MS, HEADS_KEPT_MAX, LOGS_PER_NODE_MAX, PEERS_MAX, SPLIT_VIEW_RATE } from './limits.ts';
import { Buckets } from './tally.ts';

/** A log as somebody stated it. */
export type LogHead = { readonly origin: DigestText; readonly root: DigestText; readonly size: number };

/** Two heads that cannot both be of one log. */
export type Contradiction = { readonly heard: LogHead; readonly said: LogHead };

type Line = {
  readonly node: Did;
  newest: LogHead;
  /** Roots by size, oldest heard first. */
  readonly roots: Map<number, DigestText>;
  /** By the boot epochs of the last lives: what had been heard when each began, if anything (G2). */
  readonly floors: Map<string, LogHead | undefined>;
  recorded: number;
  recordedAt: Millis;
};

/** A handshake of the life before last would have to be older than it may be. */
const LIVES_KEPT_MAX = 4;

export class Heads {
  readonly #lines = new Map<string, Line>();
  readonly #logs = new Map<Did, number>();
  readonly #told = new Buckets<Did>(SPLIT_VIEW_RATE);

  /** Compares and keeps a head that was said in a handshake, in the life of this boot epoch (G2). */
  meet(node: Did, said: LogHead, epoch: string): Result<true, Contradiction> {
    const before = this.#lines.get(keyOf(node, said))?.newest;
    const line = this.#line(node, said);
    if (line === undefined) return ok(true);
    const { floors } = line;
    if (!floors.has(epoch)) floors.set(epoch, before);
    const floor = floors.get(epoch);
    const [oldest] = floors.keys();
    if (floors.size > LIVES_KEPT_MAX && oldest !== undefined) floors.delete(oldest);
    return floor !== undefined && said.size < floor.size ? err({ heard: floor, said }) : this.hear(node, said);
  }

  /** Compares and keeps a head. */
  hear(node: Did, said: LogHead): Result<true, Contradiction> {
    const line = this.#line(node, said);
    if (line === undefined) return ok(true);
    const root = line.roots.get(said.size);
    if (root !== undefined && root !== said.root) return err({ heard: { ...said, root }, said });
    if (root !== undefined) return ok(true);
    line.roots.set(said.size, said.root);
    const [oldest] = line.roots.keys();
    if (line.roots.size > HEADS_KEPT_MAX && oldest !== undefined) line.roots.delete(oldest);
    if (said.size > line.newest.size) line.newest = said;
    return ok(true);
  }

  /** A head that this log holds already; with a boot epoch, if it was said in a handshake. In the order of the log. */
  recall(node: Did, head: LogHead, epoch?: string): void {
    if (epoch === undefined) this.hear(node, head);
    else this.meet(node, head, epoch);
    const line = this.#line(node, head);
    if (line !== undefined) line.recorded = Math.max(line.recorded, head.size);
  }

  /** Whether one more contradiction of this node is to be recorded. */
  mayTell(node: Did, at: Millis): boolean {
    return this.#told.take(node, at);
  }

  /** Heads to be recorded now: the newest of each log that has grown, at most once in HEAD_SEEN_MS. */
  due(at: Millis): readonly { readonly node: Did; readonly head: LogHead }[] {
    const due: { readonly node: Did; readonly head: LogHead }[] = [];
    for (const line of this.#lines.values()) {
      if (line.newest.size <= line.recorded || at - line.recordedAt < HEAD_SEEN_MS) continue;
      line.recorded = line.newest.size;
      line.recordedAt = at;
      due.push({ node: line.node, head: line.newest });
    }
    return due;
  }

  #line(node: Did, said: LogHead): Line | undefined {
    const key = keyOf(node, said);
    const known = this.#lines.get(key);
    if (known !== undefined) return known;
    const logs = this.#logs.get(node) ?? 0;
    if (logs >= LOGS_PER_NODE_MAX) return undefined;
    this.#logs.set(node, logs + 1);
    const roots = new Map([[said.size, said.root]]);
    const line: Line = { node, newest: said, roots, floors: new Map(), recorded: -1, recordedAt: 0 as Millis };
    this.#lines.set(key, line);
    const [oldest] = this.#lines;
    if (this.#lines.size > 2 * PEERS_MAX && oldest !== undefined) this.#forget(...oldest);
    return line;
  }

  #forget(key: string, { node }: Line): void {
    this.#lines.delete(key);
    const left = (this.#logs.get(node) ?? 1) - 1;
    if (left === 0) this.#logs.delete(node);
    else this.#logs.set(node, left);
  }
}

function keyOf(node: Did, { origin }: LogHead): string {
  return `${node} ${origin}`;
}
