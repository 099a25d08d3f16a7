/** Roles of a swarm file, and their slots: `researcher-1`, `researcher-2`, … where a role has replicas. Each slot is a node. */
import { join } from 'node:path';
import type { PolicyFault } from '../../policies/document/fault.ts';
import type { Path, Source } from '../../policies/document/yaml-source.ts';
import { namesOf } from './agent-names.ts';
import type { SwarmInput } from './shape.ts';

type Roles = NonNullable<SwarmInput['roles']>;
type Role = Roles[string];

/** What runs alone: a role in the first of its slots that is free, or one slot. */
export type RoleToRun = { readonly role: string; readonly slots: readonly string[] };

/** The nodes of a role; one without replicas is its own. */
export function slotsOf(name: string, { replicas }: Pick<Role, 'replicas'>): readonly string[] {
  return replicas === undefined ? [name] : Array.from({ length: replicas }, (_, n) => `${name}-${n + 1}`);
}

/** Where a node keeps its log and its anchor: of a role with replicas each log is in a folder of its own, below what is
 *  configured. Anchors have names of their own, so all can be looked for in one place. */
export function placeOfSlot(
  { roles = {} }: Pick<SwarmInput, 'roles'>,
  { role, slot }: { readonly role: string; readonly slot: string },
  { log, anchors }: { readonly log: { readonly value: string }; readonly anchors: { readonly value: string } },
): { readonly log: string; readonly anchors: string } {
  if (roles[role]?.replicas === undefined) return { log: log.value, anchors: anchors.value };
  return { log: join(log.value, slot), anchors: anchors.value };
}

/** By the name of a role or of a slot. */
export function findRole({ roles = {} }: Pick<SwarmInput, 'roles'>, name: string): RoleToRun | undefined {
  const whole = Object.hasOwn(roles, name) ? roles[name] : undefined;
  if (whole !== undefined) return { role: name, slots: slotsOf(name, whole) };
  const [role] = Object.entries(roles).find(([one, its]) => slotsOf(one, its).includes(name)) ?? [];
  return role === undefined ? undefined : { role, slots: [name] };
}

/** The agents of a role, by name. */
export function agentsOf({ agents }: Pick<SwarmInput, 'agents'>, role: Pick<Role, 'agents'>): readonly string[] {
  return agents.filter(({ name }) => role.agents.includes(name)).flatMap(namesOf);
}

/** Slots that are another node's, or have nobody in them. */
export function faultsOfReplicas(input: SwarmInput, source: Source): readonly PolicyFault[] {
  const faults: PolicyFault[] = [];
  const homes = new Map(Object.keys(input.roles ?? {}).map((name) => [name, name]));
  for (const [name, role] of Object.entries(input.roles ?? {})) {
    if (role.replicas === undefined) continue;
    const path: Path = ['roles', name, 'replicas'];
    const count = agentsOf(input, role).length;
    if (count > 0 && role.replicas > count) {
      const message = `expected at most ${count}, as many as ${name} has agents`;
      faults.push(source.fault('document.malformed', message, { path }));
    }
    const slots = slotsOf(name, role);
    const taken = slots.find((slot) => homes.has(slot));
    if (taken !== undefined) {
      const message = `expected each node once, found ${taken} of ${name} and of ${homes.get(taken)}`;
      faults.push(source.fault('document.duplicate_id', message, { path }));
    }
    for (const slot of slots) homes.set(slot, name);
  }
  return faults;
}
