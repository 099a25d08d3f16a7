/**
 * What a chain of delegations is worth. Thirteen rules, of which every one must hold; what an agent may do is the
 * conjunction of all links, so a link can narrow and nothing else. Pure: who is known, who is a root, what is revoked and
 * what is spent come as a view of one moment.
 *
 * R1. Every link was signed by its issuer's key in force. An unknown issuer makes the chain worthless, never shorter.
 * R2. The first link is issued by the root itself, and the root is one for this command.
 * R3. Every link continues the one before: same root, its audience issues, its content id is named. The last audience acts.
 * R4. Every link covers the command, segment by segment; everything (`/`) is only a root's to give.
 * R5. Every predicate of every link holds of the arguments.
 * R6. It is the time of every link, with 2 s of skew for the beginning and none for the end.
 * R7. No link is deeper than each one above it allows, and there are at most eight.
 * R8. Of every link's budget there is enough left, counting what all its descendants spent here; the ceiling of trust is
 *     the lowest of the chain's.
 * R9. A context, if a link names one, is the act's.
 * R10. No link, issuer or audience is revoked by somebody entitled to: a party of the link or of one above it, the sponsor of
 *     a party, an operator. For risk class 2 and above the view of the revocations is younger than 30 s.
 * R11. Nobody stands in the chain twice.
 * R12. What is missing denies (`predicate.ts` Q1).
 * R13. The cost is bounded before it is spent (`predicate.ts` Q3).
 */
import type { Cid } from '../../runtime/codec/cid.ts';
import type { Did } from '../../runtime/codec/did.ts';
import type { JsonValue } from '../../runtime/codec/json.ts';
import type { Millis } from '../../runtime/core/brand.ts';
import { err, ok, type Refusal, type Result } from '../../runtime/core/result.ts';
import type { Risk } from '../../runtime/kernel/action.ts';
import { isDidMesh } from '../did-mesh.ts';
import type { Subject } from '../hosting.ts';
import { isEntitled } from '../identity.ts';
import { DELEGATION_CHAIN_MAX, SKEW_MS } from '../limits.ts';
import { isFresh, STALE } from '../revocation/freshness.ts';
import { type Amount, lacking, tighter } from './amount.ts';
import { covers, EVERYTHING } from './command.ts';
import { type Delegation, isInForce } from './delegation.ts';
import { satisfies } from './predicate.ts';

/** Who is known, who may begin a chain, and what was taken back. */
export type Authority = {
  readonly subject: (did: Did) => Subject | undefined;
  /** Whether chains for this command may begin with this DID: a realm operator, the executor itself, its sponsor. */
  readonly isRoot: (did: Did, command: string) => boolean;
  /** Who may take back whatever was given by anybody: the realm's operators. */
  readonly isOperator: (did: Did) => boolean;
  /** Who has revoked it, entitled or not: a delegation or certificate by its content id, an identity by its DID. */
  readonly revokersOf: (target: string) => Iterable<Did>;
};

/** All that a verdict depends on beside the chain, the act and the moment. */
export type DelegationView = Authority & {
  /** When the revocations were last known to be complete. */
  readonly heardAt: Millis;
  /** What was spent, and is reserved, under a delegation, by whomever. */
  readonly spent: (delegation: Cid) => Amount;
};

/** What somebody wants to do under a chain. */
export type Invocation = {
  readonly agent: Did;
  readonly command: string;
  readonly args: JsonValue;
  readonly risk: Risk;
  readonly cost: Amount;
  /** The session, task or correlation that it belongs to. */
  readonly context?: string;
  /** The trust that it needs, where some is needed. */
  readonly trust?: number;
};

/** A chain that holds together, whatever it may be used for. */
export type Composed = {
  readonly chain: readonly Delegation[];
  readonly cids: readonly Cid[];
  readonly root: Did;
  readonly holder: Did;
  readonly notBefore: Millis;
  readonly expires: Millis;
  /** How many links may still follow. */
  readonly depth: number;
  readonly ceiling: number;
  /** The tightest bound of each unit. What is left of it, the view says. */
  readonly budget: Amount;
  readonly contexts: readonly string[];
};

