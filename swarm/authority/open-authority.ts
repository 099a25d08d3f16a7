/** The authority of a realm's node, from its folder of keys and its log. */
import { openAgentKeys } from '../../mesh/key-folder.ts';
import type { Did } from '../../runtime/codec/did.ts';
import type { Clock } from '../../runtime/core/clock.ts';
import type { Random } from '../../runtime/core/random.ts';
import type { EventLog } from '../../runtime/log/event-log.ts';
import { type RealmNode, sourceOf } from '../realm/realm-folder.ts';
import { NodeAuthority } from './node-authority.ts';

/** `sources`: the nodes where operators take things back; default: the first of the realm.
 *  @throws {CodedError} as `openAgentKeys` */
export async function openAuthority(
  { roster, did, agents }: RealmNode,
  ports: { readonly log: EventLog; readonly clock: Clock; readonly random: Random; readonly sources?: readonly Did[] },
): Promise<NodeAuthority> {
  return NodeAuthority.open({
    ...ports,
    operator: roster.operator,
    members: new Map(roster.nodes.flatMap((node) => node.agents.map(({ name, did: agent }) => [name, agent]))),
    signers: new Map([...agents].map(([name, folder]) => [name, openAgentKeys(folder)])),
    sources: new Set(ports.sources ?? [sourceOf(roster)?.did ?? did]),
    node: did,
  });
}
