/**
 * A yes, once.
 *
 * P1. A permit is spent at most once, by the action that it was made for: same key, same digest.
 * P2. It is worthless as soon as the policy or one of the epochs that it was decided under has changed. The executor asks
 *     in the same tick in which it starts the effect, so nothing comes between.
 */
import type { Digest } from '../codec/digest.ts';
import type { DigestText } from '../codec/record.ts';
import { equalBytes } from '../core/bytes.ts';
import type { Epochs } from './gate.ts';

/** What a permit is bound to. */
export type Bond = {
  readonly key: string;
  readonly digest: Digest;
  readonly policy: DigestText | undefined;
  readonly epochs: Epochs;
};

export class Permit {
  readonly #bond: Bond;
  #isSpent = false;

  constructor(bond: Bond) {
    this.#bond = bond;
  }

  /** Spends the permit (P1); a code says why it cannot be. A refused permit is spent, too. */
  spend(now: Bond): { readonly code: string } | undefined {
    const bond = this.#bond;
    if (this.#isSpent) return { code: 'permit.spent' };
    this.#isSpent = true;
    if (now.key !== bond.key || !equalBytes(now.digest, bond.digest)) return { code: 'permit.other_action' };
    if (now.policy === bond.policy && isSame(now.epochs, bond.epochs)) return undefined;
    return { code: 'permit.stale' };
  }
}

function isSame(a: Epochs, b: Epochs): boolean {
  return a.trust === b.trust && a.revocation === b.revocation && a.kill === b.kill;
}
