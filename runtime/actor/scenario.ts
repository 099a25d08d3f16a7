/** Given these facts, when this message comes, then this: one turn of one agent, without log, node or clock. */

import { parseDid } from '../codec/did.ts';
import type { JsonValue } from '../codec/json.ts';
import { assert } from '../core/assert.ts';
import type { Millis } from '../core/brand.ts';
import { CodedError } from '../core/errors.ts';
import { unwrap } from '../core/result.ts';
import type { Outcome } from '../kernel/outcome.ts';
import type { EventNames, MessageNames } from './context.ts';
import type { ContractSpec } from './contract.ts';
import { Host } from './host.ts';
import type { Implementation } from './implement.ts';
import { type Emitted, type Entry, type FromHost, nameOf, type Operation, type Wait } from './protocol.ts';
import type { In, Out, Schema } from './schema.ts';
import { installStrictMode } from './strict.ts';
import { type ProvidedTool, provide, type Tool } from './tool.ts';
import { foldTo } from './turn-run.ts';

/** What the turn did. `reply` is `undefined` for a turn that parked: `waits` says for what. */
export type TurnSeen = {
  readonly reply: Outcome | undefined;
  readonly emitted: readonly Emitted[];
  /** Everything else that it would have committed: messages, timers, watches. */
  readonly left: readonly Entry[];
  /** What it asked of the world, in order: `use catalog.lookup`. */
  readonly asked: readonly string[];
  readonly waits: readonly Wait[];
  readonly state: unknown;
};

/** What the world answers, by the operation's name as in `asked`. A value is an ok outcome. */
export type Answers = { readonly [operation: string]: Outcome | ((input: JsonValue) => Outcome) };

export type FactOf<S extends ContractSpec> = {
  [E in EventNames<S>]: readonly [
    E,
    S extends { readonly events: infer V } ? (E extends keyof V ? In<V[E]> : never) : never,
  ];
}[EventNames<S>];

/** `await given(quoteAgent, [['Priced', { … }]]).when('price', { sku: 'a' }, { 'use catalog.lookup': ok(5) })` */
export function given<S extends ContractSpec>(implementation: Implementation<S>, facts: readonly FactOf<S>[] = []) {
  const history = facts.map(([name, data]): Emitted => ({ name, data: data as JsonValue }));
  return {
    when: <M extends MessageNames<S>>(message: M, input: In<S['messages'][M]['in']>, answers: Answers = {}) =>
      takeTurn(implementation as Implementation, history, { message, input: input as JsonValue, answers }),
  };
}

/** An ok outcome, for answers. */
export function ok<T extends JsonValue>(value: T): Outcome<T> {
  return { type: 'ok', value };
}

async function takeTurn(
  implementation: Implementation,
  history: readonly Emitted[],
  { message, input, answers }: { readonly message: string; readonly input: JsonValue; readonly answers: Answers },
): Promise<TurnSeen> {
  installStrictMode();
  const { promise, resolve } = Promise.withResolvers<Exclude<FromHost, { type: 'operation' | 'ready' }>>();
  const asked: string[] = [];
  const host = new Host([implementation], (said) => {
    if (said.type === 'ready') return;
    if (said.type !== 'operation') return resolve(said);
    asked.push(nameOf(said.operation));
    const outcome = answerTo(said.operation, answers);
    queueMicrotask(() => host.receive({ type: 'settle', turn: said.turn, ordinal: said.ordinal, outcome }));
  });
  host.receive({
    type: 'enter',
    turn: '00000000-0000-8000-8000-000000000000',
    agent: implementation.contract.name,
    contract: implementation.contract.name,
    message,
    body: input,
    caller: { did: unwrap(parseDid('did:example:caller'), 'a DID'), agent: null, chain: [] },
    at: 1_700_000_000_000 as Millis,
    start: history.length,
    history: { facts: history },
    journal: [],
    committed: null,
  });
  const end = await promise;
  if (end.type === 'failed') throw new CodedError(end.code, end.message);
  assert(end.type !== 'stale', 'a host that was given every fact needs no more');
  if (end.type === 'diverged') throw new CodedError('turn.stuck', `expected ${end.expected}, found ${end.found}`);
  const entries = end.segment.entries;
  const emitted = entries.flatMap((entry) => (entry.type === 'emit' ? [{ name: entry.name, data: entry.data }] : []));
  const all = [...history, ...emitted];
  return {
    reply: end.type === 'done' ? end.reply : undefined,
    emitted,
    left: entries.filter((entry) => entry.type !== 'emit'),
    asked,
    waits: end.type === 'park' ? end.waits : [],
    state: foldTo(implementation, { facts: all }, all.length),
  };
}

function answerTo(operation: Operation, answers: Answers): Outcome {
  const name = nameOf(operation);
  const answer = answers[name];
  if (answer === undefined && operation.verb === 'tell') return { type: 'ok', value: null };
  if (answer === undefined) return { type: 'denied', code: 'test.unanswered', message: `the test answers no ${name}` };
  return typeof answer === 'function' ? answer('input' in operation ? operation.input : null) : answer;
}

/** A tool that answers from a list, for models above all. `left` is what was not asked for: a test ends with none. */
export function scripted<I extends Schema, O extends Schema>(
  tool: Tool<I, O, 'pure' | 'idempotent' | 'unsafe'>,
  script: readonly (In<O> | ((input: Out<I>) => In<O>))[],
): { readonly provided: ProvidedTool; readonly left: () => number } {
  let next = 0;
  const provided = provide(tool, (input: Out<I>) => {
    const line = script[next++];
    if (line === undefined)
      throw new CodedError('test.script_over', `expected at most ${script.length} calls of ${tool.name}`);
    return typeof line === 'function' ? (line as (input: Out<I>) => In<O>)(input) : line;
  });
  return { provided, left: () => Math.max(0, script.length - next) };
}
