/** As whom the agents of a swarm act, and what they were given: the keys of its realm, and the roots of its file. */
import { hasCode } from '../../runtime/core/errors.ts';
import type { NodeAuthority } from '../authority/node-authority.ts';
import { openAuthority } from '../authority/open-authority.ts';
import type { Configuration } from '../file/configuration.ts';
import { rootsOf } from '../file/delegations.ts';
import { planOf } from '../file/plan.ts';
import type { SwarmFile } from '../file/swarm-file.ts';
import { openRealmNode, openWholeRealm, provisionRealm } from '../realm/realm-folder.ts';
import { hasOperator, mintRoots, rootsOfNode } from '../realm/roots.ts';
import { type Made, must, type SwarmPorts } from './made.ts';
import type { Started } from './sequence.ts';

type Parts = { readonly swarm: SwarmFile; readonly configuration: Configuration; readonly ports: SwarmPorts };

/** The keys of a role, or of all in one node where something is given to them. They are made where that is this process's
 *  part: one node alone, or the one that spawns the broker.
 *  @throws {CodedError} `realm.*` · `key.*` */
export function openIdentity(made: Made, { swarm, configuration, ports }: Parts): Started {
  const { only, keys, broker } = configuration;
  const { value: role } = only;
  const isAlone = role === null;
  if (isAlone && swarm.delegations === undefined) return { detail: 'the key of the log' };
  if (isAlone || broker.value === 'spawn') provisionRealm(keys.value, planOf(swarm), ports);
  const realm = isAlone ? openWholeRealm(keys.value) : openRealmNode(keys.value, role);
  made.realm = realm;
  return { detail: isAlone ? `all of ${realm.roster.realm}` : `${realm.did}, ${role} of ${realm.roster.realm}` };
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
