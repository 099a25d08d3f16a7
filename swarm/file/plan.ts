/**
 * Who is in the realm of a swarm file.
 *
 * P1. An agent that is at a node of its role stays there: its keys are there, and its past is in that node’s log. Those that
 *     are new are dealt to whoever has the fewest.
 */
import type { RealmPlan, RealmRoster } from '../realm/realm-folder.ts';
import { namesOf } from './agent-names.ts';
import { agentsOf, slotsOf } from './roles.ts';
import type { SwarmInput } from './shape.ts';

/** The node of a file without roles. */
const ALONE = 'node';

/** Every role is a node, or as many as it has replicas. `known`: the realm as it is. */
export function planOf(swarm: Pick<SwarmInput, 'realm' | 'agents' | 'roles'>, known?: RealmRoster): RealmPlan {
  const { realm, agents, roles } = swarm;
  if (roles === undefined) return { realm, nodes: [{ name: ALONE, agents: agents.flatMap(namesOf) }] };
  const homeOf = new Map(known?.nodes.flatMap((node) => node.agents.map((agent) => [agent.name, node.name] as const)));
  const nodes = Object.entries(roles).flatMap(([name, role]) => {
    const slots = slotsOf(name, role).map((slot) => ({ name: slot, agents: [] as string[] }));
    const isAt = (slot: { readonly name: string }, agent: string): boolean => homeOf.get(agent) === slot.name;
    const own = agentsOf(swarm, role);
    for (const slot of slots) slot.agents.push(...own.filter((agent) => isAt(slot, agent))); // P1
    for (const agent of own) {
      if (slots.some((slot) => isAt(slot, agent))) continue;
      const [least] = slots.toSorted((a, b) => a.agents.length - b.agents.length);
      least?.agents.push(agent);
    }
    return slots;
  });
  return { realm, nodes };
}
