/**
 * The roots of a realm: what its operator has given to its agents, as tokens beside the keys of the node where each agent is.
 *
 *     nodes/<node>/roots               one token to a line
 *
 * O1. None is signed where one that says the same is there and has time left: a restart gives nobody anything. Without a
 *     budget a new one takes over when half of the time is over; with one only when it has ended, or else a restart would
 *     give twice as much. A node that runs signs none with a budget: it would give again and again what was meant once.
 * O2. What was revoked, as the realm's folder (`taken-back.ts`) or whoever asks knows, is not given again, as long as the file
 *     names it as it was.
 * O3. Only who has the operator's key signs. A node needs its own folder, and no more.
 * O4. One process at a time signs, under the realm's lock (R3). A node that runs does not wait for it: it looks again later.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Delegation, readDelegation } from '../../mesh/delegation/delegation.ts';
import { keySubject } from '../../mesh/hosting.ts';
import type { Cid } from '../../runtime/codec/cid.ts';
import type { Did } from '../../runtime/codec/did.ts';
import type { Millis } from '../../runtime/core/brand.ts';
import type { Clock } from '../../runtime/core/clock.ts';
import { CodedError } from '../../runtime/core/errors.ts';
import type { Random } from '../../runtime/core/random.ts';
import { replaceFile } from '../../runtime/log/durable-file.ts';
import { Operator } from '../authority/operator.ts';
import { keyOfTerms, type Roots, type RootTerms } from '../file/delegations.ts';
import { LOCK_WAIT_MS, lockRealm, nodeFolder, type RealmRoster } from './realm-folder.ts';
import { readRevoked } from './taken-back.ts';

type Place = { readonly directory: string; readonly roster: RealmRoster };

/** Whether this process can sign roots (O3). */
export function hasOperator(directory: string): boolean {
  return existsSync(join(directory, 'operator', 'operator.key'));
}

/** Signs what is wanted and not there (O1, O2), for the agents of these nodes; tells how many. Waits for another process that makes
 *  something in the folder, unless this is a node that runs (O4).
 *  @throws {CodedError} `key.*` · `jwt.*`, `statement.*`: what is there was changed · `delegation.bad_terms` · `realm.busy` ·
 *   `realm.lock_unusable` */
export async function mintRoots(place: Place, wanted: Roots, ports: MintPorts): Promise<number> {
  const operator = Operator.ofRealm(place.directory, ports);
  if ((await draftsOf(place, wanted, ports)).every(({ isSame }) => isSame)) return 0;
  using _ = lockRealm(place.directory, ports.isRunning === true ? 0 : LOCK_WAIT_MS);
  const now = ports.clock.now();
  let count = 0;
  for (const { node, lines, isSame } of await draftsOf(place, wanted, ports)) {
    const tokens: string[] = [];
    for (const line of lines) {
      if (typeof line === 'string') {
        tokens.push(line);
        continue;
      }
      const { forMs, ...given } = line.terms;
      tokens.push((await operator.grant(line.did, { ...given, expires: (now + forMs) as Millis })).token);
      count += 1;
    }
    if (!isSame) await replaceFile(rootsFile(place.directory, node), tokens.map((token) => `${token}\n`).join(''));
  }
  return count;
}

type MintPorts = {
  readonly nodes: readonly string[];
  readonly clock: Clock;
  readonly random: Random;
  readonly isRevoked?: (root: Cid) => boolean;
  /** Not at a start: what has a budget stays as it is (O1). */
  readonly isRunning?: boolean;
};

/** What a node's file is to have, line by line: tokens that stay, and what is to be signed. */
type Draft = {
  readonly node: string;
  readonly lines: readonly (string | { readonly did: Did; readonly terms: RootTerms })[];
  /** The file has it. */
  readonly isSame: boolean;
};

async function draftsOf({ directory, roster }: Place, wanted: Roots, ports: MintPorts): Promise<readonly Draft[]> {
  const { nodes, clock, isRunning = false } = ports;
  const gone = new Set<string>(readRevoked(directory).map(({ value }) => value.target));
  const isRevoked = (root: Cid): boolean => gone.has(root) || ports.isRevoked?.(root) === true;
  const now = clock.now();
  const drafts: Draft[] = [];
  for (const { name: node, agents } of roster.nodes) {
    if (!nodes.includes(node)) continue;
    const held = await readRoots({ directory, roster }, node);
    const lines: (string | { did: Did; terms: RootTerms })[] = [];
    for (const { name: agent, did } of agents) {
      for (const terms of wanted.get(agent) ?? []) {
        const same = rootsFor(held, did, terms);
        const isLeft = isRunning && isBounded(terms.budget);
        const stays = same.filter(({ cid, claims }) => isLeft || isRevoked(cid) || now < claims.exp * 1000);
        lines.push(...stays.map(({ token }) => token));
        if (!isLeft && !same.some((root) => isRevoked(root.cid) || !isDue(root, now))) lines.push({ did, terms });
      }
    }
    const isSame = lines.length === held.length && lines.every((line, n) => line === held[n]?.token);
    drafts.push({ node, lines, isSame });
  }
  return drafts;
}

