/**
 * A realm on disk: who belongs to it, for everybody, and each node's keys, for that node alone.
 *
 *     realm.json                       names, DIDs, logins: nothing secret
 *     realm.lock                       whoever makes something here has locked it (`file-lock.ts`)
 *     operator/                        the operator's and the sponsor's key, and the login of his tools; no node needs them
 *     nodes/<node>/                    the node's keys
 *     nodes/<node>/agents/<agent>/     the keys of an agent that it hosts
 *
 * R0. No two agents of a realm have one name on the wire (`wireName`).
 * R1. `realm.json` is written last. A folder without one is completed by the next call, with the keys that are there.
 * R2. What is there is kept: a node or an agent that the plan names and the folder lacks is added, nothing is replaced. Nor is
 *     whom `realm.json` names made again: keys of his that are not here are elsewhere, or lost, and nobody else becomes him.
 * R3. One process at a time makes something. Others wait, and find it made. Where all is made nothing is locked or written: the
 *     folder of a realm that is complete may be on a disk that cannot be written.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { readKeyFile, writeKeyFile } from '../../mesh/key-file.ts';
import { createAgentFolder, createKeyFolder, openNodeKeys, readKeyFolder } from '../../mesh/key-folder.ts';
import type { NatsOperator, NatsUser } from '../../mesh/nats-config.ts';
import { parseRealm, type Realm } from '../../mesh/subject.ts';
import { type Did, parseDid } from '../../runtime/codec/did.ts';
import { formatDidKey, parseDidKey } from '../../runtime/codec/did-key.ts';
import { generateKeyPair, type KeyPair } from '../../runtime/codec/ed25519.ts';
import type { Clock } from '../../runtime/core/clock.ts';
import { CodedError } from '../../runtime/core/errors.ts';
import type { Random } from '../../runtime/core/random.ts';
import { unwrap } from '../../runtime/core/result.ts';
import { lockFile } from './file-lock.ts';

/** Who is to be in a realm. */
export type RealmPlan = {
  readonly realm: string;
  readonly nodes: readonly { readonly name: string; readonly agents: readonly string[] }[];
};

type Planned = RealmPlan | ((known?: RealmRoster) => RealmPlan);

/** Who is in a realm: what each of its nodes knows of the others. */
export type RealmRoster = {
  readonly realm: Realm;
  readonly operator: Did;
  /** With which the operator's tools log in to the broker. */
  readonly operatorLogin?: Did;
  readonly nodes: readonly {
    readonly name: string;
    readonly did: Did;
    readonly login: Did;
    readonly agents: readonly { readonly name: string; readonly did: Did }[];
  }[];
};

/** One node's own: its keys, and where its agents' are. */
export type RealmNode = {
  readonly roster: RealmRoster;
  readonly name: string;
  readonly did: Did;
  readonly node: KeyPair;
  readonly login: KeyPair;
  /** Folders of keys, by agent. */
  readonly agents: ReadonlyMap<string, string>;
};

/** Makes what the plan names and the folder lacks (R1, R2). An agent stays at its node: to name it elsewhere is refused. Waits up to
 *  10 s, synchronously, for another process that makes something there (R3); who plans by what is there plans again after that.
 *  @throws {CodedError} `key.*` · `realm.malformed` · `realm.name_taken` · `realm.other_realm` · `realm.busy` · `realm.lock_unusable` ·
 *   `realm.keys_elsewhere` */
export function provisionRealm(directory: string, plan: Planned, ports: { clock: Clock; random: Random }): RealmRoster {
  const whole = findWhole(directory, membersOf(directory, plan));
  if (whole !== undefined) return whole;
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  using _ = lockRealm(directory, LOCK_WAIT_MS);
  const members = membersOf(directory, plan); // another process may have made some in the meantime
  makeKeys(directory, members, ports);
  const roster = rosterFromKeys(directory, members);
  const path = join(directory, ROSTER);
  writeFileSync(`${path}.new`, textOf(roster), { flush: true });
  renameSync(`${path}.new`, path);
  return roster;
}

