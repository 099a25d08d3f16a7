/** As whom the agents of a swarm act, and what they were given: the keys of its realm, and the roots of its file. */
import { CodedError } from '../../runtime/core/errors.ts';
import type { NodeAuthority } from '../authority/node-authority.ts';
import { openAuthority } from '../authority/open-authority.ts';
import { namesOf } from '../file/agent-names.ts';
import { type Configuration, roleNamed } from '../file/configuration.ts';
import { rootsOf } from '../file/delegations.ts';
import { planOf } from '../file/plan.ts';
import { agentsOf, placeOfSlot, slotsOf } from '../file/roles.ts';
import type { SwarmFile } from '../file/swarm-file.ts';
import { openRealmNode, openWholeRealm, provisionRealm, type RealmRoster, readRoster } from '../realm/realm-folder.ts';
import { claimAll, claimSlot } from '../realm/slot.ts';
import { readRevoked } from '../realm/taken-back.ts';
import { Given } from './given.ts';
import type { Loaded } from './load.ts';
import { type Made, must, type SwarmPorts } from './made.ts';
import type { Started } from './sequence.ts';

type Parts = { readonly swarm: SwarmFile; readonly configuration: Configuration; readonly ports: SwarmPorts };

/**
 * The keys of a role, or of all in one node where something is given to them. Only who has locked the slot has them, or all slots,
 * until it stops. They are made where that is this process's part: one node alone, or the one that spawns the broker.
 * @throws {CodedError} `realm.*` · `key.*`
 */
export function openIdentity(made: Made, { swarm, configuration, ports }: Parts): Started {
  const { only, keys, broker } = configuration;
  const directory = keys.value;
  const isAlone = only.value === null;
  if (isAlone && swarm.delegations === undefined) return { detail: 'the key of the log' };
  if (isAlone || broker.value === 'spawn') provisionRealm(directory, (known) => planOf(swarm, known), ports);
  const roster = readRoster(directory);
  mustBePlaced(swarm, only.value, { directory, roster });
  using claimed = new DisposableStack();
  let detail = `all of ${roster.realm}`;
  if (only.value === null) {
    const names = roster.nodes.map(({ name }) => name);
    claimed.use(claimAll(directory, names));
    made.realm = openWholeRealm(directory);
  } else {
    const { role, slots } = roleNamed(swarm, only.value);
    const { name: slot } = claimed.use(claimSlot(directory, slots));
    const realm = openRealmNode(directory, slot);
    made.realm = realm;
    made.place = placeOfSlot(swarm, { role, slot }, configuration);
    made.loaded = onlyWith(must(made.loaded), new Set(realm.agents.keys()));
    detail = `${realm.did}, ${slot} of ${roster.realm}`;
  }
  const held = claimed.move();
  made.claim = held;
  return { detail, stop: () => held.dispose() };
}

/** An agent whom the realm does not know, or that this process would have and the realm knows elsewhere, would be missed by all,
 *  and told to nobody. Where others' agents are is for the realm to say. */
function mustBePlaced(
  swarm: SwarmFile,
  only: string | null,
  { directory, roster: { nodes } }: { readonly directory: string; readonly roster: RealmRoster },
): void {
  const homeOf = new Map(nodes.flatMap(({ name, agents }) => agents.map((agent) => [agent.name, name] as const)));
  const remedy = `"ringmesh keys realm ${swarm.file}" says more`;
  for (const agent of swarm.agents.flatMap(namesOf)) {
    if (homeOf.has(agent)) continue;
    const message = `expected ${agent} in the realm of ${directory}, found no such agent: ${remedy}`;
    throw new CodedError('realm.outdated', message);
  }
  const own = only === null ? undefined : roleNamed(swarm, only).role;
  for (const [name, role] of Object.entries(swarm.roles ?? {})) {
    if (own !== undefined && name !== own) continue;
    const slots = slotsOf(name, role);
    const strayed = agentsOf(swarm, role).find((agent) => !slots.includes(homeOf.get(agent) ?? ''));
    if (strayed === undefined) continue;
    const message = `expected ${strayed} at ${name}, found it at ${homeOf.get(strayed)}, where its keys are: ${remedy}`;
    throw new CodedError('realm.outdated', message);
  }
}

/** Of a role's agents those that are at this slot. */
function onlyWith(loaded: Loaded, names: ReadonlySet<string>): Loaded {
  const here = loaded.here.map((agent) => ({ ...agent, names: agent.names.filter((name) => names.has(name)) }));
  return { ...loaded, here: here.filter((agent) => agent.names.length > 0) };
}

/** The authority of the node, with the roots of its agents: signed where the operator's key is in reach, else as they lie
 *  there. Without delegations in the file there is none, and nobody asks.
 *  @throws {CodedError} `realm.root_missing` · `key.*` · `jwt.*` */
export async function openRoots(
  made: Made,
  { swarm, configuration, ports }: Parts,
): Promise<{ readonly authority: NodeAuthority; readonly given: Given } | undefined> {
  const [log, { realm }, directory] = [must(made.log), made, configuration.keys.value];
  if (realm === undefined || swarm.delegations === undefined) return undefined;
  const { clock, random, trouble = () => undefined } = ports;
  const { roster } = realm;
  const isAlone = configuration.only.value === null;
  const sources = isAlone ? { sources: [realm.did] } : {}; // who is alone is never behind
  const authority = await openAuthority(realm, { log, clock, random, ...sources });
  const nodes = isAlone ? roster.nodes.map(({ name }) => name) : [realm.name];
  for (const { bytes } of readRevoked(directory)) await authority.takeBack(bytes); // what is refused is on record
  const wanted = rootsOf(swarm);
  const place = { directory, roster };
  return { authority, given: await Given.open({ authority, realm: place, nodes, wanted, clock, random, trouble }) };
}
