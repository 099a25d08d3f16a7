/** The shape of a swarm file, once: what is checked when one is read, and what the published JSON Schema is made of. */
import { z } from 'zod';
import { DELEGATION_CHAIN_MAX, PREDICATE_TEXT_MAX, PREDICATE_VALUES_MAX, PREDICATES_MAX } from '../../mesh/limits.ts';

const API_VERSION = 'ringmesh.swarm/v1';

/** More agents of one kind than this are a slip of the pen. */
const COUNT_MAX = 10_000;

/** More nodes than this are more than one realm. */
const REPLICAS_MAX = 256;

const Word = z.string().regex(/^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$/);
const Export = z.string().regex(/^[A-Za-z_$][\w$]{0,99}$/);
const Message = z.string().regex(/^[A-Za-z][A-Za-z0-9]{0,59}$/);
const path = z
  .string()
  .regex(/^[^\p{Cc}]{1,1000}$/u)
  .describe('A path, from the folder of this file.');
const duration = z
  .string()
  .regex(/^[1-9]\d{0,5}(ms|s|m|h|d)$/)
  .describe('A span of time: 500ms, 30s, 10m, 24h, 7d.');
const AgentPattern = z
  .string()
  .regex(/^(?=.{1,90}$)[a-z0-9][a-z0-9._-]*(\/[a-z0-9._-]+)*(\/\*)?$/)
  .describe('An agent by name, or with a count: audit/researcher/*, which are audit/researcher/1, 2, …');

/** `RINGMESH_SET_` and the name in capitals overrides it, so the name is one word. */
const Setting = z.string().regex(/^[a-z][a-z0-9]{0,31}$/);

const ModuleShape = z.strictObject({
  module: path.describe('A module to import, from the folder of this file.'),
  export: Export,
});

const AgentShape = z.strictObject({
  name: AgentPattern,
  count: z.int().min(1).max(COUNT_MAX).optional().describe('How many, where the name ends in /*.'),
  spawned: z.literal(true).optional().describe('Other agents start it, as their child; the swarm does not.'),
  contract: ModuleShape.describe('What it answers: a value of `contract(…)`, in a module without the agent’s code.'),
  ...ModuleShape.shape,
  sponsor: Word.optional().describe('The operator who answers for it; the first one unless given.'),
  needs: z
    .strictObject({ trust: z.int().min(1).max(1000) })
    .optional()
    .describe('What another agent must have in order to ask or tell it anything.'),
  endorsement: z
    .strictObject({
      ring: z.int().min(1).max(3),
      trust: z.int().min(0).max(1000).describe('The floor under its score.'),
      for: duration.describe('From each start on, until its first violation.'),
    })
    .optional()
    .describe('The operators’ word for it, for a first day of work.'),
  restart: z
    .enum(['permanent', 'transient', 'temporary'])
    .optional()
    .describe('`permanent` (default): always started again; `transient`: after a failure; `temporary`: never.'),
  supervise: z
    .strictObject({
      strategy: z.enum(['one_for_one', 'one_for_all', 'rest_for_one']).optional(),
      restarts: z
        .string()
        .regex(/^\d{1,4} in [1-9]\d{0,5}(ms|s|m|h|d)$/)
        .optional()
        .describe('5 in 30s: one more, and the supervisor gives up.'),
    })
    .optional()
    .describe('How it supervises its children.'),
  start: z
    .strictObject({ message: Message, with: z.json().optional() })
    .optional()
    .describe('What it is told, or asked where the contract has an answer, at each start of the swarm.'),
});

const Text = z.string().max(PREDICATE_TEXT_MAX);
const PredicateShape = z.strictObject({
  arg: z
    .string()
    .max(400)
    .describe('An argument, or one within another: order.cents; names.* for every item of a list.'),
  is: z.enum(['eq', 'in', 'like', 'max', 'prefix']),
  value: z.union([
    Text,
    z.int(),
    z.boolean(),
    z
      .array(z.union([Text, z.int()]))
      .min(1)
      .max(PREDICATE_VALUES_MAX),
  ]),
});

const amount = z.int().min(0).optional();

