/** An implementation of a contract: the first state, how events change it, what is done about each message. */
import type { Context, EventData, EventNames, MessageInput, MessageNames, Reply } from './context.ts';
import type { Contract, ContractSpec } from './contract.ts';

export type Handlers<S extends ContractSpec, State> = {
  readonly [M in MessageNames<S>]: (
    input: MessageInput<S, M>,
    ctx: Context<S, State>,
  ) => Reply<S['messages'][M]> | Promise<Reply<S['messages'][M]>>;
};

/** Pure: no context, no clock, no chance. JSON data in, JSON data out; the state given is never changed. */
export type Evolve<S extends ContractSpec, State> = {
  readonly [E in EventNames<S>]: (state: State, data: EventData<S, E>) => State;
};

export type Body<S extends ContractSpec, State> = {
  readonly state: () => State;
  readonly evolve: Evolve<S, State>;
  readonly on: Handlers<S, State>;
};

/** The state is hidden: only the implementation's own functions know its type. */
export type Implementation<S extends ContractSpec = ContractSpec> = {
  readonly contract: Contract<S>;
  readonly state: () => unknown;
  readonly evolve: { readonly [event: string]: (state: unknown, data: unknown) => unknown };
  readonly on: { readonly [message: string]: (input: unknown, ctx: unknown) => unknown };
};

export function implement<S extends ContractSpec, State>(
  contract: Contract<S>,
  body: Body<S, State>,
): Implementation<S> {
  const { state, evolve, on } = body;
  return {
    contract,
    state,
    evolve: evolve as Implementation['evolve'],
    on: on as Implementation['on'],
  };
}
