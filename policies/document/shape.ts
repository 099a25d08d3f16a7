/** The shape of a policy document, once: what is checked when one is read, and what the published JSON Schema is made of. */
import { z } from 'zod';
import { BUCKET_KEYS } from '../decision/obligation.ts';
import { CLASSIFICATIONS, EFFECTS, POINTS, REVERSIBILITIES, VERBS } from '../decision/request.ts';
import { LAYERS } from '../decision/verdict.ts';

export const API_VERSION = 'ringmesh.policy/v1';

const word = /^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$/;
const tool = /^[A-Za-z0-9_]([A-Za-z0-9_.:/@-]{0,98}[A-Za-z0-9_])?$/;
const toolPattern = /^[A-Za-z0-9_]([A-Za-z0-9_.:/@-]{0,98}[A-Za-z0-9_])?([.:/@]\*)?$/;
const duration = z
  .string()
  .regex(/^[1-9]\d{0,11}(ms|s|m|h|d)$/)
  .describe('A span of time: 500ms, 30s, 10m, 24h, 7d.');
const text = z.string().min(1).max(500);
const pointer = z
  .string()
  .regex(/^(\/([^~/]|~[01])*)*$/)
  .describe('A JSON pointer (RFC 6901) into the arguments: /iban.');

/** One, or a list that is not empty: an empty list would be read as everything by some and as nothing by others. */
function some<T extends z.ZodType>(one: T) {
  return z.union([one, z.array(one).min(1)]);
}

const Name = z.string().regex(word);
const ToolName = z.string().regex(tool);
const ToolPattern = z.string().regex(toolPattern).describe('A tool, or all below a name: mail.send, mail.*');
const AgentPattern = z
  .string()
  .regex(/^[^*\s]{1,200}(?<!\/)(\/\*)?$/)
  .describe('An agent by name or DID, or all below a name: desk/emea, desk/*');

const Approve = z.strictObject({
  of: text.describe('Who may agree: operator, role:finance, or a DID.'),
  quorum: z.int().min(1).max(16).optional().describe('How many different people must agree; 1 unless given.'),
  expires: duration.optional().describe('How long the question stays open; 15m unless given.'),
  distinctFrom: z
    .array(z.enum(['subject', 'sponsor', 'chain']))
    .min(1)
    .optional(),
  onTimeout: z.enum(['deny', 'suspend']).optional(),
});

const Consume = z.strictObject({
  bucket: Name.optional(),
  limit: z.int().min(1).max(1_000_000),
  per: duration,
  by: z.array(z.enum(BUCKET_KEYS)).min(1).optional(),
});

export const ObligationShape = z
  .strictObject({
    approve: Approve,
    consume: Consume,
    redact: z.strictObject({ path: pointer, with: z.json().optional() }),
    log: z.strictObject({ level: z.enum(['info', 'warn']).optional(), fields: z.array(text).min(1).optional() }),
    label: z.array(Name).min(1),
    sandbox: z.int().min(0).max(3),
    verify: z.strictObject({ models: z.int().min(1).max(9), agree: z.int().min(1).max(9) }),
    compensate: text,
    notify: text,
  })
  .partial()
  .describe('Exactly one thing that the host owes.');

const On = z.strictObject({
  point: some(z.enum(POINTS)).optional(),
  tool: some(ToolPattern).optional(),
  verb: some(z.enum(VERBS)).optional(),
  effect: some(z.enum(EFFECTS)).optional(),
  reversibility: some(z.enum(REVERSIBILITIES)).optional(),
  agent: some(AgentPattern).optional(),
  tenant: some(text).optional(),
  team: some(text).optional(),
  role: some(text).optional(),
});

export const RuleShape = z.strictObject({
  id: Name,
  on: z.union([z.literal('any'), On]).describe('What the rule is about; `any` for everything.'),
  when: z.string().min(1).optional().describe('A condition in the expression language.'),
  effect: z
    .enum(['allow', 'escalate', 'deny', 'oblige'])
    .describe('`oblige` adds what is owed to whatever is allowed, and allows nothing itself.'),
  obligations: z.array(ObligationShape).min(1).optional(),
  because: text.optional().describe('Why, for the people who meet the rule.'),
});

export const ReadOnlyShape = z.strictObject({ readOnly: z.strictObject({ id: Name.optional() }) });

export const RateLimitShape = z.strictObject({
  rateLimit: z.strictObject({
    id: Name.optional(),
    limit: z.int().min(1).max(1_000_000),
    per: duration,
    by: z.array(z.enum(BUCKET_KEYS)).min(1).optional(),
    on: z.union([z.literal('any'), On]).optional(),
  }),
});

