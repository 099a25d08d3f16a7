/**
 * Everything that was revoked, as far as a node knows: a set that only grows.
 *
 * V1. Monotone: nothing leaves it. Merging two sets in any order, any number of times, gives the same set (a join
 *     semilattice); the digest is of the set and not of the way there.
 * V2. Every news moves the epoch, and with it every permit made before becomes worthless (`runtime/kernel` P2).
 * V3. Bounded, in all and per signer. A set that had to refuse something is never fresh again until the node starts with
 *     more room: what is hard to undo then stops.
 * V4. Fresh only by hearing: a peer's head that agrees, or a whole set taken in. A restart has heard nothing yet.
 */
import type { Did } from '../../runtime/codec/did.ts';
import { sha256 } from '../../runtime/codec/digest.ts';
import { type DigestText, digestText } from '../../runtime/codec/record.ts';
import type { Millis } from '../../runtime/core/brand.ts';
import { utf8 } from '../../runtime/core/bytes.ts';
import { err, ok, type Refusal, type Result } from '../../runtime/core/result.ts';
import { REVOCATIONS_MAX, REVOCATIONS_PER_SIGNER_MAX } from '../limits.ts';
import type { Statement } from '../statement.ts';
import { type Revocable, type Revocation, readRevocation } from './revocation.ts';

/** What goes into heartbeats: how many, and which. Equal digests, equal sets. */
export type RevocationHead = { readonly epoch: number; readonly digest: DigestText };

export type RevocationLearned = {
  readonly target: Revocable;
  readonly by: readonly Did[];
  readonly reason: string;
  /** False if all of it was known. */
  readonly isNews: boolean;
};

export class Revocations {
  readonly #revokers = new Map<Revocable, Set<Did>>();
  /** By `<target> <signer>`: of several statements of the same, the one with the smallest content id, so that all keep one. */
  readonly #statements = new Map<string, Statement<Revocation>>();
  readonly #perSigner = new Map<Did, number>();
  /** Of the kept statements, by the digest of their bytes: what is pushed again and again is verified once. */
  readonly #taken = new Map<DigestText, RevocationLearned>();
  readonly #maySign: (signer: Did) => boolean;
  #digest: DigestText | undefined;
  #heardAt = 0 as Millis;
  #isOverfull = false;

  readonly #max: { readonly all: number; readonly perSigner: number };

  /** `maySign` keeps strangers from filling it: operators, and the keys and sponsors of known identities. */
  constructor(
    maySign: (signer: Did) => boolean,
    max = { all: REVOCATIONS_MAX, perSigner: REVOCATIONS_PER_SIGNER_MAX },
  ) {
    this.#maySign = maySign;
    this.#max = max;
  }

  /** V2: the number of revocations, for `Epochs.revocation` of the kernel. */
  get epoch(): number {
    return this.#statements.size;
  }

  /** When the set was last known to be complete (V3, V4). */
  get heardAt(): Millis {
    return this.#isOverfull ? (0 as Millis) : this.#heardAt;
  }

  /** For heartbeats. Sorting happens once per news. */
  head(): RevocationHead {
    this.#digest ??= digestText(sha256(utf8([...this.#statements.keys()].sort().join('\n'))));
    return { epoch: this.epoch, digest: this.#digest };
  }

  /** Who has revoked it, entitled or not. */
  revokersOf(target: string): Iterable<Did> {
    return this.#revokers.get(target as Revocable) ?? NOBODY;
  }

  /** Takes one signed statement in. */
  learn(bytes: Uint8Array): Result<RevocationLearned, Refusal> {
    const again = this.#taken.get(digestText(sha256(bytes)));
    if (again !== undefined) return ok(again);
    const read = readRevocation(bytes);
    if (!read.ok) return read;
    const { value, signers } = read.value;
    const by = [...signers.keys()];
    const stranger = by.find((signer) => !this.#maySign(signer));
    if (stranger !== undefined) {
      return err({ code: 'revocation.unknown_signer', message: `expected a known signer, found ${stranger}` });
    }
    const news = by.filter((signer) => !this.#statements.has(keyOf(value.target, signer)));
    if (!this.#hasRoom(news)) return this.#refuse();
    for (const signer of by) this.#take(read.value, signer);
    const learned = { target: value.target, by, reason: value.reason };
    const isKept = by.some((signer) => this.#statements.get(keyOf(value.target, signer)) === read.value);
    if (isKept) this.#taken.set(digestText(sha256(bytes)), { ...learned, isNews: false });
    return ok({ ...learned, isNews: news.length > 0 });
  }

  /** A peer's head, from a heartbeat: whether it agrees. If it does not, ask the peer for its statements (V4). */
  hear(head: RevocationHead, at: Millis): boolean {
    const agrees = head.digest === this.head().digest;
    if (agrees && at > this.#heardAt) this.#heardAt = at;
    return agrees;
  }

  /** A whole set of a peer's, or what a realm of one node knows of itself, was taken in at `at` (V4). */
  complete(at: Millis): void {
    if (at > this.#heardAt) this.#heardAt = at;
  }

  /** The statements themselves, for peers that lack them and for the log. */
  statements(): Iterable<Uint8Array> {
    return new Set(this.#statements.values().map(({ bytes }) => bytes));
  }

  #take(statement: Statement<Revocation>, signer: Did): void {
    const { target } = statement.value;
    const key = keyOf(target, signer);
    const known = this.#statements.get(key);
    if (known !== undefined && known.cid <= statement.cid) return;
    this.#statements.set(key, statement);
    if (known !== undefined) {
      this.#taken.delete(digestText(sha256(known.bytes)));
      return;
    }
    this.#digest = undefined;
    this.#perSigner.set(signer, (this.#perSigner.get(signer) ?? 0) + 1);
    const revokers = this.#revokers.get(target);
    if (revokers === undefined) this.#revokers.set(target, new Set([signer]));
    else revokers.add(signer);
  }

  #hasRoom(signers: readonly Did[]): boolean {
    if (this.#statements.size + signers.length > this.#max.all) return false;
    return signers.every((signer) => (this.#perSigner.get(signer) ?? 0) < this.#max.perSigner);
  }

  #refuse(): Result<never, Refusal> {
    this.#isOverfull = true; // V3
    return err({ code: 'revocation.full', message: `expected at most ${this.#max.all} revocations` });
  }
}

const NOBODY: readonly Did[] = [];

/** Neither a DID nor a content id holds a space. */
function keyOf(target: Revocable, signer: Did): string {
  return `${target} ${signer}`;
}
