/**
 * Tool manifests: what a tool is, told once, so that rules can speak of effects instead of names.
 *
 * A tool without a manifest is unknown, and an unknown tool is denied. What a manifest does not say is taken to be the worst:
 * every effect, irreversible. Several manifests of one tool add up to the worst of each.
 */
import type { JsonValue } from '../../runtime/codec/json.ts';
import {
  CLASSIFICATIONS,
  type Classification,
  EFFECTS,
  type Effect,
  type PolicyRequest,
  REVERSIBILITIES,
  type Reversibility,
} from '../decision/request.ts';
import { BOOLEAN, JSON_VALUE, type ResolvedAct, STRING, type ValueType } from '../expression/fields.ts';
import { compileLike } from '../expression/like.ts';
import { parseExpression } from '../expression/syntax.ts';
import { ASK_AN_OPERATOR, consumeOf, listOf, type ParsedRule } from './rule.ts';
import type { ManifestInput, ParameterInput } from './shape.ts';
import type { Path } from './yaml-source.ts';

/** What is known of a tool: what several manifests say of it, put together. */
export type Manifest = {
  readonly tool: string;
  readonly effects: readonly Effect[];
  readonly reversibility: Reversibility;
  readonly risk: number;
  readonly classification: Classification | undefined;
  /** Digests of the tool as approved; empty where none was pinned. */
  readonly digests: readonly string[];
  /** The types of all its arguments, where some manifest lists them. */
  readonly args: ReadonlyMap<string, ValueType> | undefined;
};

/** Why arguments are refused, or `undefined` for good ones. */
export type ArgumentCheck = (args: JsonValue) => string | undefined;

/** What several documents say of a tool, the outermost layers first. Where the outermost that speaks of it leaves
 *  something open, that is the worst, and no layer further in can say better; one can say worse. */
export function mergeManifests(
  tool: string,
  described: readonly { readonly depth: number; readonly manifest: ManifestInput }[],
): Manifest {
  const outermost = Math.min(...described.map(({ depth }) => depth));
  const all = described.map(({ depth, manifest }) => (depth === outermost ? { ...WORST, ...manifest } : manifest));
  const effects = all.flatMap((each) => (each.effects === undefined || each.effects === 'none' ? [] : each.effects));
  const reversibilities = all.flatMap(({ reversibility }) => (reversibility === undefined ? [] : [reversibility]));
  const classes = all.flatMap(({ classification }) => (classification === undefined ? [] : [classification]));
  const lists = all.flatMap(({ parameters }) => (parameters === undefined ? [] : [Object.entries(parameters)]));
  return {
    tool,
    effects: EFFECTS.filter((effect) => effects.includes(effect)),
    reversibility: worst(
      REVERSIBILITIES,
      reversibilities.map((found) => (found === 'unknown' ? 'irreversible' : found)),
    ),
    risk: Math.max(...all.map(({ risk = 0 }) => risk)),
    classification: classes.length === 0 ? undefined : worst(CLASSIFICATIONS, classes),
    digests: all.flatMap(({ digest }) => (digest === undefined ? [] : [digest])),
    args: lists.length === 0 ? undefined : new Map(lists.flat().map(([name, parameter]) => [name, typeOf(parameter)])),
  };
}

const WORST = { effects: [...EFFECTS], reversibility: 'unknown' } as const;

/** The act as rules see it: the worse of what is asked and what the manifest says. */
export function resolveAct({ action }: PolicyRequest, manifest: Manifest | undefined): ResolvedAct {
  const { effects = [], reversibility, risk = 0, classification } = action;
  if (manifest === undefined) {
    return { effects, reversibility: reversibility ?? 'irreversible', risk, classification };
  }
  const isSame = effects.every((effect) => manifest.effects.includes(effect));
  return {
    effects: isSame ? manifest.effects : EFFECTS.filter((e) => effects.includes(e) || manifest.effects.includes(e)),
    reversibility:
      reversibility === undefined
        ? manifest.reversibility
        : worst(REVERSIBILITIES, [reversibility, manifest.reversibility]),
    risk: Math.max(risk, manifest.risk),
    classification:
      classification === undefined || manifest.classification === undefined
        ? (classification ?? manifest.classification)
        : worst(CLASSIFICATIONS, [classification, manifest.classification]),
  };
}

