/** Rules in a word, for policies written in TypeScript. Each is the very data that the same word stands for in YAML. */
import type { BucketKey } from '../decision/obligation.ts';
import type { OnInput, SugarInput } from './shape.ts';

type ShortDuration = `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`;

/** Only tools that read, and nothing else.
 *  `- readOnly: {}` */
export function readOnly(): SugarInput {
  return { readOnly: {} };
}

/** At most `limit` uses in `per`, counted by tenant, agent and tool unless `by` says otherwise.
 *  `- rateLimit: { limit: 100, per: 1m }` */
export function rateLimit(
  limit: number,
  per: ShortDuration,
  options: { readonly by?: readonly BucketKey[]; readonly on?: 'any' | OnInput; readonly id?: string } = {},
): SugarInput {
  const { by, ...rest } = options;
  return { rateLimit: { limit, per, ...(by === undefined ? {} : { by: [...by] }), ...rest } };
}

/** These actions need people: `quorum` different ones `of` a kind, before the question `expires`.
 *  `- requireApproval: { actions: [pay.*], of: role:finance, quorum: 2, expires: 30m }` */
export function requireApproval(options: {
  readonly actions: readonly string[];
  readonly of: string;
  readonly quorum?: number;
  readonly expires?: ShortDuration;
  readonly when?: string;
  readonly id?: string;
}): SugarInput {
  return { requireApproval: { ...options, actions: [...options.actions] } };
}
