/** Cutting a delegation out of what an agent has: from the newest of its chains that is wide enough. */
import { isCommandPrefix } from '../../mesh/delegation/command.ts';
import type { Delegations } from '../../mesh/delegation/delegations.ts';
import { mint } from '../../mesh/delegation/mint.ts';
import { type Predicate, predicate } from '../../mesh/delegation/predicate.ts';
import type { Identity } from '../../mesh/identity.ts';
import { PREDICATES_MAX } from '../../mesh/limits.ts';
import type { Did } from '../../runtime/codec/did.ts';
import type { KeyPair } from '../../runtime/codec/ed25519.ts';
import type { Millis } from '../../runtime/core/brand.ts';
import type { Random } from '../../runtime/core/random.ts';
import { err, ok, type Refusal, type Result } from '../../runtime/core/result.ts';

/** An agent with its key in force. */
export type Signer = { readonly identity: Identity; readonly key: KeyPair };

/** What an agent wants to give, as the input of `authority.delegate` has it. */
export type Grant = {
  readonly to: string;
  readonly command: string;
  readonly where?: readonly unknown[] | undefined;
  readonly forMs: number;
  readonly depth?: number | undefined;
  readonly calls?: number | undefined;
};

export type MintParts = {
  readonly signer: Signer | undefined;
  readonly audience: Did | undefined;
  readonly grant: Grant;
  readonly delegations: Delegations;
  readonly at: Millis;
  readonly random: Random;
};

/** `identity.missing` where one of the two has no identity, `delegation.none` where there is nothing to give a part of,
 *  `delegation.wider` and `delegation.bad_terms` as `mint`. */
export async function mintFrom(
  parts: MintParts,
): Promise<Result<{ readonly token: string; readonly expires: Millis }, Refusal>> {
  const { signer, audience, grant, delegations, at, random } = parts;
  if (signer === undefined)
    return refuse('identity.missing', 'expected the giver to be an agent of this node with keys');
  if (audience === undefined) return refuse('identity.missing', `expected an agent of the realm, found ${grant.to}`);
  const where = predicatesIn(grant.where ?? []);
  if (where === undefined || !isCommandPrefix(grant.command)) {
    return refuse('delegation.bad_terms', 'expected a command and predicates as docs/spec/delegation.md has them');
  }
  let nearest: Refusal | undefined;
  for (const cid of delegations.to(signer.identity.did).toReversed()) {
    const parent = delegations.chain(cid) ?? [];
    const ends = Math.min(...parent.map(({ claims }) => claims.exp)) * 1000;
    if (ends <= at) continue;
    const begins = Math.max(...parent.map(({ claims }) => claims.nbf)) * 1000;
    const expires = Math.min(at + grant.forMs, ends) as Millis;
    const minted = await mint(
      {
        ...{ issuer: signer.identity.did, audience, command: grant.command, where, expires },
        notBefore: Math.max(at, begins) as Millis,
        depth: grant.depth ?? 0,
        budget: grant.calls === undefined ? {} : { calls: grant.calls },
      },
      parent,
      { pair: signer.key, random },
    );
    if (minted.ok) return ok({ token: minted.value, expires });
    nearest ??= minted.error;
  }
  return err(nearest ?? { code: 'delegation.none', message: `expected something to give a part of, found nothing` });
}

function predicatesIn(found: readonly unknown[]): readonly Predicate[] | undefined {
  const isGood = found.length <= PREDICATES_MAX && found.every((one) => predicate.faultIn(one, '') === undefined);
  return isGood ? (found as readonly Predicate[]) : undefined;
}

function refuse(code: string, message: string): Result<never, Refusal> {
  return err({ code, message });
}
