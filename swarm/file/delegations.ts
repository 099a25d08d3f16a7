/** What a swarm file's operator gives to its agents: the roots of their chains, one for each agent that an entry names. */
import { type Amount, UNITS } from '../../mesh/delegation/amount.ts';
import { type Predicate, predicate } from '../../mesh/delegation/predicate.ts';
import { DELEGATIONS_PER_ISSUER_MAX, JWT_CHARACTERS_MAX } from '../../mesh/limits.ts';
import type { PolicyFault } from '../../policies/document/fault.ts';
import type { Path, Source } from '../../policies/document/yaml-source.ts';
import { nearest } from '../../policies/expression/nearest.ts';
import { DURATION_MS_MAX, type Duration, isDuration, toMillis } from '../../runtime/actor/duration.ts';
import { canonicalJson } from '../../runtime/codec/json.ts';
import { unwrap } from '../../runtime/core/result.ts';
import { namesOf } from './agent-names.ts';
import type { DelegationInput, SwarmInput } from './shape.ts';

/** A root, but for whom it is to and when it ends. */
export type RootTerms = {
  readonly command: string;
  readonly where: readonly Predicate[];
  readonly depth: number;
  readonly ceiling: number;
  readonly budget: Amount;
  /** From when it is signed. */
  readonly forMs: number;
};

/** The roots of a file, by agent. */
export type Roots = ReadonlyMap<string, readonly RootTerms[]>;

export function rootsOf({ agents, delegations = [] }: Pick<SwarmInput, 'agents' | 'delegations'>): Roots {
  const names = agents.flatMap(namesOf);
  const roots = new Map<string, RootTerms[]>();
  for (const delegation of delegations) {
    const terms = termsOf(delegation);
    for (const agent of recipientsOf(delegation, names)) roots.set(agent, [...(roots.get(agent) ?? []), terms]);
  }
  return roots;
}

/** Tells one root of an agent from its others: what is given, however long. */
export function keyOfTerms({ command, where, depth, ceiling, budget }: Omit<RootTerms, 'forMs'>): string {
  return unwrap(canonicalJson({ command, where, depth, ceiling, budget }), 'terms are data');
}

/** What an operator cannot give, or not twice. */
export function faultsOfDelegations(input: SwarmInput, source: Source): readonly PolicyFault[] {
  const { agents, delegations = [] } = input;
  const names = agents.flatMap(namesOf);
  const faults: PolicyFault[] = [];
  const seen = new Map<string, Path>();
  let count = 0;
  const malformed = (message: string, path: Path): void =>
    void faults.push(source.fault('document.malformed', message, { path }));
  for (const [n, delegation] of delegations.entries()) {
    const path: Path = ['delegations', n];
    const recipients = recipientsOf(delegation, names);
    const [first] = recipients;
    if (first === undefined) {
      const known = [...new Set([...agents.map(({ name }) => name), ...names.slice(0, NAMES_TRIED_MAX)])];
      const message = `expected an agent of this file, or some below a name, found "${delegation.to}"`;
      const suggestion = nearest(delegation.to, known);
      faults.push(source.fault('document.unknown_name', message, { path: [...path, 'to'], suggestion }));
    }
    for (const [k, one] of (delegation.where ?? []).entries()) {
      const fault = predicate.faultIn(one, '');
      if (fault !== undefined) malformed(`expected ${fault.expected}`, [...path, 'where', k]);
    }
    if (!isSpan(delegation.for ?? LIFETIME)) {
      malformed(`expected 1s to ${DURATION_MS_MAX / DAY_MS}d, found ${delegation.for}`, [...path, 'for']);
      continue;
    }
    const terms = termsOf(delegation);
    if (Buffer.byteLength(keyOfTerms(terms)) > TERMS_BYTES_MAX) {
      malformed(`expected at most ${TERMS_BYTES_MAX} bytes of arguments, which are a part of every token`, [
        ...path,
        'where',
      ]);
    }
    const twice = recipients.find((agent) => seen.has(`${agent} ${keyOfTerms(terms)}`));
    if (twice !== undefined) {
      const line = source.lineOf(seen.get(`${twice} ${keyOfTerms(terms)}`) ?? path);
      const message = `expected each delegation once, found the same to ${twice} here and at line ${line}`;
      faults.push(source.fault('document.duplicate_id', message, { path: [...path, 'to'] }));
    }
    for (const agent of recipients) seen.set(`${agent} ${keyOfTerms(terms)}`, [...path, 'to']);
    count += recipients.length;
  }
  if (count > ROOTS_MAX) malformed(`expected at most ${ROOTS_MAX} delegations in all, found ${count}`, ['delegations']);
  return faults;
}

const LIFETIME = '30d';
const DAY_MS = 86_400_000;
/** A name that is this far down is not what was meant. */
const NAMES_TRIED_MAX = 1_000;
/** Each may be there twice, while a new one takes over from an old one. */
const ROOTS_MAX = DELEGATIONS_PER_ISSUER_MAX / 2;
/** What is left of a token, which is base64 of it, beside the DIDs, the times and the signature. */
const TERMS_BYTES_MAX = Math.floor((JWT_CHARACTERS_MAX * 3) / 4) - 900;

function termsOf({ command, where = [], depth = 0, for: span = LIFETIME, ceiling = 1000, budget }: DelegationInput) {
  const bounds = UNITS.flatMap((unit) => (budget?.[unit] === undefined ? [] : [[unit, budget[unit]] as const]));
  const forMs = toMillis(span as Duration);
  const predicates = where as readonly Predicate[]; // `faultsOfDelegations` has asked
  return { command, where: predicates, depth, ceiling, budget: Object.fromEntries(bounds), forMs };
}

function recipientsOf({ to }: Pick<DelegationInput, 'to'>, names: readonly string[]): readonly string[] {
  return names.filter((name) => name === to || (to.endsWith('/*') && name.startsWith(to.slice(0, -1))));
}

/** Times in tokens are whole seconds. */
function isSpan(span: string): boolean {
  return isDuration(span) && toMillis(span) >= 1_000;
}
