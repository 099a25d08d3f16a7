/**
 * What others have said of their logs: every envelope and handshake carries the sender's head. One log has one root at each
 * size, so two roots at one size, from the same node, prove that it shows different histories to different people, or that
 * it was put back.
 *
 * G1. Heads are kept by node and origin: nobody can contradict for another.
 * G2. A head in a handshake is of now, so it must not be smaller than one heard before. A head in an envelope is of when its
 *     message was written, which may be before others that have arrived; only its root is compared.
 */
import type { Did } from '../../runtime/codec/did.ts';
import type { DigestText } from '../../runtime/codec/record.ts';
import type { Millis } from '../../runtime/core/brand.ts';
import { err, ok, type Result } from '../../runtime/core/result.ts';
import { HEAD_SEEN_MS, HEADS_KEPT_MAX, PEERS_MAX } from './limits.ts';

/** A log as somebody stated it. */
export type LogHead = { readonly origin: DigestText; readonly root: DigestText; readonly size: number };

/** Two heads that cannot both be of one log. */
export type Contradiction = { readonly heard: LogHead; readonly said: LogHead };

type Line = {
  readonly node: Did;
  newest: LogHead;
  /** Roots by size, oldest heard first. */
  readonly roots: Map<number, DigestText>;
  recorded: number;
  recordedAt: Millis;
};

export class Heads {
  readonly #lines = new Map<string, Line>();

  /** Compares and keeps a head. `isOfNow`: said in a handshake (G2). */
  hear(node: Did, said: LogHead, isOfNow = false): Result<true, Contradiction> {
    const line = this.#line(node, said);
    const root = line.roots.get(said.size);
    if (root !== undefined && root !== said.root) return err({ heard: { ...said, root }, said });
    if (isOfNow && said.size < line.newest.size) return err({ heard: line.newest, said });
    if (root !== undefined) return ok(true);
    line.roots.set(said.size, said.root);
    const [oldest] = line.roots.keys();
    if (line.roots.size > HEADS_KEPT_MAX && oldest !== undefined) line.roots.delete(oldest);
    if (said.size > line.newest.size) line.newest = said;
    return ok(true);
  }

  /** A head that this log holds already. */
  recall(node: Did, head: LogHead): void {
    this.hear(node, head);
    this.#line(node, head).recorded = head.size;
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

  #line(node: Did, said: LogHead): Line {
    const key = `${node} ${said.origin}`;
    const known = this.#lines.get(key);
    if (known !== undefined) return known;
    const roots = new Map([[said.size, said.root]]);
    const line: Line = { node, newest: said, roots, recorded: -1, recordedAt: 0 as Millis };
    this.#lines.set(key, line);
    const [oldest] = this.#lines.keys();
    if (this.#lines.size > 2 * PEERS_MAX && oldest !== undefined) this.#lines.delete(oldest);
    return line;
  }
}
