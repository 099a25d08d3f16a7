/** Requests whose answer is awaited, by the digest of their claims: an answer that nobody awaits is refused, and so is one
 *  from anybody but the node and agent that were asked. */
import type { Did } from '../runtime/codec/did.ts';
import type { PublicKey } from '../runtime/codec/ed25519.ts';
import type { DigestText } from '../runtime/codec/record.ts';
import type { Millis } from '../runtime/core/brand.ts';
import { CodedError } from '../runtime/core/errors.ts';
import { PENDING_MAX } from './limits.ts';

/** Who was asked, by whom, until when. */
export type Awaited = {
  readonly node: PublicKey;
  readonly asked: Did;
  readonly asker: Did;
  readonly deadline: Millis;
};

export class Pending {
  readonly #byDigest = new Map<DigestText, Awaited>();

  /** @throws {CodedError} `mesh.busy`: PENDING_MAX answers are awaited already. */
  await(request: DigestText, awaited: Awaited): void {
    if (this.isFull) {
      throw new CodedError('mesh.busy', `expected fewer than ${PENDING_MAX} open requests`, { retryable: true });
    }
    this.#byDigest.set(request, awaited);
  }

  get isFull(): boolean {
    return this.#byDigest.size >= PENDING_MAX;
  }

  find(request: DigestText): Awaited | undefined {
    return this.#byDigest.get(request);
  }

  /** No answer is awaited any more. */
  settle(request: DigestText): void {
    this.#byDigest.delete(request);
  }

  /** Forgets what nobody wants any more, and says what that was. */
  expire(at: Millis): readonly DigestText[] {
    const over = [...this.#byDigest].filter(([, { deadline }]) => at > deadline).map(([request]) => request);
    for (const request of over) this.#byDigest.delete(request);
    return over;
  }
}
