/** Policies and requests by chance, from one seed: valid ones for properties, broken ones for fuzzing. */
import type { JsonValue } from '../runtime/codec/json.ts';
import type { Random } from '../runtime/core/random.ts';
import { EFFECTS, POINTS, type PolicyRequest, REVERSIBILITIES, VERBS } from './decision/request.ts';
import { LAYERS } from './decision/verdict.ts';

const SOME_TOOLS = ['crm.lookup', 'crm.update', 'fs.read', 'fs.write', 'mail.send', 'pay.send', 'shell.run', 'sum'];
const PATTERNS = [...SOME_TOOLS, 'crm.*', 'fs.*'];
const AGENTS = ['ada', 'bob', 'desk/emea', 'desk/apac'];
const TENANTS = ['acme', 'globex'];
const ROLES = ['clerk', 'admin'];
const WORDS = ['eu', 'us', 'x', '', 'eu-west'];
const ARGS = ['amount', 'region', 'to', 'flag'];

export function pick<T>(random: Random, from: readonly T[]): T {
  return from[random.below(from.length)] as T;
}

function some<T>(random: Random, from: readonly T[]): readonly T[] {
  return from.filter(() => random.below(from.length) === 0);
}

const isLucky = (random: Random, oneIn: number): boolean => random.below(oneIn) === 0;

/** A condition that type-checks; it may be one that never holds. */
export function someCondition(random: Random, depth = 2): string {
  const inner = (): string => someCondition(random, depth - 1);
  if (depth > 0) {
    const shape = random.below(6);
    if (shape === 0) return `(${inner()} and ${inner()})`;
    if (shape === 1) return `(${inner()} or ${inner()})`;
    if (shape === 2) return `not ${inner()}`;
  }
  const arg = `args.${pick(random, ARGS)}`;
  const number = random.below(300) - 20;
  const word = JSON.stringify(pick(random, WORDS));
  switch (random.below(14)) {
    case 0:
      return `${arg} ${pick(random, ['<', '<=', '>', '>=', '==', '!='])} ${number}`;
    case 1:
      return `${arg} == ${word}`;
    case 2:
      return `${arg} in [${word}, "us"]`;
    case 3:
      return `${arg} like ${JSON.stringify(`${pick(random, WORDS)}*`)}`;
    case 4:
      return `has(${arg})`;
    case 5:
      return `subject.ring ${pick(random, ['<', '>='])} ${random.below(4)}`;
    case 6:
      return `subject.trust > ${random.below(1000)}`;
    case 7:
      return `"${pick(random, EFFECTS)}" in action.effects`;
    case 8:
      return `action.reversibility == "${pick(random, REVERSIBILITIES)}"`;
    case 9:
      return `any(x in args.list, x == ${word} or x == ${number})`;
    case 10:
      return `all(x in subject.roles, x == "${pick(random, ROLES)}")`;
    case 11:
      return `subject.tenant == "${pick(random, TENANTS)}"`;
    case 12:
      return `args.amount + ${number} > args.limit`;
    default:
      return `starts_with(${arg}, ${word})`;
  }
}

type Rule = { readonly [key: string]: JsonValue };

export function someRule(random: Random, id: string, effects = ['allow', 'deny', 'escalate', 'oblige']): Rule {
  const on: Record<string, JsonValue> = {};
  if (isLucky(random, 3)) on['point'] = [...(some(random, POINTS).length > 0 ? some(random, POINTS) : []), 'pre_tool'];
  if (isLucky(random, 2))
    on['tool'] = [pick(random, PATTERNS), ...(isLucky(random, 3) ? [pick(random, PATTERNS)] : [])];
  if (isLucky(random, 4)) on['effect'] = pick(random, EFFECTS);
  if (isLucky(random, 5)) on['agent'] = pick(random, [...AGENTS, 'desk/*']);
  if (isLucky(random, 6)) on['tenant'] = pick(random, TENANTS);
  if (isLucky(random, 8)) on['role'] = pick(random, ROLES);
  if (isLucky(random, 8)) on['verb'] = pick(random, VERBS);
  const effect = pick(random, effects);
  const owed: JsonValue[] = [];
  if (effect === 'oblige' || (effect !== 'deny' && isLucky(random, 4))) {
    owed.push(
      pick<JsonValue>(random, [
        { notify: 'ops' },
        { sandbox: random.below(4) },
        { approve: { of: 'role:x', quorum: 1 + random.below(3) } },
        { redact: { path: '/to', with: pick(random, WORDS) } },
      ]),
    );
  }
  return {
    id,
    on: Object.keys(on).length === 0 ? 'any' : on,
    ...(isLucky(random, 2) ? { when: someCondition(random) } : {}),
    effect,
    ...(owed.length === 0 ? {} : { obligations: owed }),
  };
}

