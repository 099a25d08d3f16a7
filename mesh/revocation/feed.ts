/**
 * How revocations reach every node: pushed to all when they are made, and again whenever a heartbeat shows that a peer's set
 * differs. Nobody is asked; who differs pushes what it has, so two nodes that hear one another end with one set.
 *
 * F1. What arrives is verified statement by statement; one that is refused keeps no other from being taken.
 * F2. News is told before it counts as known to peers: whoever keeps the log records it, and this node's head moves.
 * F3. A view is fresh by the word of the realm's authority alone: of a node named as one, whose head agrees with this node's. Two
 *     nodes that are cut off together agree with one another for ever, and that proves nothing.
 * F4. The whole set is pushed at most once per `PUSH_EVERY_MS`, so that a peer that never agrees is no amplifier.
 */
import { Buffer } from 'node:buffer';
import type { Did } from '../../runtime/codec/did.ts';
import type { Millis } from '../../runtime/core/brand.ts';
import { concat, utf8, view } from '../../runtime/core/bytes.ts';
import type { Refusal, Result } from '../../runtime/core/result.ts';
import { BODY_BYTES_MAX, PRESENTED_MAX } from '../limits.ts';
import type { RevocationHead, RevocationLearned, Revocations } from './revocations.ts';

/** As often as heartbeats come: a lost push is repeated with the next one. */
const PUSH_EVERY_MS = 5_000;

export type RevocationFeedParts = {
  readonly revocations: Revocations;
  /** Whose word makes a view fresh (F3): the realm's authority nodes. A node that is one itself is always fresh. */
  readonly isAuthority: (node: Did) => boolean;
  /** To every node, over the lane `revoke`. */
  readonly send: (content: Uint8Array) => void;
  /** Told of every news, to record it (`revokedPayload`) and to stop what is under way. */
  readonly onNews: (learned: RevocationLearned, statement: Uint8Array) => void;
};

export class RevocationFeed {
  readonly #parts: RevocationFeedParts;
  #pushedAt = Number.NEGATIVE_INFINITY;

  constructor(parts: RevocationFeedParts) {
    this.#parts = parts;
  }

  /** A statement made here, or handed in by an operator: taken, and pushed to all. */
  announce(statement: Uint8Array): Result<RevocationLearned, Refusal> {
    const learned = this.#learn(statement);
    if (learned.ok) this.#parts.send(concat(statement, NEWLINE));
    return learned;
  }

  /** What arrived over the lane, a statement to a line; one answer for each (F1). */
  arrived(content: Uint8Array): readonly Result<RevocationLearned, Refusal>[] {
    const lines = view(content).toString('latin1').split('\n');
    if (content.length > BODY_BYTES_MAX || lines.pop() !== '' || lines.length > PRESENTED_MAX) {
      return [{ ok: false, error: { code: 'statement.malformed', message: 'expected statements, each with its end' } }];
    }
    return lines.map((line) => this.#learn(Buffer.from(line, 'latin1')));
  }

  /** A peer's verified heartbeat: fresh if it is an authority's and agrees (F3), else a reason to push (F4). */
  beat(node: Did, head: RevocationHead, at: Millis): void {
    const { revocations, isAuthority } = this.#parts;
    if (head.digest === revocations.head().digest) {
      if (isAuthority(node)) revocations.hear(head, at);
      return;
    }
    if (at - this.#pushedAt < PUSH_EVERY_MS) return;
    this.#pushedAt = at;
    for (const content of packed(revocations.statements())) this.#parts.send(content);
  }

  #learn(statement: Uint8Array): Result<RevocationLearned, Refusal> {
    const learned = this.#parts.revocations.learn(statement);
    if (learned.ok && learned.value.isNews) this.#parts.onNews(learned.value, statement); // F2
    return learned;
  }
}

/** Messages of as many statements as fit into one. */
function* packed(statements: Iterable<Uint8Array>): Iterable<Uint8Array> {
  let [lines, length]: [Uint8Array[], number] = [[], 0];
  for (const statement of statements) {
    if (lines.length >= PRESENTED_MAX * 2 || length + statement.length + 1 > BODY_BYTES_MAX) {
      yield concat(...lines);
      [lines, length] = [[], 0];
    }
    lines.push(statement, NEWLINE);
    length += statement.length + 1;
  }
  if (lines.length > 0) yield concat(...lines);
}

const NEWLINE = utf8('\n');
