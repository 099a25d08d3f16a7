/**
 * Bodies that this node lends: what others have references to, and may fetch.
 *
 * J1. A body is lent to one node, and to nobody else who knows its digest.
 * J2. A loan ends with the request or answer that holds it, or LOAN_MS after that was last sealed. The log has the body: a
 *     loan that is gone is made anew when its message is sealed again.
 * J3. At most LOAN_BYTES_MAX in all, and LOAN_BYTES_PER_NODE_MAX to one node: who asks for many large answers leaves room to
 *     others. Who finds no room waits, and takes nobody's.
 */
import type { Did } from '../../runtime/codec/did.ts';
import type { DigestText } from '../../runtime/codec/record.ts';
import type { Millis } from '../../runtime/core/brand.ts';
import type { ChunkRequest } from './body-reference.ts';
import { chunkLength, chunksIn } from './body-reference.ts';
import { CHUNK_BYTES, LOAN_BYTES_MAX, LOAN_BYTES_PER_NODE_MAX, LOAN_MS } from './limits.ts';

/** Who holds a loan: a request by its message id, an answer by the request's digest. */
type Holder = string;
type Loan = { readonly borrower: Did; readonly content: Uint8Array; readonly holders: Map<Holder, Millis> };

export class Loans {
  readonly #byKey = new Map<string, Loan>();
  readonly #byNode = new Map<Did, number>();
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  /** False if there is no room (J3). */
  lend(
    borrower: Did,
    body: { readonly digest: DigestText; readonly content: Uint8Array },
    holder: Holder,
    at: Millis,
  ): boolean {
    const key = keyOf(borrower, body.digest);
    const known = this.#byKey.get(key);
    if (known === undefined && !this.#hasRoom(borrower, body.content.length)) return false;
    const loan = known ?? { borrower, content: body.content, holders: new Map() };
    if (known === undefined) this.#count(borrower, body.content.length);
    loan.holders.set(holder, (at + LOAN_MS) as Millis);
    this.#byKey.set(key, loan);
    return true;
  }

  /** The loan goes on for LOAN_MS from now; false if it has ended. */
  renew(borrower: Did, digest: DigestText, holder: Holder, at: Millis): boolean {
    const loan = this.#byKey.get(keyOf(borrower, digest));
    if (loan === undefined) return false;
    loan.holders.set(holder, (at + LOAN_MS) as Millis);
    return true;
  }

  /** A piece of what this node has lent to that one; nothing, if there is no such loan or no such piece (J1). */
  chunk(borrower: Did, { digest, index }: ChunkRequest): Uint8Array | undefined {
    const content = this.#byKey.get(keyOf(borrower, digest))?.content;
    if (content === undefined || index >= chunksIn(content.length)) return undefined;
    const from = index * CHUNK_BYTES;
    return content.subarray(from, from + chunkLength(content.length, index));
  }

  /** Whoever held it needs it no more. */
  end(borrower: Did, digest: DigestText, holder: Holder): void {
    const key = keyOf(borrower, digest);
    const loan = this.#byKey.get(key);
    if (loan === undefined) return;
    loan.holders.delete(holder);
    if (loan.holders.size === 0) this.#forget(key, loan);
  }

  expire(at: Millis): void {
    for (const [key, loan] of this.#byKey) {
      for (const [holder, until] of loan.holders) if (at > until) loan.holders.delete(holder);
      if (loan.holders.size === 0) this.#forget(key, loan);
    }
  }

  #forget(key: string, { borrower, content }: Loan): void {
    this.#byKey.delete(key);
    this.#count(borrower, -content.length);
  }

  #hasRoom(borrower: Did, more: number): boolean {
    const ofNode = this.#byNode.get(borrower) ?? 0;
    return this.#bytes + more <= LOAN_BYTES_MAX && ofNode + more <= LOAN_BYTES_PER_NODE_MAX;
  }

  #count(borrower: Did, more: number): void {
    this.#bytes += more;
    const ofNode = (this.#byNode.get(borrower) ?? 0) + more;
    if (ofNode === 0) this.#byNode.delete(borrower);
    else this.#byNode.set(borrower, ofNode);
  }
}

function keyOf(borrower: Did, digest: DigestText): string {
  return `${borrower} ${digest}`;
}