/** A yes: what may be done now, and by whose leave. */
export type Grant = Composed & { readonly command: string };

/** Whether the chain, root first, allows the act (R1–R13). */
export function verifyChain(
  chain: readonly Delegation[],
  invocation: Invocation,
  at: Millis,
  view: DelegationView,
): Result<Grant, Refusal> {
  const composed = composeChain(chain, view);
  return composed.ok ? verifyUse(composed.value, invocation, at, view) : composed;
}

/** The part of the verdict that depends on neither act nor moment: R1, R3, R7, R10, R11. It stays as it is until a revocation
 *  or rotation; `verifyUse` asks for the latter. */
export function composeChain(chain: readonly Delegation[], authority: Authority): Result<Composed, Refusal> {
  const [first] = chain;
  const last = chain.at(-1);
  if (first === undefined || last === undefined) return refuse('delegation.none', 'expected a delegation, found none');
  if (chain.length > DELEGATION_CHAIN_MAX)
    return refuse('delegation.too_deep', `expected at most ${DELEGATION_CHAIN_MAX} links`); // R7
  const { sub: root } = first.claims;
  if (first.claims.iss !== root || first.claims.prf !== undefined) {
    return refuse('delegation.no_root', `expected a first link by ${root} itself, found one by ${first.claims.iss}`); // R2
  }
  const seen = new Set<Did>();
  const contexts = new Set<string>();
  let [notBefore, expires, depth, ceiling, budget]: [number, number, number, number, Amount] = [
    0,
    Infinity,
    Infinity,
    1000,
    {},
  ];
  for (const [n, link] of chain.entries()) {
    const { claims } = link;
    const broken = n === 0 ? undefined : breakIn(chain[n - 1] ?? first, link, root);
    if (broken !== undefined) return broken;
    if (seen.has(claims.iss)) return cyclic(claims.iss);
    seen.add(claims.iss);
    const key = checkKey(link, authority);
    if (!key.ok) return key;
    if (n > 0 && claims.cmd === EVERYTHING) return refuse('delegation.unbounded', 'expected a command below /'); // R4
    if (chain.length - 1 - n > claims.dep) {
      return refuse('delegation.too_deep', `expected at most ${claims.dep} links below ${link.cid}`); // R7
    }
    notBefore = Math.max(notBefore, claims.nbf * 1000);
    expires = Math.min(expires, claims.exp * 1000);
    depth = Math.min(depth, claims.dep - (chain.length - 1 - n));
    ceiling = Math.min(ceiling, claims.tcl);
    budget = tighter(budget, claims.bud);
    if (claims.ctx !== undefined) contexts.add(claims.ctx);
  }
  const holder = last.claims.aud;
  if (seen.has(holder)) return cyclic(holder); // R11
  const revoked = checkRevoked(chain, authority);
  if (!revoked.ok) return revoked;
  const times = { notBefore: notBefore as Millis, expires: expires as Millis };
  const cids = chain.map(({ cid }) => cid);
  return ok({ chain, cids, root, holder, ...times, depth, ceiling, budget, contexts: [...contexts] });
}

