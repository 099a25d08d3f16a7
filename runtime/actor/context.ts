/**
 * What an agent's code sees while it takes a turn. Everything outside goes through here, and so through the kernel; what
 * crosses to the node is data. `now`, `random`, `id`, `caller` and `state` arrive with the turn and answer at once.
 */
import type { Did } from '../codec/did.ts';
import type { EventId } from '../codec/record.ts';
import type { Millis } from '../core/brand.ts';
import type { NotOk, Outcome } from '../kernel/outcome.ts';
import type { Contract, ContractSpec } from './contract.ts';
import type { Grant } from './delegate-tool.ts';
import type { Duration } from './duration.ts';
import type { AgentName, Ref } from './ref.ts';
import type { In, Out, Schema } from './schema.ts';
import type { ChildKind, Supervise } from './supervision.ts';

/** Who sent the message: verified, never claimed. */
export type Caller = {
  readonly did: Did;
  /** `undefined` for whoever is no agent of this node: an operator, a test. */
  readonly agent: AgentName | undefined;
  /** The agents that wait for this answer, outermost first. */
  readonly chain: readonly AgentName[];
};

/** The value, or an answer that is not ok: one that the agent got and hands on, or its own `refuse(…)`. */
// biome-ignore lint/suspicious/noConfusingVoidType: a handler without an answer may return nothing at all.
export type Reply<M> = (M extends { readonly out: infer O extends Schema } ? In<O> : void) | NotOk;

type MessageNames<S extends ContractSpec> = keyof S['messages'] & string;
type Uses<S extends ContractSpec> = S extends { readonly uses: infer U } ? U : Record<never, never>;
type Events<S extends ContractSpec> = S extends { readonly events: infer E } ? E : Record<never, never>;
type Answer<M> = M extends { readonly out: infer O extends Schema } ? Out<O> : null;

export type UseOptions = {
  /** The approval that the act stands under, as `ctx.approve` gave it. */
  readonly under?: EventId;
};

export type Used<T> = T extends { readonly in: infer I; readonly out: infer O }
  ? (input: In<I>, options?: UseOptions) => Promise<Outcome<Out<O>>>
  : never;
export type MustUse<T> = T extends { readonly in: infer I; readonly out: infer O }
  ? (input: In<I>, options?: UseOptions) => Promise<Out<O>>
  : never;

export type AskOptions = { readonly within?: Duration };
export type Asks<S extends ContractSpec> = {
  readonly [M in MessageNames<S>]: (
    input: In<S['messages'][M]['in']>,
    options?: AskOptions,
  ) => Promise<Outcome<Answer<S['messages'][M]>>>;
};

export type TellOptions = { readonly retryFor?: Duration };
export type Tells<S extends ContractSpec> = {
  readonly [M in MessageNames<S>]: (
    input: In<S['messages'][M]['in']>,
    options?: TellOptions,
  ) => Promise<Outcome<{ readonly message: EventId }>>;
};

export type SpawnOptions = {
  /** What its end means: `permanent` always restarted, `transient` after a failure, `temporary` never. Default `permanent`. */
  readonly restart?: ChildKind;
  /** How long a turn may go on once it is to stop. Default 5 s. */
  readonly stopWithin?: Duration;
  /** What follows when children of its own end. */
  readonly supervise?: Supervise;
  /** Parts of what its parent may do, for the child; it has them before it is started, or is not started. Of no meaning on a
   *  node where nobody is asked for delegations. */
  readonly grants?: readonly Grant[];
};

/** The end of an agent that is watched. */
export type Terminated = {
  readonly agent: string;
  /** Which life of it: an agent that was started again is another instance. */
  readonly instance: number;
  readonly why: 'stopped' | 'failed' | 'given_up' | 'unknown';
};

/** What a wait ends in. */
export type Waited<T> =
  | { readonly type: 'ok'; readonly value: T }
  | { readonly type: 'timeout'; readonly withinMs: number };