/** The rules that follow from one manifest: bounds deny, approvals escalate, limits are consumed. */
export function rulesOfManifest(tool: string, manifest: ManifestInput, path: Path): readonly ParsedRule[] {
  const head = { point: ['pre_tool'], tool: [tool] };
  const rules: ParsedRule[] = [];
  const add = (suffix: string, rule: Omit<ParsedRule, 'id' | 'head' | 'path'>): void => {
    rules.push({ id: `${tool}.${suffix}`, head, path, ...rule });
  };
  if (manifest.max_amount !== undefined) {
    const text = `args.amount > ${manifest.max_amount} or args.amount < 0`;
    add('max_amount', {
      when: { text, syntax: parseExpression(text), path },
      effect: 'deny',
      obligations: [],
      because: `an amount of ${tool} is a whole number from 0 to ${manifest.max_amount}`,
    });
  }
  if (manifest.requires_human_approval === true) {
    add('requires_human_approval', {
      effect: 'escalate',
      obligations: [ASK_AN_OPERATOR],
      because: `${tool} requires human approval`,
    });
  }
  if (manifest.max_calls_per_minute !== undefined) {
    const consume = consumeOf({ bucket: `${tool}.calls`, limit: manifest.max_calls_per_minute, per: '1m' });
    if (typeof consume !== 'string') add('max_calls_per_minute', { effect: 'oblige', obligations: [consume] });
  }
  if (manifest.classification !== undefined) {
    const add_ = [`classification-${manifest.classification}`];
    add('classification', { effect: 'oblige', obligations: [{ kind: 'label', add: add_ }] });
  }
  return rules;
}

/** Checks arguments against the parameters of a manifest: all that are required, no others, each within its bounds. */
export function compileArguments(parameters: Readonly<Record<string, ParameterInput>>): ArgumentCheck {
  const checks = new Map(Object.entries(parameters).map(([name, parameter]) => [name, compileParameter(parameter)]));
  const required = Object.entries(parameters).flatMap(([name, { required = true }]) => (required ? [name] : []));
  return (args) => {
    if (typeof args !== 'object' || args === null || Array.isArray(args)) return 'expected named arguments';
    for (const name of required) if (!Object.hasOwn(args, name)) return `expected the argument "${name}", found none`;
    for (const [name, value] of Object.entries(args)) {
      const check = checks.get(name);
      if (check === undefined) return `expected no argument "${name.slice(0, 100)}"`;
      const fault = check(value as JsonValue);
      if (fault !== undefined) return `expected "${name}" to be ${fault}`;
    }
    return undefined;
  };
}

/** What an argument has to be, where it is not. */
function compileParameter(parameter: ParameterInput): (value: JsonValue) => string | undefined {
  const { min, max, min_length = 0, max_length, max_items, enum: values, like } = parameter;
  const patterns = like === undefined ? undefined : listOf(like).map(compileLike);
  return (value) => {
    if (!isOfType(value, parameter.type)) return `of the type ${parameter.type}`;
    if (values !== undefined && !values.some((each) => each === value)) return `one of ${values.join(', ')}`;
    if (typeof value === 'number') {
      if (min !== undefined && value < min) return `at least ${min}`;
      if (max !== undefined && value > max) return `at most ${max}`;
    }
    if (typeof value === 'string') {
      if (value.length < min_length) return `at least ${min_length} characters`;
      if (max_length !== undefined && value.length > max_length) return `at most ${max_length} characters`;
      if (patterns !== undefined && !patterns.some((matches) => matches(value) === true)) return `like ${like}`;
    }
    if (Array.isArray(value) && max_items !== undefined && value.length > max_items)
      return `at most ${max_items} items`;
    return undefined;
  };
}

function isOfType(value: JsonValue, type: ParameterInput['type']): boolean {
  switch (type) {
    case 'integer':
      return Number.isSafeInteger(value);
    case 'number':
      return typeof value === 'number' && Number.isFinite(value);
    case 'array':
      return Array.isArray(value);
    case 'object':
      return typeof value === 'object' && value !== null && !Array.isArray(value);
    default:
      return typeof value === type;
  }
}

function typeOf(parameter: ParameterInput): ValueType {
  const { type, enum: values } = parameter;
  switch (type) {
    case 'string':
      return values === undefined ? STRING : { kind: 'string', values: values.map(String) };
    case 'integer':
      return {
        kind: 'integer',
        ...(parameter.min === undefined ? {} : { min: Math.ceil(parameter.min) }),
        ...(parameter.max === undefined ? {} : { max: Math.floor(parameter.max) }),
      };
    case 'boolean':
      return BOOLEAN;
    case 'array':
      return { kind: 'list', of: JSON_VALUE };
    default:
      return JSON_VALUE;
  }
}

function worst<T extends string>(order: readonly T[], found: readonly T[]): T {
  return found.reduce((a, b) => (order.indexOf(a) >= order.indexOf(b) ? a : b));
}
