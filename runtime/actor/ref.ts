/** The address of an agent, with what it answers: `refTo(Quote, 'quote/emea')`. Nobody needs to be there yet. */
import { assert } from '../core/assert.ts';
import type { Brand } from '../core/brand.ts';
import type { Contract, ContractSpec } from './contract.ts';

/** Names below this are of those who are no agents here, the operator and strangers; policies know them so. */
export const GUESTS = 'guest/';

/** 1 to 100 characters of `a-z 0-9 - . _ /`: agents are often named like paths. */
export type AgentName = Brand<string, 'AgentName'>;

export type Ref<S extends ContractSpec = ContractSpec> = {
  readonly contract: Contract<S>;
  readonly agent: AgentName;
};

/** @throws {AssertionError} `assert.failed`: not a name */
export function refTo<S extends ContractSpec>(contract: Contract<S>, agent: string): Ref<S> {
  return { contract, agent: agentName(agent) };
}

/** @throws {AssertionError} `assert.failed`: not a name */
export function agentName(text: string): AgentName {
  assert(isAgentName(text), `expected an agent's name of a-z 0-9 - . _ /, found ${JSON.stringify(text)}`);
  return text;
}

export function isAgentName(text: string): text is AgentName {
  return /^(?=.{1,100}$)[a-z0-9][a-z0-9._/-]*$/.test(text);
}
