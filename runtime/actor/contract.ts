/**
 * A contract: what an agent answers, what it records about itself, what it uses, what it asks of its callers. A value that
 * callers import without any implementation. Its digest travels with every message.
 */
import { sha256 } from '../codec/digest.ts';
import { canonicalJson, type JsonValue } from '../codec/json.ts';
import { type DigestText, digestText } from '../codec/record.ts';
import { assert } from '../core/assert.ts';
import { utf8 } from '../core/bytes.ts';
import { unwrap } from '../core/result.ts';
import type { Risk } from '../kernel/action.ts';
import { type Duration, toMillis } from './duration.ts';
import { describe, type Schema } from './schema.ts';
import { describeTool, type Tool } from './tool.ts';

export type MessageSpec = {
  readonly in: Schema;
  /** What it answers; absent for messages that are only told. */
  readonly out?: Schema;
  /** How long a caller waits by default; 30 s where absent. */
  readonly within?: Duration;
  /** Whether several turns of this message may be parked at once. */
  readonly concurrent?: boolean;
  /** What obeying it may do harm to, as a tool's class does: its sender needs the trust of that class. Default 0: anybody
   *  may ask, and what the agent then does is decided for itself. */
  readonly risk?: Risk;
};

/** What a caller must have. Judged by the gates; a contract only states it. */
export type Needs = { readonly trust?: number; readonly ring?: number };

export type ContractSpec = {
  readonly messages: { readonly [name: string]: MessageSpec };
  readonly events?: { readonly [name: string]: Schema };
  readonly uses?: { readonly [alias: string]: Tool };
  readonly needs?: Needs;
};

export type Contract<S extends ContractSpec = ContractSpec> = {
  readonly name: string;
  readonly spec: S;
  /** SHA-256 of `form`, canonical. */
  readonly digest: DigestText;
  /** The contract as data: JSON Schemas instead of schemas. */
  readonly form: JsonValue;
};

export const CONTRACT_NAME = /^(?=.{1,60}$)[a-z][a-z0-9-]*$/;
export const MEMBER_NAME = /^(?=.{1,60}$)[A-Za-z][A-Za-z0-9]*$/;

/** What some gate judges: a need that nobody looks at would only seem to protect. */
const NEEDS: ReadonlySet<string> = new Set<keyof Needs>(['trust', 'ring']);

/** How long a caller waits where neither it nor the contract says. */
const WITHIN_DEFAULT: Duration = '30s';

/** Declares a contract.
 *  @throws {AssertionError} `assert.failed`: a name that is none, a bound or a need that nothing judges · `contract.not_describable` */
export function contract<const S extends ContractSpec>(name: string, spec: S): Contract<S> {
  assert(CONTRACT_NAME.test(name), `expected a contract's name of a-z 0-9 -, found ${JSON.stringify(name)}`);
  const { messages, events = {}, uses = {}, needs = {} } = spec;
  for (const word of [messages, events, uses].flatMap(Object.keys)) {
    assert(MEMBER_NAME.test(word), `expected a name of letters and digits in ${name}, found ${JSON.stringify(word)}`);
  }
  for (const [key, { risk = 0 }] of Object.entries(messages)) within(risk, 4, `${name}.${key} risk`);
  for (const need of Object.keys(needs)) {
    assert(NEEDS.has(need), `expected needs of ${[...NEEDS].join(' and ')} in ${name}, found ${JSON.stringify(need)}`);
  }
  within(needs.trust ?? 0, 1000, `${name} needs.trust`);
  within(needs.ring ?? 0, 3, `${name} needs.ring`);
  const form = {
    name,
    messages: mapValues(messages, (message, key) => ({
      in: describe(message.in, `${name}.${key} in`),
      out: message.out === undefined ? null : describe(message.out, `${name}.${key} out`),
      within_ms: withinOf(message),
      concurrent: message.concurrent ?? false,
      ...(message.risk === undefined ? {} : { risk: message.risk }),
    })),
    events: mapValues(events, (event, key) => describe(event, `${name}.${key}`)),
    uses: mapValues(uses, describeTool),
    needs,
  };
  const text = unwrap(canonicalJson(form), 'a contract is data');
  return { name, spec, digest: digestText(sha256(utf8(text))), form };
}

function within(value: number, max: number, what: string): void {
  assert(Number.isInteger(value) && value >= 0 && value <= max, `${what}: expected 0 to ${max}, found ${value}`);
}

/** How long a caller of this message waits by default. */
export function withinOf(message: MessageSpec): number {
  return toMillis(message.within ?? WITHIN_DEFAULT);
}

/** The risk class of obeying a message. One that the contract does not have is nobody's to judge: it does the most harm. */
export function riskOfMessage({ spec }: Contract, name: string): Risk {
  const message = Object.hasOwn(spec.messages, name) ? spec.messages[name] : undefined;
  return message === undefined ? 4 : (message.risk ?? 0);
}

function mapValues<T>(
  members: { readonly [key: string]: T },
  map: (value: T, key: string) => JsonValue,
): { readonly [key: string]: JsonValue } {
  return Object.fromEntries(Object.entries(members).map(([key, value]) => [key, map(value, key)]));
}