/** @throws {CodedError} `realm.not_found` · `realm.malformed` */
export function readRoster(directory: string): RealmRoster {
  const path = join(directory, ROSTER);
  if (!existsSync(path)) throw new CodedError('realm.not_found', `expected ${ROSTER} in ${directory}, found none`);
  const parsed = ROSTER_SHAPE.safeParse(jsonOrUndefined(readFileSync(path, 'utf8')));
  if (!parsed.success) throw new CodedError('realm.malformed', `${path}: ${parsed.error.issues[0]?.message}`);
  const did = (text: string): Did => unwrap(parseDid(text), `a DID in ${path}`);
  return {
    realm: realmOf(parsed.data.realm),
    operator: did(parsed.data.operator),
    ...(parsed.data.operatorLogin === undefined ? {} : { operatorLogin: did(parsed.data.operatorLogin) }),
    nodes: parsed.data.nodes.map(({ name, agents, ...node }) => ({
      name,
      did: did(node.did),
      login: did(node.login),
      agents: agents.map((agent) => ({ name: agent.name, did: did(agent.did) })),
    })),
  };
}

/** The roster of a realm that is there already. */
export function findRoster(directory: string): RealmRoster | undefined {
  return existsSync(join(directory, ROSTER)) ? readRoster(directory) : undefined;
}

/** The node that keeps the realm's revocations, unless it is opened otherwise: its first. */
export function sourceOf({ nodes }: RealmRoster): RealmRoster['nodes'][number] | undefined {
  return nodes[0];
}

/** A node's own part. Other nodes' folders need not be there.
 *  @throws {CodedError} `realm.*` · `realm.no_such_node` · `key.*` */
export function openRealmNode(directory: string, name: string): RealmNode {
  const roster = readRoster(directory);
  const entry = roster.nodes.find((one) => one.name === name);
  if (entry === undefined) {
    const known = roster.nodes.map((one) => one.name).join(', ');
    throw new CodedError('realm.no_such_node', `expected one of ${known}, found ${name}`);
  }
  const { node, login } = openNodeKeys(nodeFolder(directory, name));
  const agents = new Map(entry.agents.map((agent) => [agent.name, agentFolder(directory, name, agent.name)]));
  return { roster, name, did: entry.did, node, login, agents };
}

/** Every agent of the realm in one hand, at its first node: for one process that is all of it.
 *  @throws {CodedError} as `openRealmNode` */
export function openWholeRealm(directory: string): RealmNode {
  const roster = readRoster(directory);
  const [first] = roster.nodes;
  if (first === undefined) throw new CodedError('realm.no_such_node', `expected a node in ${directory}, found none`);
  const agents = roster.nodes.flatMap(({ name }) => [...openRealmNode(directory, name).agents]);
  return { ...openRealmNode(directory, first.name), agents: new Map(agents) };
}

/** How an agent is called on the wire, where names have no slash: `audit/researcher/1` is `audit-researcher-1`. */
export function wireName(agent: string): string {
  return agent.replaceAll('/', '-');
}

/** The logins of a realm's nodes, for its broker. */
export function brokerUsers({ nodes }: RealmRoster): readonly NatsUser[] {
  return nodes.map(({ did, login }) => ({
    node: unwrap(parseDidKey(did), 'a node’s DID is its key'),
    login: unwrap(parseDidKey(login), 'a login is a key'),
    mayControl: false,
  }));
}

/** The logins of the operator's tools, for the same broker. */
export function brokerOperators({ operator, operatorLogin }: RealmRoster): readonly NatsOperator[] {
  if (operatorLogin === undefined) return [];
  const key = unwrap(parseDidKey(operator), 'an operator’s DID is his key');
  return [{ operator: key, login: unwrap(parseDidKey(operatorLogin), 'a login is a key') }];
}

/** The login of the operator's tools.
 *  @throws {CodedError} `key.*` */
export function openOperatorLogin(directory: string): KeyPair {
  return readKeyFile(join(directory, 'operator', TOOLS), 'login');
}

const ROSTER = 'realm.json';
const LOCK = 'realm.lock';
/** Keys for a thousand agents took 7 s. */
export const LOCK_WAIT_MS = 10_000;
const TOOLS = 'login.key';
const SCHEMA = 'ringmesh.realm/1';

const ROSTER_SHAPE = z.strictObject({
  schema: z.literal(SCHEMA),
  realm: z.string(),
  operator: z.string(),
  operatorLogin: z.string().optional(),
  nodes: z.array(
    z.strictObject({
      name: z.string(),
      did: z.string(),
      login: z.string(),
      agents: z.array(z.strictObject({ name: z.string(), did: z.string() })),
    }),
  ),
});

/** The roster as it is, and the nodes planned with all their agents. */
type Members = { readonly realm: Realm; readonly roster: RealmRoster | undefined; readonly wanted: RealmPlan['nodes'] };

