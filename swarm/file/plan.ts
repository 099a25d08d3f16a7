/** Who is in the realm of a swarm file. */
import type { RealmPlan } from '../realm/realm-folder.ts';
import { namesOf } from './agent-names.ts';
import type { SwarmInput } from './shape.ts';

/** The node of a file without roles. */
const ALONE = 'node';

/** Every role is a node. */
export function planOf({ realm, agents, roles }: Pick<SwarmInput, 'realm' | 'agents' | 'roles'>): RealmPlan {
  if (roles === undefined) return { realm, nodes: [{ name: ALONE, agents: agents.flatMap(namesOf) }] };
  const nodes = Object.entries(roles).map(([name, role]) => ({
    name,
    agents: agents.filter((agent) => role.agents.includes(agent.name)).flatMap(namesOf),
  }));
  return { realm, nodes };
}