/** The tokens for a node's agents, of which every root that is wanted has one: what has ended was once given, and is for the
 *  operator to renew.
 *  @throws {CodedError} `realm.root_missing` · `jwt.*` · `delegation.*` */
export async function rootsOfNode(
  { directory, roster }: Place,
  node: string,
  wanted: Roots,
): Promise<readonly Delegation[]> {
  const held = await readRoots({ directory, roster }, node);
  const agents = roster.nodes.find(({ name }) => name === node)?.agents ?? [];
  return agents.flatMap(({ name: agent, did }) =>
    (wanted.get(agent) ?? []).flatMap((terms) => {
      const found = rootsFor(held, did, terms);
      if (found.length > 0) return found;
      const message = `expected a delegation of ${terms.command} to ${agent} in ${rootsFile(directory, node)}, found none`;
      throw new CodedError('realm.root_missing', `${message}: "ringmesh keys realm" signs it`);
    }),
  );
}

/** How long what agents were given lasts, and how much of it is for the operator to renew. */
export type Outlook = {
  readonly count: number;
  readonly ended: number;
  /** Those that have ended among them (O1). */
  readonly due: number;
  /** When the first of them ends, or has ended; of roots that say the same the last counts. */
  readonly endsAt: Millis | undefined;
  /** When the first that has no budget is due. */
  readonly renewAt: Millis | undefined;
};

export function outlookOf(roots: readonly Delegation[], now: Millis): Outlook {
  const last = new Map<string, Delegation>();
  for (const root of roots) {
    const key = `${root.claims.aud} ${keyOfRoot(root)}`;
    if ((last.get(key)?.claims.exp ?? 0) < root.claims.exp) last.set(key, root);
  }
  const held = [...last.values()];
  const ends = held.map(({ claims }) => claims.exp * 1000);
  const halves = held.filter(({ claims }) => !isBounded(claims.bud)).map(({ claims }) => halfOf(claims));
  return {
    count: held.length,
    ended: ends.filter((end) => end <= now).length,
    due: held.filter((root) => isDue(root, now)).length,
    endsAt: held.length === 0 ? undefined : (Math.min(...ends) as Millis),
    renewAt: halves.length === 0 ? undefined : (Math.min(...halves) as Millis),
  };
}

/** What lies in a node's folder, unread: for who wants to know whether it is another than before. */
export function rootsText(directory: string, node: string): string {
  const path = rootsFile(directory, node);
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}

/** Those in a node's folder by this realm's operator. @throws {CodedError} `jwt.*` · `delegation.*` */
export async function readRoots({ directory, roster }: Place, node: string): Promise<readonly Delegation[]> {
  const path = rootsFile(directory, node);
  const roots: Delegation[] = [];
  for (const token of rootsText(directory, node).split('\n')) {
    if (token === '') continue;
    const read = await readDelegation(token, subjectOf);
    if (!read.ok) throw new CodedError(read.error.code, `${path}: ${read.error.message}`);
    if (read.value.claims.iss === roster.operator) roots.push(read.value); // of another operator: worth nothing here
  }
  return roots;
}

/** Those that say the same, whenever they end. */
function rootsFor(held: readonly Delegation[], agent: Did, terms: RootTerms): readonly Delegation[] {
  const key = keyOfTerms(terms);
  return held.filter((root) => root.claims.aud === agent && keyOfRoot(root) === key);
}

function keyOfRoot({
  claims: { cmd: command, pol: where, dep: depth, tcl: ceiling, bud: budget },
}: Delegation): string {
  return keyOfTerms({ command, where, depth, ceiling, budget });
}

/** O1. */
function isDue({ claims }: Delegation, now: Millis): boolean {
  return now >= (isBounded(claims.bud) ? claims.exp * 1000 : halfOf(claims));
}

function isBounded(budget: RootTerms['budget']): boolean {
  return Object.keys(budget).length > 0;
}

function halfOf({ nbf, exp }: Delegation['claims']): Millis {
  return (((nbf + exp) / 2) * 1000) as Millis;
}

function subjectOf(did: Did) {
  const key = keySubject(did);
  return key.ok ? key.value : undefined;
}

function rootsFile(directory: string, node: string): string {
  return join(nodeFolder(directory, node), 'roots');
}
