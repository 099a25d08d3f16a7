/** Making a delegation: what is sensible to sign. A courtesy to the issuer; verifiers rely on none of it. */
import type { Did } from '../../runtime/codec/did.ts';
import type { KeyPair } from '../../runtime/codec/ed25519.ts';
import type { Millis } from '../../runtime/core/brand.ts';
import { toBase64url } from '../../runtime/core/bytes.ts';
import type { Random } from '../../runtime/core/random.ts';
import { err, ok, type Refusal, type Result } from '../../runtime/core/result.ts';
import { DELEGATION_CHAIN_MAX, DELEGATION_SECONDS_MAX } from '../limits.ts';
import { type Amount, UNITS } from './amount.ts';
import { covers, EVERYTHING } from './command.ts';
import { type Delegation, type DelegationClaims, NONCE_BYTES, writeDelegation } from './delegation.ts';
import { describePredicate, isPlainlyWider, type Predicate } from './predicate.ts';

/** What is given, to whom, for how long. */
export type DelegationTerms = {
  readonly issuer: Did;
  readonly audience: Did;
  readonly command: string;
  /** Default: any arguments that the parent lets through. */
  readonly where?: readonly Predicate[];
  readonly notBefore: Millis;
  readonly expires: Millis;
  /** How many links may follow; default 0. */
  readonly depth?: number;
  /** Default: the parent's, or 1000. */
  readonly ceiling?: number;
  readonly budget?: Amount;
  readonly context?: string;
};

/** How long a delegation lasts where nobody says. */
export const LIFETIME_MS = 900_000;

/** A delegation under `parent`, a chain with the root first; a root's own where that is empty. Refused as `delegation.wider`
 *  when it plainly gives more than the parent has, and as `delegation.bad_terms` when nobody could ever use it. */
export async function mint(
  terms: DelegationTerms,
  parent: readonly Delegation[],
  signing: { readonly pair: KeyPair; readonly random: Random },
): Promise<Result<string, Refusal>> {
  const claims = claimsOf(terms, parent, toBase64url(signing.random.bytes(NONCE_BYTES)));
  const bad = badTerms(claims, parent);
  if (bad !== undefined) return err({ code: 'delegation.bad_terms', message: `expected ${bad}` });
  for (const { claims: above } of parent) {
    const wider = widening(claims, above);
    if (wider !== undefined) return err({ code: 'delegation.wider', message: `expected ${wider}` });
  }
  return ok(await writeDelegation(claims, signing.pair));
}

function claimsOf(terms: DelegationTerms, parent: readonly Delegation[], nonce: string): DelegationClaims {
  const last = parent.at(-1);
  const context = terms.context ?? last?.claims.ctx;
  return {
    aud: terms.audience,
    bud: terms.budget ?? {},
    cmd: terms.command,
    ...(context === undefined ? {} : { ctx: context }),
    dep: terms.depth ?? 0,
    exp: Math.floor(terms.expires / 1000),
    iss: terms.issuer,
    nbf: Math.floor(terms.notBefore / 1000),
    nnc: nonce,
    pol: terms.where ?? [],
    ...(last === undefined ? {} : { prf: last.cid }),
    sub: last?.claims.sub ?? terms.issuer,
    tcl: terms.ceiling ?? last?.claims.tcl ?? 1000,
  };
}

function badTerms(claims: DelegationClaims, parent: readonly Delegation[]): string | undefined {
  const last = parent.at(-1);
  if (last !== undefined && last.claims.aud !== claims.iss) return `${last.claims.aud} to delegate on`;
  if (claims.exp <= claims.nbf) return 'to end after it begins';
  if (claims.exp - claims.nbf > DELEGATION_SECONDS_MAX) return `at most ${DELEGATION_SECONDS_MAX} s`;
  if (claims.dep >= DELEGATION_CHAIN_MAX - parent.length) return `a chain of at most ${DELEGATION_CHAIN_MAX} links`;
  const parties = [...parent.map((link) => link.claims.iss), claims.iss];
  return parties.includes(claims.aud) ? `nobody twice in a chain, found ${claims.aud}` : undefined;
}

/** In which way the child plainly has more than one above it. */
function widening(child: DelegationClaims, above: DelegationClaims): string | undefined {
  if (child.cmd === EVERYTHING || !covers(above.cmd, child.cmd))
    return `a command under ${above.cmd}, found ${child.cmd}`;
  if (child.exp > above.exp) return `to end by ${above.exp}, found ${child.exp}`;
  if (child.nbf < above.nbf) return `to begin from ${above.nbf} on, found ${child.nbf}`;
  if (child.dep >= above.dep) return `fewer than ${above.dep} further links, found ${child.dep}`;
  if (child.tcl > above.tcl) return `a ceiling of at most ${above.tcl}, found ${child.tcl}`;
  if (above.ctx !== undefined && child.ctx !== above.ctx) return `the context ${above.ctx}`;
  const unit = UNITS.find((one) => (child.bud[one] ?? 0) > (above.bud[one] ?? Number.POSITIVE_INFINITY));
  if (unit !== undefined) return `at most ${above.bud[unit]} ${unit}, found ${child.bud[unit]}`;
  const widened = above.pol.find((held) => child.pol.some((one) => isPlainlyWider(one, held)));
  return widened === undefined ? undefined : describePredicate(widened);
}