/** A document of up to `rulesMax` rules, as data. */
export function someDocument(random: Random, name: string, rulesMax = 12): { readonly [key: string]: JsonValue } {
  const rules = Array.from({ length: 1 + random.below(rulesMax) }, (_, n) => someRule(random, `r${n}`));
  if (isLucky(random, 2)) rules.push({ id: 'listing', on: 'any', effect: 'allow' });
  const scope: Record<string, JsonValue> = {};
  if (isLucky(random, 4)) scope['tenant'] = pick(random, TENANTS);
  if (isLucky(random, 4)) scope['agent'] = pick(random, [...AGENTS, 'desk/*']);
  if (isLucky(random, 8)) scope['team'] = 'sales';
  return { apiVersion: 'ringmesh.policy/v1', name, layer: pick(random, LAYERS), for: scope, rules };
}

export function someRequest(random: Random): PolicyRequest {
  const args: Record<string, JsonValue> = {};
  for (const name of [...ARGS, 'limit']) {
    if (isLucky(random, 3)) continue;
    args[name] = pick<JsonValue>(random, [
      random.below(300) - 20,
      pick(random, WORDS),
      true,
      null,
      0.5,
      ['eu'],
      { x: 1 },
    ]);
  }
  if (isLucky(random, 2)) args['list'] = pick<JsonValue>(random, [[], ['eu', 3], ['x'], [null, 'us'], 'eu']);
  return {
    v: 1,
    id: `r${random.below(1_000)}`,
    point: isLucky(random, 4) ? pick(random, POINTS) : 'pre_tool',
    at: random.below(2 ** 31),
    subject: {
      id: 'did:example:x',
      name: pick(random, AGENTS),
      ring: random.below(4) as 0 | 1 | 2 | 3,
      trust: random.below(1001),
      ...(isLucky(random, 3) ? {} : { tenant: pick(random, TENANTS) }),
      ...(isLucky(random, 3) ? {} : { team: pick(random, ['sales', 'ops']) }),
      ...(isLucky(random, 3) ? {} : { roles: some(random, ROLES) }),
    },
    action: {
      tool: isLucky(random, 20) ? 'no.such' : pick(random, SOME_TOOLS),
      verb: isLucky(random, 8) ? pick(random, VERBS) : 'use',
      ...(isLucky(random, 4) ? { effects: some(random, EFFECTS) } : {}),
    },
    args,
  };
}

/** Any data at all, some of it hostile. */
function someJson(random: Random, depth = 3): JsonValue {
  switch (random.below(depth > 0 ? 12 : 9)) {
    case 0:
      return null;
    case 1:
      return isLucky(random, 2);
    case 2:
      return random.below(1_000) - 500;
    case 3:
      return pick(random, [0.5, 2 ** 53, -0, 1.7976931348623157e308, Number.MIN_SAFE_INTEGER]);
    case 4:
      return pick(random, [
        ...WORDS,
        '\u0000',
        '\ud800',
        '😀'.repeat(10),
        'x'.repeat(300),
        '__proto__',
        '*',
        '$x',
        '＊',
      ]);
    case 5:
      return pick(random, [...PATTERNS, ...AGENTS, ...POINTS, ...EFFECTS]);
    case 6:
      return someCondition(random, 1);
    case 7:
      return {};
    case 8:
      return [];
    case 9:
      return Array.from({ length: random.below(5) }, () => someJson(random, depth - 1));
    default: {
      const keys = ['__proto__', 'constructor', 'rules', 'on', 'when', 'effect', 'id', 'tool', 'approve', 'x', ''];
      return Object.fromEntries(
        Array.from({ length: random.below(5) }, () => [pick(random, keys), someJson(random, depth - 1)]),
      );
    }
  }
}

/** The value with one place of it replaced by anything, or removed, or given twice. */
export function mutated(random: Random, value: JsonValue): JsonValue {
  if (typeof value !== 'object' || value === null || isLucky(random, 8)) return someJson(random, 2);
  if (Array.isArray(value)) {
    const items = value as readonly JsonValue[];
    if (items.length === 0) return someJson(random, 2);
    const at = random.below(items.length);
    const item = items[at] as JsonValue;
    if (isLucky(random, 6)) return items.toSpliced(at, 1);
    if (isLucky(random, 6)) return [...items, item];
    return items.with(at, mutated(random, item));
  }
  const entries = Object.entries(value as { readonly [key: string]: JsonValue });
  const [key, member] = entries[random.below(Math.max(1, entries.length))] ?? ['x', null];
  if (isLucky(random, 10)) return Object.fromEntries(entries.filter(([name]) => name !== key));
  if (isLucky(random, 10)) return { ...value, [`${key}s`]: member };
  return { ...value, [key]: mutated(random, member) };
}

/** The text with a few characters changed. */
export function garbled(random: Random, text: string): string {
  const units = [...text];
  for (let changes = random.below(4); changes > 0; changes--) {
    const at = random.below(Math.max(1, units.length));
    const sign = pick(random, [...'{}[]:,"\'&*!|>-?#\n\t %@`~<=()', 'é', '\u0000', '😀', '']);
    units.splice(at, random.below(3), sign);
  }
  return units.join('');
}
