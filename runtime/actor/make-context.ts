/** The context object over a turn: each member is a few words that become an operation, a wait or an entry. */
import type { JsonValue } from '../codec/json.ts';
import { assert } from '../core/assert.ts';
import { CodedError } from '../core/errors.ts';
import type { Outcome } from '../kernel/outcome.ts';
import type { Caller, Context, SpawnOptions, UseOptions, Waited } from './context.ts';
import { type Contract, type ContractSpec, withinOf } from './contract.ts';
import { type Duration, toMillis } from './duration.ts';
import { NotOkError } from './not-ok.ts';
import { agentName, type Ref } from './ref.ts';
import { parseWith, type Schema } from './schema.ts';
import { isRestarts } from './supervision.ts';
import type { TurnRun } from './turn-run.ts';

/** How long a message that was told may be on its way before it becomes a dead letter. */
const RETRY_FOR: Duration = '10m';
const APPROVE_WITHIN: Duration = '48h';

export function makeContext(run: TurnRun, contract: Contract): Context<ContractSpec, unknown> {
  const { enter } = run;
  const self: Ref = { contract, agent: agentName(enter.agent) };
  const tools = contract.spec.uses ?? {};
  const useTool = (name: string, input: JsonValue, options?: UseOptions) =>
    run.operate({ verb: 'use', tool: name, input, under: options?.under ?? null });
  const use = members(
    tools,
    (_, { name }) =>
      (input: JsonValue, options?: UseOptions) =>
        useTool(name, input, options),
  );
  const must = members(
    tools,
    (_, { name }) =>
      (input: JsonValue, options?: UseOptions) =>
        observed(orThrow(name, useTool(name, input, options))),
  );
  const caller: Caller = {
    did: enter.caller.did,
    agent: enter.caller.agent === null ? undefined : agentName(enter.caller.agent),
    chain: enter.caller.chain.map(agentName),
  };
  const context = {
    use,
    must,
    ask: ({ contract: other, agent }: Ref) =>
      members(other.spec.messages, (message, spec) => (input: JsonValue, options?: { readonly within?: Duration }) => {
        const withinMs = options?.within === undefined ? withinOf(spec) : toMillis(options.within);
        // In the order of their names: what is sorted is written natively.
        return run.operate({ agent, contract: other.name, input, message, verb: 'ask', withinMs });
      }),
    tell: ({ contract: other, agent }: Ref) =>
      members(other.spec.messages, (name) => (input: JsonValue, options?: { readonly retryFor?: Duration }) => {
        const retryForMs = toMillis(options?.retryFor ?? RETRY_FOR);
        const message = run.messageId();
        const to = { agent, contract: other.name };
        const told = run.operate({ verb: 'tell', ...to, message: name, input, retryForMs }).then((decided) => {
          if (decided.type !== 'ok') return decided;
          run.add({ type: 'tell', message, ...to, name, input, retryForMs });
          return { type: 'ok', value: { message } };
        });
        return run.keep(told);
      }),
    emit: (event: string, value: unknown) => run.emit(event, value),
    state: () => run.state,
    before: run.before,
    self,
    spawn: (other: Contract, agent: string, options: SpawnOptions = {}) =>
      run.operate({
        verb: 'spawn',
        agent: agentName(agent),
        contract: other.name,
        options: spawnData(options),
      }),
    stop: (agent?: string) => run.operate({ verb: 'stop', agent: agentName(agent ?? enter.agent) }),
    watch: (agent: string, message: string) => run.add({ type: 'watch', agent: agentName(agent), message }),
    after: (timer: string, delay: Duration, message: string, input: JsonValue) =>
      run.add({ type: 'arm', timer, delayMs: toMillis(delay), everyMs: null, message, input }),
    every: (timer: string, period: Duration, message: string, input: JsonValue) =>
      run.add({
        type: 'arm',
        timer,
        delayMs: toMillis(period),
        everyMs: Math.max(1, toMillis(period)),
        message,
        input,
      }),
    cancel: (timer: string) => run.add({ type: 'cancel', timer }),
    sleep: async (duration: Duration) => {
      await run.wait('sleep', { event: null, withinMs: toMillis(duration) });
    },
    wait: async (event: string, schema: Schema, options?: { readonly within?: Duration }) => {
      const withinMs = options?.within === undefined ? null : toMillis(options.within);
      return waited(event, schema, await run.wait(`wait ${event}`, { event, withinMs }));
    },
    approve: (alias: string, input: JsonValue, options?: { readonly within?: Duration }) => {
      const { name } = tools[alias] ?? { name: alias };
      return run.operate({ verb: 'approve', tool: name, input, withinMs: toMillis(options?.within ?? APPROVE_WITHIN) });
    },
    all: (work: readonly Promise<unknown>[]) => Promise.all(work),
    race: (work: readonly Promise<unknown>[]) => Promise.race(work),
    any: firstOk,
    now: () => run.now,
    random: (bound: number) => run.random(bound),
    id: () => run.nextId(),
    caller,
    signal: run.signal,
  };
  return context as unknown as Context<ContractSpec, unknown>; // built from names; the contract's types say which
}

/** How a spawn's options travel and are recorded. */
export function spawnData(options: SpawnOptions): JsonValue {
  const { restart = 'permanent', stopWithin = '5s', supervise = {}, grants = [] } = options;
  const { backoff, strategy, restarts } = supervise;
  assert(restarts === undefined || isRestarts(restarts), `expected restarts such as '5 in 30s', found ${restarts}`);
  return {
    restart,
    stop_within_ms: toMillis(stopWithin),
    supervise: {
      ...(strategy === undefined ? {} : { strategy }),
      ...(restarts === undefined ? {} : { restarts }),
      ...(backoff === undefined ? {} : { backoff: { min: toMillis(backoff.min), max: toMillis(backoff.max) } }),
    },
    ...(grants.length === 0 ? {} : { grants: grants as unknown as JsonValue }),
  };
}

function members<T>(named: { readonly [name: string]: T }, make: (name: string, value: T) => unknown) {
  return Object.fromEntries(Object.entries(named).map(([name, value]) => [name, make(name, value)]));
}

async function orThrow(what: string, work: Promise<Outcome>): Promise<JsonValue> {
  const outcome = await work;
  if (outcome.type === 'ok') return outcome.value;
  throw new NotOkError(what, outcome);
}

/** A rejection that nobody has awaited yet is no fault of the process: the author may still look at it. */
function observed<T>(work: Promise<T>): Promise<T> {
  work.catch(() => undefined);
  return work;
}

function waited(event: string, schema: Schema, outcome: Outcome): Waited<unknown> {
  if (outcome.type === 'timeout') return { type: 'timeout', withinMs: outcome.withinMs };
  const parsed = parseWith(schema, outcome.type === 'ok' ? outcome.value : undefined);
  if (parsed.ok) return { type: 'ok', value: parsed.value };
  throw new CodedError('event.invalid', `${event}: ${parsed.error.message}`);
}

async function firstOk(work: readonly Promise<Outcome<unknown>>[]): Promise<Outcome<unknown>> {
  const { promise, resolve } = Promise.withResolvers<Outcome<unknown>>();
  let open = work.length;
  if (open === 0) resolve({ type: 'failed', code: 'any.empty', message: 'expected something to wait for' });
  for (const one of work) {
    void one.then((outcome) => {
      open -= 1;
      if (outcome.type === 'ok' || open === 0) resolve(outcome);
    });
  }
  return promise;
}
