/** As whom the agents of a swarm act, and what they were given: the keys of its realm, and the roots of its file. */
import { CodedError, hasCode } from '../../runtime/core/errors.ts';
import type { NodeAuthority } from '../authority/node-authority.ts';
import { openAuthority } from '../authority/open-authority.ts';
import { namesOf } from '../file/agent-names.ts';
import { type Configuration, roleNamed } from '../file/configuration.ts';
import { rootsOf } from '../file/delegations.ts';
import { planOf } from '../file/plan.ts';
import { placeOfSlot } from '../file/roles.ts';
import type { SwarmFile } from '../file/swarm-file.ts';
import {
  findRoster,
  openRealmNode,
  openWholeRealm,
  provisionRealm,
  type RealmRoster,
  readRoster,
} from '../realm/realm-folder.ts';
import { hasOperator, mintRoots, rootsOfNode } from '../realm/roots.ts';
import { claimSlot } from '../realm/slot.ts';
import type { Loaded } from './load.ts';
import { type Made, must, type SwarmPorts } from './made.ts';
import type { Started } from './sequence.ts';

type Parts = { readonly swarm: SwarmFile; readonly configuration: Configuration; readonly ports: SwarmPorts };

/**
 * The keys of a role, or of all in one node where something is given to them; of a role only who has locked the slot has them,
 * until it stops. They are made where that is this process's part: one node alone, or the one that spawns the broker.
 * @throws {CodedError} `realm.*` · `key.*`
 */
export function openIdentity(made: Made, { swarm, configuration, ports }: Parts): Started {
  const { only, keys, broker } = configuration;
  const directory = keys.value;
  const isAlone = only.value === null;
  if (isAlone && swarm.delegations === undefined) return { detail: 'the key of the log' };
  if (isAlone || broker.value === 'spawn') provisionRealm(directory, planOf(swarm, findRoster(directory)), ports);
  const roster = readRoster(directory);
  mustHaveAll(swarm, directory, roster);
  if (isAlone) {
    made.realm = openWholeRealm(directory);
    return { detail: `all of ${roster.realm}` };
  }
  const { role, slots } = roleNamed(swarm, only.value);
  const slot = claimSlot(directory, slots);
  try {
    const realm = openRealmNode(directory, slot.name);
    made.realm = realm;
    made.slot = slot;
    made.place = placeOfSlot(swarm, { role, slot: slot.name }, configuration);
    made.loaded = onlyWith(must(made.loaded), new Set(realm.agents.keys()));
    return { detail: `${realm.did}, ${slot.name} of ${roster.realm}`, stop: () => slot[Symbol.dispose]() };
  } catch (error) {
    slot[Symbol.dispose]();
    throw error;
  }
}

/** An agent that the realm does not know would be missed by all, and told to nobody. */
function mustHaveAll(swarm: SwarmFile, directory: string, { nodes }: RealmRoster): void {
  const known = new Set(nodes.flatMap(({ agents }) => agents.map(({ name }) => name)));
  const missing = swarm.agents.flatMap(namesOf).find((name) => !known.has(name));
  if (missing === undefined) return;
  const message = `expected ${missing} in the realm of ${directory}, found no such agent`;
  throw new CodedError('realm.outdated', `${message}: "ringmesh keys realm ${swarm.file}" adds it`);
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
): Promise<{ readonly authority: NodeAuthority | undefined; readonly given: string }> {
  const [log, { realm }, directory] = [must(made.log), made, configuration.keys.value];
  if (realm === undefined || swarm.delegations === undefined) return { authority: undefined, given: 'no delegations' };
  const { clock, random } = ports;
  const { roster } = realm;
  const isAlone = configuration.only.value === null;
  const sources = isAlone ? { sources: [realm.did] } : {}; // who is alone is never behind
  const authority = await openAuthority(realm, { log, clock, random, ...sources });
  const nodes = isAlone ? roster.nodes.map(({ name }) => name) : [realm.name];
  const place = { directory, roster };
  const wanted = rootsOf(swarm);
  const isRevoked = (root: Parameters<NodeAuthority['isTakenBack']>[0]) => authority.isTakenBack(root);
  const signed = hasOperator(directory) ? await mintRoots(place, wanted, { nodes, clock, random, isRevoked }) : 0;
  let [live, over] = [0, 0];
  for (const node of nodes) {
    for (const { token } of await rootsOfNode(place, node, wanted)) {
      if (await isLearned(authority, token)) live += 1;
      else over += 1;
    }
  }
  const ended = over === 0 ? '' : `, ${over} ended`;
  return { authority, given: `${live} delegated${signed === 0 ? '' : `, ${signed} of them now`}${ended}` };
}

/** What has ended or was taken back is no fault of the node's: its agents are denied what they were given by it. */
async function isLearned(authority: NodeAuthority, token: string): Promise<boolean> {
  try {
    await authority.learn([token]);
    return true;
  } catch (error) {
    if (hasCode(error, 'delegation.expired') || hasCode(error, 'delegation.revoked')) return false;
    throw error;
  }
}