export interface Context<S extends ContractSpec, State> {
  /** One function per tool of the contract. A denial is a value. */
  readonly use: { readonly [T in keyof Uses<S> & string]: Used<Uses<S>[T]> };
  /** The same, throwing a `NotOkError` for what is not ok: the turn fails, and is tried again. */
  readonly must: { readonly [T in keyof Uses<S> & string]: MustUse<Uses<S>[T]> };
  /** Asks another agent, for an answer within a time that never outlives the caller's own. */
  ask<T extends ContractSpec>(ref: Ref<T>): Asks<T>;
  /** Leaves a message with this turn's commit: accepted durably by the other side, or a dead letter. */
  tell<T extends ContractSpec>(ref: Ref<T>): Tells<T>;

  /** Records a fact about this agent, and evolves its state at once. */
  emit<E extends keyof Events<S> & string>(event: E, data: In<Events<S>[E]>): void;
  /** The state now, with what this turn has emitted. */
  state(): State;
  /** The state when the turn began. */
  readonly before: State;

  readonly self: Ref<S>;
  /** The agent of that name under this contract, started as a child of this one unless it is there already. */
  spawn<T extends ContractSpec>(contract: Contract<T>, agent: string, options?: SpawnOptions): Promise<Outcome<null>>;
  /** Stops a child, or, without a name, this agent once the turn is over. */
  stop(agent?: string): Promise<Outcome<null>>;
  /** Has `message` sent to this agent when the other one ends; at once, when there is none. */
  watch(agent: string, message: MessagesTaking<S, Terminated>): void;

  /** Sends `message` to this agent after a while, also after a crash. The same id replaces what was armed before. */
  after<M extends MessageNames<S>>(id: string, delay: Duration, message: M, input: In<S['messages'][M]['in']>): void;
  /** The same, again and again; late firings are not made up for. */
  every<M extends MessageNames<S>>(id: string, period: Duration, message: M, input: In<S['messages'][M]['in']>): void;
  cancel(id: string): void;

  /** Waits, for years if need be: the turn parks, its memory is freed, the mailbox goes on. */
  sleep(duration: Duration): Promise<void>;
  /** Waits for an event from outside that is named so and meant for this agent. */
  wait<T extends Schema>(event: string, schema: T, options?: { readonly within?: Duration }): Promise<Waited<Out<T>>>;
  /** Waits for a human's yes to exactly this use of a tool. */
  approve<T extends keyof Uses<S> & string>(
    tool: T,
    input: Uses<S>[T] extends { readonly in: infer I } ? In<I> : never,
    options?: { readonly within?: Duration },
  ): Promise<Outcome<{ readonly approval: EventId }>>;

  /** As those of Promise; answers come in the order in which they were recorded, so the same one wins again. */
  all<T extends readonly unknown[]>(work: readonly [...{ [K in keyof T]: Promise<T[K]> }]): Promise<T>;
  race<T>(work: readonly Promise<T>[]): Promise<T>;
  /** The first that is ok, or the last that is not. */
  any<T>(work: readonly Promise<Outcome<T>>[]): Promise<Outcome<T>>;

  /** When this turn began, or went on after its last wait. */
  now(): Millis;
  /** A uniform integer in `0 ≤ n < bound`, the same at every re-entry. */
  random(bound: number): number;
  /** A fresh id, the same at every re-entry. */
  id(): EventId;
  readonly caller: Caller;
  /** Aborts when the turn must end: its deadline has passed, the agent is stopped. */
  readonly signal: AbortSignal;
}

/** The messages whose input can be a `T`. */
type MessagesTaking<S extends ContractSpec, T> = {
  [M in MessageNames<S>]: T extends In<S['messages'][M]['in']> ? M : never;
}[MessageNames<S>];

/** What an author's function is given in place of the generic context, for helpers: `AgentContext<typeof Quote, State>`. */
export type ContextOf<C extends Contract, State> = C extends Contract<infer S> ? Context<S, State> : never;

export type EventNames<S extends ContractSpec> = keyof Events<S> & string;
export type EventData<S extends ContractSpec, E extends EventNames<S>> = Out<Events<S>[E]>;
export type MessageInput<S extends ContractSpec, M extends MessageNames<S>> = Out<S['messages'][M]['in']>;
export type { MessageNames };