function membersOf(directory: string, planned: Planned): Members {
  const roster = findRoster(directory);
  const plan = typeof planned === 'function' ? planned(roster) : planned;
  const realm = realmOf(plan.realm);
  if (roster !== undefined && roster.realm !== realm) {
    throw new CodedError('realm.other_realm', `expected the realm ${realm}, found ${roster.realm} in ${directory}`);
  }
  const nodes = roster?.nodes ?? [];
  const wanted = plan.nodes.map(({ name, agents }) => {
    const before = agentsAt(roster, name);
    return { name, agents: [...before, ...agents.filter((agent) => !before.includes(agent))] }; // (R2)
  });
  const others = nodes.filter((one) => !plan.nodes.some(({ name }) => name === one.name));
  const kept = others.map(({ name, agents }) => ({ name, agents: agents.map((agent) => agent.name) }));
  if (roster !== undefined) checkMoves(roster, plan);
  checkNames([...kept, ...wanted]);
  return { realm, roster, wanted };
}

function agentsAt(roster: RealmRoster | undefined, node: string): readonly string[] {
  return roster?.nodes.find(({ name }) => name === node)?.agents.map(({ name }) => name) ?? [];
}

/** Whether a node that the roster names has its keys on another machine (R2). */
function isAway(directory: string, roster: RealmRoster | undefined, node: string): boolean {
  return roster?.nodes.some(({ name }) => name === node) === true && !existsSync(nodeFolder(directory, node));
}

/** Whether keys are to be made at a node; of one that is away only new agents' are. */
function lacksKeys(directory: string, roster: RealmRoster, { name, agents }: RealmPlan['nodes'][number]): boolean {
  const known = agentsAt(roster, name);
  if (isAway(directory, roster, name)) return agents.some((agent) => !known.includes(agent));
  const folders = [nodeFolder(directory, name), ...agents.map((agent) => agentFolder(directory, name, agent))];
  return !folders.every((folder) => existsSync(folder));
}

/** The roster of a realm that lacks nothing, and says so. */
function findWhole(directory: string, members: Members): RealmRoster | undefined {
  const { roster, wanted } = members;
  if (roster === undefined) return undefined;
  const operator = join(directory, 'operator');
  const isHere = existsSync(operator);
  if (isHere && !existsSync(join(operator, TOOLS))) return undefined;
  if (wanted.some((node) => lacksKeys(directory, roster, node))) return undefined;
  if (isHere) readKeyFile(join(operator, 'sponsor.key'), 'sponsor'); // who could have read it is told at each start
  const whole = rosterFromKeys(directory, members);
  return readFileSync(join(directory, ROSTER), 'utf8') === textOf(whole) ? whole : undefined;
}

/** R3. Waits for whoever has it, synchronously. @throws {CodedError} `realm.busy` · `realm.lock_unusable` */
export function lockRealm(directory: string, waitMs: number): Disposable {
  const lock = lockFile(join(directory, LOCK), waitMs, 'realm.lock_unusable');
  if (lock !== undefined) return lock;
  const found = `found another process at it for ${waitMs / 1000} s`;
  const message = `expected nobody else to make keys or roots in ${directory}, ${found}: try again when it has ended, or end it if it hangs`;
  throw new CodedError('realm.busy', message, { retryable: true });
}

/** Makes the keys of those who are new. @throws {CodedError} `realm.keys_elsewhere` (R2) */
function makeKeys(directory: string, { roster, wanted }: Members, ports: { clock: Clock; random: Random }): void {
  const { random } = ports;
  const operator = join(directory, 'operator');
  if (roster === undefined && !existsSync(operator)) createKeyFolder(operator, { kind: 'operator' }, random);
  const sponsor = existsSync(operator) ? readKeyFile(join(operator, 'sponsor.key'), 'sponsor') : undefined;
  const tools = join(operator, TOOLS);
  if (sponsor !== undefined && !existsSync(tools)) {
    writeKeyFile(tools, { purpose: 'login', pair: generateKeyPair(random) }, random);
  }
  for (const { name, agents } of wanted) {
    const folder = nodeFolder(directory, name);
    const known = agentsAt(roster, name);
    if (isAway(directory, roster, name)) {
      const [fresh] = agents.filter((agent) => !known.includes(agent));
      if (fresh !== undefined) throw elsewhere(folder, `keys for ${fresh} can be made`);
      continue;
    }
    mkdirSync(join(directory, 'nodes'), { recursive: true, mode: 0o700 });
    if (!existsSync(folder)) createKeyFolder(folder, { kind: 'node' }, random);
    mkdirSync(join(folder, 'agents'), { recursive: true, mode: 0o700 });
    for (const agent of agents) {
      const place = agentFolder(directory, name, agent);
      if (existsSync(place)) continue;
      if (known.includes(agent)) throw elsewhere(place, `${agent} can act`);
      if (sponsor === undefined) throw elsewhere(operator, `keys for ${agent} can be made`);
      createAgentFolder(place, { name: wireName(agent), sponsor }, ports);
    }
  }
}

