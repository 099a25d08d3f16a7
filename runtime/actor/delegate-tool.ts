/**
 * How an agent gives a part of what it may do to another: as the use of a tool, so that policy decides about it and the log
 * has it. Nodes of a realm provide it; what is given is cut out of the agent's own chain, by whoever keeps its key.
 */
import { z } from 'zod';
import { tool } from './tool.ts';

const Predicate = z.strictObject({
  arg: z.string(),
  is: z.enum(['eq', 'in', 'like', 'max', 'prefix']),
  value: z.union([z.string(), z.int(), z.boolean(), z.array(z.union([z.string(), z.int()]))]),
});

/** What is given, with commands and predicates as docs/spec/delegation.md has them. */
export const Grant = z.strictObject({
  command: z.string(),
  /** Default: any arguments that the giver itself may use. */
  where: z.array(Predicate).max(64).optional(),
  /** For how long; never for longer than the giver has it. */
  forMs: z.int().positive(),
  /** How many may follow; default: nobody. */
  depth: z.int().min(0).max(7).optional(),
  /** How often; default: as often as the giver may. */
  calls: z.int().positive().optional(),
});
export type Grant = z.infer<typeof Grant>;

/** What a child may be given when it is started. */
export const Grants = z.array(Grant).max(16);

/** `ctx.use.delegate({ to: 'audit/researcher/1', command: '/tool/registry/facts', where: […], forMs: 60_000 })`. Fails with
 *  `delegation.*`. Used again it gives the same again. */
export const delegate = tool('authority.delegate', {
  /** `to`: the agent that is given something, by name. */
  in: Grant.extend({ to: z.string() }),
  out: z.strictObject({ delegation: z.string(), expires: z.int() }),
  effect: 'idempotent',
  within: '10s',
});