/** The rest: whether a chain that holds together allows this act at this moment. */
export function verifyUse(
  composed: Composed,
  invocation: Invocation,
  at: Millis,
  view: DelegationView,
): Result<Grant, Refusal> {
  const { chain, root, holder, notBefore, expires, ceiling, contexts } = composed;
  const { agent, command, args, risk, cost, context, trust } = invocation;
  if (holder !== agent) return refuse('delegation.wrong_audience', `expected ${holder} to act, found ${agent}`); // R3
  if (!view.isRoot(root, command)) return refuse('delegation.no_root', `expected a root for ${command}, found ${root}`); // R2
  if (notBefore > at + SKEW_MS)
    return refuse('delegation.not_yet', `expected to be valid at ${at}, found from ${notBefore}`); // R6
  if (expires <= at) return refuse('delegation.expired', `expected to be valid at ${at}, found until ${expires}`);
  for (const link of chain) {
    const { iss, cmd } = link.claims;
    const key = link.key === undefined ? IN_FORCE : checkKey(link, view); // R1: a key may have been rotated since
    if (!key.ok) return key;
    if (!covers(cmd, command))
      return refuse('delegation.other_command', `expected ${iss} to grant ${command}, found ${cmd}`); // R4
  }
  if (hasEnded(holder, view))
    return refuse('delegation.revoked', `expected an identity in force, found ${holder} ended`); // R10
  const foreign = contexts.find((one) => one !== context);
  if (foreign !== undefined) return refuse('delegation.other_context', `expected the context ${foreign}`); // R9
  const satisfied = satisfies(
    chain.flatMap(({ claims }) => claims.pol),
    args,
  ); // R5, R12, R13
  if (!satisfied.ok) return satisfied;
  if (trust !== undefined && trust > ceiling) {
    return refuse('delegation.low_ceiling', `expected a ceiling of trust of ${trust}, found ${ceiling}`); // R8
  }
  if (!isFresh(view.heardAt, at, risk)) return err(STALE); // R10
  for (const { claims, cid } of chain) {
    const unit = lacking(claims.bud, view.spent(cid), cost);
    if (unit !== undefined) return refuse('delegation.overdrawn', `expected ${unit} left of what ${claims.iss} gave`); // R8
  }
  return ok({ ...composed, command });
}

function breakIn(parent: Delegation, { claims }: Delegation, root: Did): Result<never, Refusal> | undefined {
  if (claims.prf !== parent.cid) return refuse('delegation.broken_chain', `expected to continue ${parent.cid}`);
  if (claims.iss !== parent.claims.aud) {
    return refuse('delegation.broken_chain', `expected ${parent.claims.aud} to delegate on, found ${claims.iss}`);
  }
  return claims.sub === root
    ? undefined
    : refuse('delegation.broken_chain', `expected the root ${root}, found ${claims.sub}`);
}

function checkKey(link: Delegation, { subject }: Pick<Authority, 'subject'>): Result<true, Refusal> {
  const { iss } = link.claims;
  if (link.key === undefined) return IN_FORCE; // a did:key is its key
  const issuer = subject(iss);
  if (issuer === undefined) return refuse('delegation.unknown_issuer', `expected the history of ${iss} to be known`);
  return isInForce(link, issuer)
    ? IN_FORCE
    : refuse('delegation.wrong_key', `expected a key of ${iss} that is in force`);
}

/** R10: each link by its content id, and each of its two parties by DID. */
function checkRevoked(chain: readonly Delegation[], authority: Authority): Result<true, Refusal> {
  const parties: Did[] = [];
  for (const [n, { claims, cid }] of chain.entries()) {
    if (n === 0) parties.push(claims.iss);
    parties.push(claims.aud);
    for (const target of [cid, claims.iss, claims.aud]) {
      for (const revoker of authority.revokersOf(target)) {
        const isEntitledTo = authority.isOperator(revoker) || parties.some((one) => speaksFor(revoker, one, authority));
        if (isEntitledTo)
          return refuse('delegation.revoked', `expected it in force, found ${target} revoked by ${revoker}`);
      }
    }
  }
  return IN_FORCE;
}

/** Whether the identity's own history says that it is over. */
function hasEnded(did: Did, { subject }: Pick<Authority, 'subject'>): boolean {
  if (!isDidMesh(did)) return false;
  const known = subject(did);
  return known?.type === 'mesh' && known.identity.revoked !== undefined;
}

/** A did:key for itself; for a did:mesh its sponsor, and every key it ever had. */
export function speaksFor(signer: Did, did: Did, { subject }: Pick<Authority, 'subject'>): boolean {
  if (signer === did) return true;
  if (!isDidMesh(did)) return false;
  const known = subject(did);
  return known?.type === 'mesh' && isEntitled(known.identity, signer);
}

function cyclic(did: Did): Result<never, Refusal> {
  return refuse('delegation.cyclic', `expected nobody twice, found ${did}`);
}

const IN_FORCE = ok(true as const);

function refuse(code: string, message: string): Result<never, Refusal> {
  return err({ code, message });
}
