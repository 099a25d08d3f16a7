import type { AgentInput } from './shape.ts';

/** The names of the agents that an entry stands for. */
export function namesOf({ name, count = 1 }: Pick<AgentInput, 'name' | 'count'>): readonly string[] {
  if (!name.endsWith('/*')) return [name];
  return Array.from({ length: count }, (_, n) => `${name.slice(0, -1)}${n + 1}`);
}