function elsewhere(folder: string, what: string): CodedError {
  const expected = `expected the keys that ${ROSTER} names in ${folder}, so that ${what}, found none`;
  const message = `${expected}: bring them back, or, if they are lost, take them out of ${ROSTER}`;
  return new CodedError('realm.keys_elsewhere', message);
}

/** What the keys say that are there, of the nodes planned; of the others what is known. Who was there first stays there. */
function rosterFromKeys(directory: string, { realm, roster, wanted }: Members): RealmRoster {
  const here = wanted.filter(({ name }) => !isAway(directory, roster, name));
  const planned = here.map(({ name, agents }) => {
    const { did, keys } = readKeyFolder(nodeFolder(directory, name));
    const told = agents.map((agent) => ({ name: agent, did: readKeyFolder(agentFolder(directory, name, agent)).did }));
    return { name, did, login: keys.get('login.key')?.key ?? did, agents: told };
  });
  const nodes = [...new Map([...(roster?.nodes ?? []), ...planned].map((node) => [node.name, node])).values()];
  const operator = join(directory, 'operator');
  if (roster !== undefined && !existsSync(operator)) return { ...roster, nodes };
  const operatorLogin = formatDidKey(readKeyFile(join(operator, TOOLS), 'login').publicKey);
  return { realm, operator: readKeyFolder(operator).did, operatorLogin, nodes };
}

function textOf(roster: RealmRoster): string {
  return `${JSON.stringify({ schema: SCHEMA, ...roster }, null, 2)}\n`;
}

/** An agent's node is in its certificates and in others' logs: it does not move because somebody counts nodes otherwise. */
function checkMoves({ nodes }: RealmRoster, plan: RealmPlan): void {
  const homes = new Map(nodes.flatMap(({ name, agents }) => agents.map((agent) => [agent.name, name] as const)));
  const moved = plan.nodes.flatMap(({ name, agents }) =>
    agents
      .filter((agent) => (homes.get(agent) ?? name) !== name)
      .map((agent) => ({ agent, to: name, home: homes.get(agent) })),
  );
  const [first] = moved;
  if (first === undefined) return;
  const others = moved.length === 1 ? '' : ` (and ${moved.length - 1} more agents)`;
  const names = nodes.map(({ name }) => name).join(', ');
  throw new CodedError(
    'realm.name_taken',
    `expected ${first.agent} at ${first.home}, where it was made, found it planned for ${first.to}${others}: agents stay at their ` +
      `nodes, so start with the same nodes as before (${nodes.length}: ${names}), or begin a new realm in another folder`,
  );
}

/** R0. */
function checkNames(nodes: RealmPlan['nodes']): void {
  const seen = new Map<string, string>();
  for (const { name, agents } of nodes) {
    for (const agent of agents) {
      const [other, here] = [seen.get(wireName(agent)), `${agent} at ${name}`];
      if (other !== undefined) {
        throw new CodedError('realm.name_taken', `expected agents of different names, found ${other} and ${here}`);
      }
      seen.set(wireName(agent), here);
    }
  }
}

export function nodeFolder(directory: string, name: string): string {
  if (!/^[a-z0-9][a-z0-9-]{0,62}$/.test(name)) {
    throw new CodedError(
      'realm.malformed',
      `expected a node's name of a-z 0-9 and hyphens, found ${JSON.stringify(name)}`,
    );
  }
  return join(directory, 'nodes', name);
}

function agentFolder(directory: string, node: string, agent: string): string {
  return join(nodeFolder(directory, node), 'agents', wireName(agent));
}

function realmOf(text: string): Realm {
  const realm = parseRealm(text);
  if (realm.ok) return realm.value;
  throw new CodedError(realm.error.code, realm.error.message);
}

function jsonOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