const DelegationShape = z.strictObject({
  to: AgentPattern.describe(
    'An agent of this file, or those below a name: audit/researcher/*. Each gets one of its own.',
  ),
  command: z
    .string()
    .regex(/^(\/|(?=.{2,200}$)(\/[a-z0-9][a-z0-9_-]{0,62}){1,8})$/)
    .describe('What: /tool/mail/send, /tool/mail for all below it, /quote/price for a message, / for everything.'),
  where: z
    .array(PredicateShape)
    .min(1)
    .max(PREDICATES_MAX)
    .optional()
    .describe('With which arguments; all of these must hold.'),
  depth: z
    .int()
    .min(0)
    .max(DELEGATION_CHAIN_MAX - 1)
    .optional()
    .describe('How often a part of it may be given on; 0 unless given.'),
  for: duration
    .optional()
    .describe('How long, from when it is signed; 30d unless given. A start signs it anew in time.'),
  ceiling: z.int().min(0).max(1000).optional().describe('The trust that counts for it at most; 1000 unless given.'),
  budget: z
    .strictObject({ calls: amount, cents: amount, ms: amount, tokens: amount })
    .optional()
    .describe('How much of it, for all to whom it is given on together.'),
});

export const SwarmShape = z.strictObject({
  apiVersion: z.literal(API_VERSION),
  realm: Word,
  operators: z
    .strictObject({
      quorum: z.int().min(1).max(16).describe('How many must agree. 1 only without a broker, or with one on loopback.'),
      members: z
        .array(z.strictObject({ name: Word, did: z.string().regex(/^did:key:z[1-9A-HJ-NP-Za-km-z]{40,80}$/) }))
        .min(1),
    })
    .optional()
    .describe('Not stated: one, called operator, who is whoever starts the swarm.'),
  settings: z
    .record(
      Setting,
      z.union([
        z.string().max(1000),
        z.int(),
        z.boolean(),
        z.strictObject({ path }),
        z.strictObject({ secret: path.describe('A file whose content is the value, readable by its owner alone.') }),
      ]),
    )
    .optional()
    .describe('What tools are told. --set NAME=VALUE and RINGMESH_SET_NAME override all but secrets.'),
  agents: z.array(AgentShape).min(1),
  tools: z
    .record(Word, z.strictObject({ ...ModuleShape.shape, with: z.array(Setting).min(1).optional() }))
    .optional()
    .describe('Values of `provide(…)`, lists of them, or functions of the settings under `with` that make some.'),
  delegations: z
    .array(DelegationShape)
    .min(1)
    .optional()
    .describe(
      'What the operator gives to agents. With any, an agent may do only what was given to it; without, what policies allow.',
    ),
  policies: z.array(path).min(1).describe('Policy documents: what no rule allows is denied.'),
  supervise: AgentShape.shape.supervise.describe('How the agents of this file are supervised.'),
  roles: z
    .record(
      Word,
      z.strictObject({
        agents: z.array(AgentPattern).min(1).describe('By their names in this file.'),
        tools: z.array(Word).min(1).optional().describe('Not stated: all.'),
        replicas: z
          .int()
          .min(1)
          .max(REPLICAS_MAX)
          .optional()
          .describe('As many nodes, ROLE-1, ROLE-2, …, among which its agents are dealt.'),
      }),
    )
    .optional()
    .describe(
      'What `--only ROLE` runs: a node of its own, with its own log; of several replicas the first that is free.',
    ),
  broker: z
    .string()
    .regex(/^(none|spawn|([a-z0-9][a-z0-9.-]{0,253}|\[[0-9a-f:.]{2,45}\]):\d{1,5})$/)
    .optional()
    .describe('none (default), spawn (one on loopback), or host:port. Only `--only` uses it.'),
  log: path.optional().describe('The directory of the log; .ringmesh/<realm> unless given.'),
  anchors: path.optional().describe('The directory of its anchor; the user’s state folder unless given.'),
  keys: path.optional().describe('The realm’s folder of keys; .ringmesh/<realm>-keys unless given.'),
  health: z
    .union([z.int().min(0).max(65_535), z.string().regex(/^((\d{1,3}\.){3}\d{1,3}|\[[0-9a-f:.]{2,45}\]):\d{1,5}$/)])
    .optional()
    .describe('A port of 127.0.0.1 for /healthz, /readyz and /metrics; 0 for one that is free; or address:port.'),
  until: z
    .union([
      z.enum(['answered', 'stopped']),
      z.strictObject({ agent: AgentPattern, records: Message.describe('An event of its contract.') }),
    ])
    .optional()
    .describe(
      'When it ends: every start message is answered, an agent has recorded a fact, or (default) it is told to.',
    ),
  drain: duration.optional().describe('How long turns may take to come to an end; 10s unless given.'),
});

export type SwarmInput = z.infer<typeof SwarmShape>;
export type AgentInput = z.infer<typeof AgentShape>;
export type DelegationInput = z.infer<typeof DelegationShape>;
export type ModuleInput = z.infer<typeof ModuleShape>;
