/** What the operator of a realm does with his own keys, from the realm's folder: begin chains, and end them. No node does. */
import { join } from 'node:path';
import { type DelegationTerms, mint } from '../../mesh/delegation/mint.ts';
import { readKeyFile } from '../../mesh/key-file.ts';
import { type Revocable, writeRevocationOf } from '../../mesh/revocation/revocation.ts';
import type { Cid } from '../../runtime/codec/cid.ts';
import { cidOf } from '../../runtime/codec/cid.ts';
import type { Did } from '../../runtime/codec/did.ts';
import { formatDidKey } from '../../runtime/codec/did-key.ts';
import type { KeyPair } from '../../runtime/codec/ed25519.ts';
import { utf8 } from '../../runtime/core/bytes.ts';
import type { Clock } from '../../runtime/core/clock.ts';
import { CodedError } from '../../runtime/core/errors.ts';
import type { Random } from '../../runtime/core/random.ts';

/** What an operator gives to an agent of his realm. */
export type RootGrant = Omit<DelegationTerms, 'issuer' | 'audience' | 'notBefore'>;

export class Operator {
  readonly did: Did;
  readonly #pair: KeyPair;
  readonly #ports: { readonly clock: Clock; readonly random: Random };

  constructor(pair: KeyPair, ports: { readonly clock: Clock; readonly random: Random }) {
    this.#pair = pair;
    this.#ports = ports;
    this.did = formatDidKey(pair.publicKey);
  }

  /** By the keys that `provisionRealm` made.
   *  @throws {CodedError} `key.*` */
  static ofRealm(directory: string, ports: { readonly clock: Clock; readonly random: Random }): Operator {
    return new Operator(readKeyFile(join(directory, 'operator', 'operator.key'), 'operator'), ports);
  }

  /** The first link of a chain, and its name.
   *  @throws {CodedError} `delegation.bad_terms` */
  async grant(to: Did, grant: RootGrant): Promise<{ readonly token: string; readonly delegation: Cid }> {
    const terms = { ...grant, issuer: this.did, audience: to, notBefore: this.#ports.clock.now() };
    const token = await mint(terms, [], { pair: this.#pair, random: this.#ports.random });
    if (!token.ok) throw new CodedError(token.error.code, token.error.message);
    return { token: token.value, delegation: cidOf(utf8(token.value)) };
  }

  /** Takes back what anybody gave; for good. For `NodeAuthority.revoke`. */
  revocation(target: Revocable, reason: string): Uint8Array {
    return writeRevocationOf({ at: this.#ports.clock.now(), reason, target }, this.#pair);
  }
}
