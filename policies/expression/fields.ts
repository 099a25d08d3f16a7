/** What an expression may read from a request, and what it finds there. A path that is not here is refused at load. */
import type { JsonValue } from '../../runtime/codec/json.ts';
import {
  CLASSIFICATIONS,
  type Classification,
  EFFECT_CLASSES,
  EFFECTS,
  type Effect,
  POINTS,
  type PolicyRequest,
  REVERSIBILITIES,
  type Reversibility,
  VERBS,
} from '../decision/request.ts';

/** What a value can be while rules are checked. `json` is anything: it is looked at when the rule runs. */
export type ValueType =
  | { readonly kind: 'boolean' | 'null' | 'json' }
  | { readonly kind: 'integer'; readonly min?: number; readonly max?: number }
  | { readonly kind: 'string'; readonly values?: readonly string[] }
  | { readonly kind: 'list'; readonly of: ValueType };

/** What a value is while a rule runs; `undefined` is unknown. */
export type Value = JsonValue | undefined;

/** The act as decided about: the worse of what the request says and what the tool's manifest says. */
export type ResolvedAct = {
  readonly effects: readonly Effect[];
  readonly reversibility: Reversibility;
  readonly risk: number;
  readonly classification: Classification | undefined;
};

/** All that a running expression sees. `steps` bounds the work of one decision. */
export type Context = {
  readonly request: PolicyRequest;
  readonly act: ResolvedAct;
  readonly locals: Value[];
  steps: number;
};

type Field = { readonly type: ValueType; readonly read: (context: Context) => Value };

export const BOOLEAN: ValueType = { kind: 'boolean' };
export const INTEGER: ValueType = { kind: 'integer' };
export const STRING: ValueType = { kind: 'string' };
export const JSON_VALUE: ValueType = { kind: 'json' };
export const STRINGS: ValueType = { kind: 'list', of: STRING };

const MOMENT: ValueType = { kind: 'integer', min: 0 };
const oneOf = (values: readonly string[]): ValueType => ({ kind: 'string', values });
const between = (min: number, max: number): ValueType => ({ kind: 'integer', min, max });

/** By path. A path below a `json` field goes into the value. */
export const FIELDS: ReadonlyMap<string, Field> = new Map<string, Field>([
  ['at', { type: MOMENT, read: (c) => c.request.at }],
  ['point', { type: oneOf(POINTS), read: (c) => c.request.point }],
  ['subject.id', { type: STRING, read: (c) => c.request.subject.id }],
  ['subject.name', { type: STRING, read: (c) => c.request.subject.name }],
  ['subject.ring', { type: between(0, 3), read: (c) => c.request.subject.ring }],
  ['subject.trust', { type: between(0, 1000), read: (c) => c.request.subject.trust }],
  ['subject.tenant', { type: STRING, read: (c) => c.request.subject.tenant }],
  ['subject.mesh', { type: STRING, read: (c) => c.request.subject.mesh }],
  ['subject.team', { type: STRING, read: (c) => c.request.subject.team }],
  ['subject.roles', { type: STRINGS, read: (c) => c.request.subject.roles }],
  ['subject.scopes', { type: STRINGS, read: (c) => c.request.subject.scopes }],
  ['subject.sponsor', { type: STRING, read: (c) => c.request.subject.sponsor }],
  ['subject.chain', { type: STRINGS, read: (c) => c.request.subject.chain }],
  ['action.tool', { type: STRING, read: (c) => c.request.action.tool }],
  ['action.verb', { type: oneOf(VERBS), read: (c) => c.request.action.verb }],
  ['action.effects', { type: { kind: 'list', of: oneOf(EFFECTS) }, read: (c) => c.act.effects }],
  ['action.reversibility', { type: oneOf(REVERSIBILITIES), read: (c) => c.act.reversibility }],
  ['action.risk', { type: between(0, 4), read: (c) => c.act.risk }],
  ['action.class', { type: oneOf(EFFECT_CLASSES), read: (c) => c.request.action.class }],
  ['action.scope', { type: STRING, read: (c) => c.request.action.scope }],
  ['action.classification', { type: oneOf(CLASSIFICATIONS), read: (c) => c.act.classification }],
  ['args', { type: JSON_VALUE, read: (c) => c.request.args }],
  ['output', { type: JSON_VALUE, read: (c) => c.request.output }],
  ['resource.type', { type: STRING, read: (c) => c.request.resource?.type }],
  ['resource.id', { type: STRING, read: (c) => c.request.resource?.id }],
  ['resource.labels', { type: STRINGS, read: (c) => c.request.resource?.labels }],
  ['resource.attrs', { type: JSON_VALUE, read: (c) => c.request.resource?.attrs }],
  ['task.id', { type: STRING, read: (c) => c.request.task?.id }],
  ['task.purpose', { type: STRING, read: (c) => c.request.task?.purpose }],
  ['task.depth', { type: MOMENT, read: (c) => c.request.task?.depth }],
  ['task.tools', { type: STRINGS, read: (c) => c.request.task?.tools }],
  ['context', { type: JSON_VALUE, read: (c) => c.request.context }],
  ['notes', { type: JSON_VALUE, read: (c) => c.request.notes }],
]);

/** In words, for a fault. */
export function describeType(type: ValueType): string {
  switch (type.kind) {
    case 'list':
      return `a list of ${type.of.kind === 'string' ? 'strings' : 'values'}`;
    case 'integer':
      return 'a number';
    case 'string':
      return type.values === undefined ? 'a string' : `one of ${type.values.join(', ')}`;
    case 'boolean':
      return 'a condition';
    case 'null':
      return 'null';
    case 'json':
      return 'any value';
  }
}

/** The member of a JSON value, unknown where there is none. Own members only: `constructor` is nobody's argument. */
export function memberOf(value: Value, part: string | number): Value {
  if (typeof value !== 'object' || value === null) return undefined;
  if (Array.isArray(value)) return typeof part === 'number' ? (value as readonly JsonValue[])[part] : undefined;
  const key = String(part);
  return Object.hasOwn(value, key) ? (value as { readonly [key: string]: JsonValue })[key] : undefined;
}
