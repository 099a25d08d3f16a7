/**
 * The realm of an audit: who its agents are, with keys beside the log, and what its operator gives them. Here the operator is
 * whoever runs the audit.
 */
import { type NodeAuthority, Operator, openAuthority, openRealmNode, provisionRealm, type RealmNode } from 'ringmesh';
import { type Clock, CodedError, type EventLog, type Millis, type Random } from 'ringmesh/runtime';
import { COORDINATOR, DELEGATED_MS, REPORTER, ROGUE, researcherName } from './contracts.ts';
import type { AuditOptions } from './options.ts';

export const FIRST = 'node-1';

/** What the rogue is given: names that no registry has, so that nothing it does leaves the machine. */
const ROGUES_OWN = { first: '.', second: '..' } as const;

const DAY_MS = 24 * 60 * 60_000;
/** Longer than anything that is given on. */
const ROOT_MS = 30 * DAY_MS;

type Ports = { readonly clock: Clock; readonly random: Random };

export function realmOf({ log }: Pick<AuditOptions, 'log'>): string {
  return `${log}-realm`;
}

/** The first node, its keys made where there are none.
 *  @throws {CodedError} `realm.*` · `key.*` */
export function provision(options: AuditOptions, ports: Ports): RealmNode {
  const names = Array.from({ length: options.nodes - 1 }, (_, n) => `node-${n + 2}`);
  const own = options.nodes === 1 ? shareOf(0, { ...options, nodes: 2 }) : [];
  const nodes = [
    { name: FIRST, agents: [COORDINATOR, REPORTER, ROGUE, ...own] },
    ...names.map((name, n) => ({ name, agents: shareOf(n, options) })),
  ];
  provisionRealm(realmOf(options), { realm: 'audit', nodes }, ports);
  return openRealmNode(realmOf(options), FIRST);
}

/** The researchers of the n-th of the other nodes. */
export function shareOf(n: number, { nodes, researchers }: AuditOptions): readonly string[] {
  return Array.from({ length: researchers }, (_, k) => k)
    .filter((k) => k % (nodes - 1) === n)
    .map((k) => researcherName(k + 1));
}

/** The authority of one of the nodes. What is taken back, is taken back on the first.
 *  @throws {CodedError} `key.*` · `realm.no_such_node` */
export function authorityOf(realm: RealmNode, log: EventLog, ports: Ports): Promise<NodeAuthority> {
  const first = realm.roster.nodes.find(({ name }) => name === FIRST);
  if (first === undefined) throw new CodedError('realm.no_such_node', `expected ${FIRST} in the realm, found none`);
  return openAuthority(realm, { log, ...ports, sources: [first.did] });
}

/** The coordinator may do everything that the policy lets it do, and give parts of that to others. */
export async function empower(authority: NodeAuthority, options: AuditOptions, ports: Ports): Promise<void> {
  const now = ports.clock.now();
  if (authority.hasRoot(COORDINATOR, (now + DELEGATED_MS) as Millis)) return;
  const operator = Operator.ofRealm(realmOf(options), ports);
  const root = { command: '/', depth: 1, expires: (now + ROOT_MS) as Millis };
  await authority.learn([(await operator.grant(identityOf(COORDINATOR, authority), root)).token]);
}

/** The rogue gets little; what is returned takes the first of it back. */
export async function empowerRogue(
  authority: NodeAuthority,
  options: AuditOptions,
  ports: Ports,
): Promise<{ readonly revoke: () => void }> {
  const operator = Operator.ofRealm(realmOf(options), ports);
  const [rogue, expires] = [identityOf(ROGUE, authority), (ports.clock.now() + DAY_MS) as Millis];
  const facts = (name: string) =>
    operator.grant(rogue, {
      ...{ command: '/tool/registry/facts', where: [{ arg: 'name', is: 'in', value: [name] }] },
      ...{ depth: 1, expires },
    });
  const [first, second] = [await facts(ROGUES_OWN.first), await facts(ROGUES_OWN.second)];
  const asking = await operator.grant(rogue, { command: '/tool/authority/delegate', expires });
  await authority.learn([first.token, second.token, asking.token]);
  const why = 'it wanted to give away more than it had';
  return { revoke: () => void authority.revoke(operator.revocation(first.delegation, why)) };
}

function identityOf(agent: string, authority: NodeAuthority) {
  const did = authority.didOf(agent);
  if (did === undefined)
    throw new CodedError('identity.missing', `expected ${agent} in the realm, found no such agent`);
  return did;
}
