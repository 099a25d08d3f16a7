/**
 * What a decision is made from: all of it, as values, as of one moment. Nothing else is looked at while deciding, so the
 * same request under the same bundle has the same answer for ever.
 *
 * Names follow AuthZEN (subject, action, resource, context) where it has one. Money is in minor units; numbers that rules
 * compare are safe integers.
 */
import type { JsonValue } from '../../runtime/codec/json.ts';
import type { EffectClass, Risk } from '../../runtime/kernel/action.ts';

/** Where on an agent's way the decision stands. */
export const POINTS = [
  'startup',
  'input',
  'pre_model',
  'post_model',
  'pre_tool',
  'post_tool',
  'output',
  'shutdown',
  'agent_message',
  'memory_read',
  'memory_write',
  'delegate',
  'spawn',
  'plugin_install',
  'policy_change',
  'train_step',
] as const;
export type Point = (typeof POINTS)[number];

/** What a tool does to the world. A tool that does nothing of it has none. */
export const EFFECTS = ['read', 'write', 'egress', 'exec', 'money', 'identity', 'admin'] as const;
export type Effect = (typeof EFFECTS)[number];

/** From harmless to worst. */
export const REVERSIBILITIES = ['reversible', 'compensatable', 'irreversible'] as const;
export type Reversibility = (typeof REVERSIBILITIES)[number];

/** How confidential what a tool touches is, from harmless to worst. */
export const CLASSIFICATIONS = ['public', 'internal', 'confidential', 'restricted'] as const;
export type Classification = (typeof CLASSIFICATIONS)[number];

export const VERBS = ['use', 'ask', 'tell', 'spawn', 'stop'] as const;
export type Verb = (typeof VERBS)[number];

export const EFFECT_CLASSES = ['pure', 'idempotent', 'reconcile', 'unsafe'] as const satisfies readonly EffectClass[];

/** Who vouches for a value, the weakest first. A value made of several has the weakest of theirs. */
export const INTEGRITIES = ['untrusted', 'agent', 'verified', 'user', 'system'] as const;
export type Integrity = (typeof INTEGRITIES)[number];

export type Subject = {
  /** The agent's DID, and its name on this node. */
  readonly id: string;
  readonly name: string;
  readonly ring: 0 | 1 | 2 | 3;
  /** 0 to 1000. */
  readonly trust: number;
  readonly tenant?: string;
  readonly mesh?: string;
  readonly team?: string;
  readonly roles?: readonly string[];
  /** What it was granted: `payments:write`. */
  readonly scopes?: readonly string[];
  readonly sponsor?: string;
  /** Who delegated to it, the nearest last. */
  readonly chain?: readonly string[];
};

/** What is known of the act besides its manifest. A host may say worse of it than the manifest does, never better. */
export type Act = {
  /** The tool; for messages `<contract>.<message>@<agent>`. */
  readonly tool: string;
  readonly verb: Verb;
  readonly effects?: readonly Effect[];
  readonly reversibility?: Reversibility;
  readonly risk?: Risk;
  readonly class?: EffectClass;
  readonly scope?: string;
  readonly classification?: Classification;
  /** The digest of the manifest that the host holds for the tool. */
  readonly manifest?: string;
};

/** Where the value at a place in the arguments comes from. */
export type Flow = { readonly integrity: Integrity; readonly labels?: readonly string[] };

/** What was counted and summed within one window, for one key, before this action. */
export type FactReading = {
  readonly windowMs: number;
  readonly key: readonly string[];
  readonly count: number;
  readonly sum?: number;
};

export type PolicyRequest = {
  readonly v: 1;
  /** The action's key: the same act, however often it is asked about. */
  readonly id: string;
  readonly point: Point;
  /** The only clock that a rule sees: milliseconds since 1970, written by whoever asks. */
  readonly at: number;
  readonly subject: Subject;
  readonly action: Act;
  readonly args: JsonValue;
  /** What came back: at `post_tool`, `post_model` and `output`. */
  readonly output?: JsonValue;
  readonly resource?: {
    readonly type?: string;
    readonly id?: string;
    readonly labels?: readonly string[];
    readonly attrs?: JsonValue;
  };
  readonly task?: {
    readonly id: string;
    readonly purpose?: string;
    readonly depth?: number;
    readonly tools?: readonly string[];
  };
  /** By JSON pointer into `args`. */
  readonly flow?: Readonly<Record<string, Flow>>;
  /** By the names that documents declare. `at` is when they were folded: past `FACTS_LAG_MS_MAX` they are unknown. */
  readonly facts?: { readonly at: number; readonly readings: Readonly<Record<string, readonly FactReading[]>> };
  /** What the host knows of the situation: a region, a window of maintenance. */
  readonly context?: JsonValue;
  /** What annotators say. Nobody vouches for it, so it can make an answer stricter and never laxer. */
  readonly notes?: JsonValue;
};

/** Facts older than this say nothing: whatever they were to allow is not allowed, whatever they were to stop is. */
export const FACTS_LAG_MS_MAX = 30_000;

/** Values in the arguments and the output together; deeper or wider ones are denied before a rule sees them. */
const NODES_MAX = 20_000;
const DEPTH_MAX = 64;
const TEXT_CHARACTERS_MAX = 4_000_000;

/** Whether the request is small enough to decide, so that no rule can be made to work for long. Sees data only. */
export function isWithinLimits(request: PolicyRequest): boolean {
  const left = { nodes: NODES_MAX, characters: TEXT_CHARACTERS_MAX };
  for (const part of [request.args, request.output, request.resource?.attrs, request.context, request.notes]) {
    if (part !== undefined && !isSmall(part, DEPTH_MAX, left)) return false;
  }
  return true;
}

function isSmall(value: JsonValue, depth: number, left: { nodes: number; characters: number }): boolean {
  if (--left.nodes < 0) return false;
  if (typeof value === 'string') {
    left.characters -= value.length;
    return left.characters >= 0;
  }
  if (typeof value !== 'object' || value === null) return true;
  if (depth === 0) return false;
  if (Array.isArray(value)) {
    for (const item of value as readonly JsonValue[]) if (!isSmall(item, depth - 1, left)) return false;
    return true;
  }
  for (const key of Object.keys(value)) {
    left.characters -= key.length;
    if (!isSmall((value as { readonly [key: string]: JsonValue })[key] as JsonValue, depth - 1, left)) return false;
  }
  return true;
}