export const RequireApprovalShape = z.strictObject({
  requireApproval: z.strictObject({
    id: Name.optional(),
    actions: z.array(ToolPattern).min(1),
    of: text,
    quorum: z.int().min(1).max(16).optional(),
    expires: duration.optional(),
    when: z.string().min(1).optional(),
  }),
});

export const ParameterShape = z.strictObject({
  type: z.enum(['string', 'integer', 'number', 'boolean', 'array', 'object']),
  required: z.boolean().optional().describe('Whether it must be given; true unless stated.'),
  enum: z
    .array(z.union([z.string(), z.number(), z.boolean()]))
    .min(1)
    .optional(),
  min: z.number().optional(),
  max: z.number().optional(),
  min_length: z.int().min(0).optional(),
  max_length: z.int().min(0).optional(),
  max_items: z.int().min(0).optional(),
  like: some(z.string().min(1).max(500)).optional().describe('A pattern with * for any characters, or several.'),
});

const manifest = {
  description: z.string().optional(),
  effects: z
    .union([z.literal('none'), z.array(z.enum(EFFECTS)).min(1)])
    .optional()
    .describe('What it does to the world. Not stated: everything.'),
  reversibility: z
    .enum([...REVERSIBILITIES, 'unknown'])
    .optional()
    .describe('Not stated, or unknown: irreversible.'),
  risk: z.int().min(0).max(4).optional(),
  scope: text.optional(),
  classification: z.enum(CLASSIFICATIONS).optional(),
  sinks: z.record(pointer, text).optional().describe('What an argument is used for: /iban: payee.'),
  parameters: z.record(z.string().min(1), ParameterShape).optional().describe('All arguments; others are refused.'),
  max_calls_per_minute: z.int().min(1).max(1_000_000).optional(),
  requires_human_approval: z.boolean().optional(),
  max_amount: z.int().min(0).optional().describe('The largest `amount`, in minor units.'),
  digest: text.optional().describe('The digest of the tool as it was approved; another one is denied.'),
};

export const ManifestShape = z.strictObject(manifest);
const NamedManifestShape = z.strictObject({ name: ToolName, ...manifest });

const FactShape = z.strictObject({
  of: some(ToolPattern).describe('Whose calls are counted.'),
  sum: z
    .string()
    .regex(/^\/[^/]+$/)
    .optional()
    .describe('The argument that is summed, in minor units: /amount.'),
  by: z
    .array(z.enum(['subject.id', 'subject.tenant', 'subject.team', 'subject.sponsor', 'action.tool', 'task.id']))
    .min(1)
    .describe('For whom is counted.'),
  within: some(duration),
});

const head = {
  apiVersion: z.literal(API_VERSION),
  name: Name,
  description: z.string().optional(),
  for: z
    .strictObject({
      tenant: some(text).optional(),
      mesh: some(text).optional(),
      team: some(text).optional(),
      agent: some(AgentPattern).optional(),
      task: some(text).optional(),
    })
    .optional()
    .describe('Whom it concerns; not stated: everybody.'),
  facts: z.record(Name, FactShape).optional(),
  tools: z.record(ToolName, ManifestShape).optional(),
  agent: z
    .strictObject({
      id: AgentPattern,
      manifest: z.strictObject({
        tools: z.array(NamedManifestShape).min(1),
        denied_tools: z.array(ToolPattern).min(1).optional(),
      }),
    })
    .optional()
    .describe('What one agent may use: the listed tools, within the listed bounds, and nothing else.'),
};

/** Rules are looked at one by one, so that a fault in one is told in that rule's words. */
export const DocumentShape = z.strictObject({
  ...head,
  layer: z.enum(LAYERS).optional(),
  rules: z.array(z.record(z.string(), z.unknown())).min(1).optional(),
});

/** The same with everything in it, for editors. */
export const PublishedShape = z.strictObject({
  ...head,
  layer: z.enum(LAYERS).optional().describe('`agent` where an agent is described, else to be stated.'),
  rules: z
    .array(z.union([RuleShape, ReadOnlyShape, RateLimitShape, RequireApprovalShape]))
    .min(1)
    .optional(),
});

export type OnInput = z.infer<typeof On>;
export type RuleInput = z.infer<typeof RuleShape>;
export type ObligationInput = z.infer<typeof ObligationShape>;
export type SugarInput = z.infer<typeof ReadOnlyShape | typeof RateLimitShape | typeof RequireApprovalShape>;
export type ParameterInput = z.infer<typeof ParameterShape>;
export type ManifestInput = z.infer<typeof ManifestShape>;
export type FactInput = z.infer<typeof FactShape>;
export type DocumentInput = Omit<z.infer<typeof DocumentShape>, 'rules'> & {
  readonly rules?: readonly (RuleInput | SugarInput)[];
};
