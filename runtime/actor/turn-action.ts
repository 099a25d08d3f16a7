/** What a turn asks of the kernel, as the kernel's actions. Pure. */
import type { Did } from '../codec/did.ts';
import type { JsonValue } from '../codec/json.ts';
import { type Cause, type EventId, parseEventId, parseStreamId, type StreamId } from '../codec/record.ts';
import { assert } from '../core/assert.ts';
import { CodedError } from '../core/errors.ts';
import { unwrap } from '../core/result.ts';
import type { Action } from '../kernel/action.ts';
import { eventIdOf } from '../kernel/event-id.ts';
import type { NotOk } from '../kernel/outcome.ts';
import { streamOf } from './agent-stream.ts';
import type { Sent } from './agent-view.ts';
import type { Call } from './call-chain.ts';
import { type Contract, riskOfMessage } from './contract.ts';
import type { DeadLetter } from './dead-letters.ts';
import type { NodeParts } from './node-parts.ts';
import { nameOf, type Operation } from './protocol.ts';
import type { Pay } from './remote.ts';
import type { RunningTurn } from './running-turn.ts';
import type { Tool } from './tool.ts';
import { digestOf } from './turn-run.ts';

/** What an action needs to know beside the turn. */
export type ActionFacts = {
  readonly now: number;
  readonly actor: Did;
  readonly cause: Cause;
  readonly toolOf: (name: string) => Tool | undefined;
  /** The contract of this name, if this node knows it: a node that does not leaves the judgement to the receiver's. */
  readonly contractOf: (name: string) => Contract | undefined;
};

/** Who says something, and what the contract of whoever it is for is. */
type Sending = { readonly contract: Contract | undefined; readonly sender: string };

/** Starting an agent is two records; stopping one waits for its turn and its children's. */
const SPAWN_MS = 10_000;
const STOP_MS = 60_000;

/** The action of a turn's operation. Its note says which operation of which turn it is, so that a fold finds it again, and
 *  what the turn was told before it that no event of its own records.
 *  @throws `approval.unavailable`: an approval is waited for, not performed */
export function actionOf(turn: RunningTurn, ordinal: number, operation: Operation, facts: ActionFacts): Action {
  const { accepted, agent, id, at, call } = turn;
  const place = { digest: digestOf(operation), name: nameOf(operation), ordinal };
  // In the order of their names: what is sorted is written natively.
  const note = (call?: JsonValue) => ({
    at,
    ...(call === undefined ? {} : { call }),
    ...place,
    ...(turn.told.length === 0 ? {} : { told: turn.told as unknown as JsonValue }),
    turn: id,
  });
  const base = {
    key: `${id}/${ordinal}`,
    agent,
    actor: facts.actor,
    stream: streamOf(agent),
    correlation: accepted.correlation ?? unwrap(parseEventId(id), 'a message id'),
    cause: facts.cause,
    note: () => note(),
  };
  const tame = { effect: 'idempotent', risk: 1 } as const;
  switch (operation.verb) {
    case 'use': {
      const { tool: target, input } = operation;
      const { effect = 'unsafe', risk = 4, scope, withinMs = 1 } = facts.toolOf(target) ?? {};
      const under = operation.under === null ? {} : { under: unwrap(parseEventId(operation.under), 'an approval') };
      const scoped = scope === undefined ? {} : { scope };
      return { ...base, ...scoped, ...under, verb: 'use', target, effect, risk, input, withinMs };
    }
    case 'ask': {
      const leftMs = (call?.deadline ?? Number.POSITIVE_INFINITY) - facts.now;
      const withinMs = Math.max(1, Math.min(operation.withinMs, leftMs));
      const nested = { chain: [...(call?.chain ?? []), agent], deadline: facts.now + withinMs };
      const { input } = operation;
      return {
        ...base,
        ...judgedBy(facts.contractOf(operation.contract), operation.message),
        note: () => note(nested),
        verb: 'ask',
        target: targetOf(operation),
        input,
        withinMs,
      };
    }
    case 'tell':
      return {
        ...base,
        ...judgedBy(facts.contractOf(operation.contract), operation.message),
        verb: 'tell',
        target: targetOf(operation),
        input: operation.input,
        withinMs: 1,
      };
    case 'spawn': {
      const target = `${operation.contract}@${operation.agent}`;
      return { ...base, ...tame, verb: 'spawn', target, input: operation.options, withinMs: SPAWN_MS };
    }
    case 'stop':
      return { ...base, ...tame, verb: 'stop', target: operation.agent, input: null, withinMs: STOP_MS };
    case 'approve':
      throw new CodedError('approval.unavailable', 'expected an operation that is performed');
  }
}

/** An agent's answer, as what leaves it: what the gates look at before anybody sees it. */
export function replyActionOf({ accepted, agent, id }: RunningTurn, { actor, cause }: ActionFacts): Action {
  return {
    ...{ key: `${id}/reply`, agent, actor, stream: streamOf(agent), cause },
    ...{ verb: 'tell', effect: 'idempotent', risk: 0, withinMs: 1 },
    target: accepted.name,
    input: null,
  };
}

/** A message from elsewhere, as what its sender does here: decided by this node's gates, as one of its own agents' would be. */
export function arrivalActionOf(
  arriving: {
    readonly id: EventId;
    readonly kind: 'ask' | 'tell';
    readonly name: string;
    readonly body: JsonValue;
    readonly from: string;
    readonly did: Did;
    readonly correlation: EventId;
    readonly cause?: Cause;
  },
  { contract, to }: { readonly contract: Contract | undefined; readonly to: string },
): Action {
  const { id, kind: verb, name, body: input, from: agent, did: actor, correlation, cause } = arriving;
  return {
    ...{ key: `${id}/arrival`, agent, actor, verb, input, correlation },
    stream: senderStreamOf(agent),
    target: `${contract?.name ?? 'unknown'}.${name}@${to}`,
    isArrival: true,
    ...judgedBy(contract, name),
    withinMs: 1,
    ...(cause === undefined ? {} : { cause }),
  };
}

/** Where this node records what an agent of another one may not do here. */
function senderStreamOf(agent: string): StreamId {
  return unwrap(parseStreamId(`sender/${agent}`), 'an agent name makes a stream');
}

/** Putting a dead letter back: its sender's tell, once more, from wherever it came. */
export function retryActionOf(
  letter: DeadLetter,
  { contract, sender, actor, cause }: Pick<ActionFacts, 'actor' | 'cause'> & Sending,
): Action {
  const { message, agent, did, name, body: input, correlation } = letter;
  return {
    key: `${message}/retry`,
    agent: sender,
    ...(did === null
      ? { actor, stream: streamOf(sender) }
      : { actor: did, stream: senderStreamOf(sender), isArrival: true }),
    verb: 'tell',
    target: `${contract?.name ?? 'unknown'}.${name}@${agent}`,
    ...judgedBy(contract, name),
    input,
    withinMs: 1,
    correlation,
    cause,
  };
}

/** A tell on its way, as what its sender does: as it was when it was decided. */
export function sentActionOf(
  sent: Sent,
  { contract, sender, actor, cause }: Pick<ActionFacts, 'actor' | 'cause'> & Sending,
): Action {
  const { message, turn, to, name, body: input } = sent;
  return {
    key: message,
    agent: sender,
    actor,
    stream: streamOf(sender),
    verb: 'tell',
    target: `${sent.contract}.${name}@${to}`,
    ...judgedBy(contract, name),
    input,
    withinMs: 1,
    correlation: unwrap(parseEventId(turn), 'a turn id'),
    cause,
  };
}

/** What an acceptance on this node asks before it is recorded, where its sender acts under a chain. */
export function payingFor(
  { pay }: Pick<NodeParts, 'pay'>,
  action: Action,
  delegations: readonly string[] = [],
): { readonly pay?: Pay } {
  return pay === undefined || delegations.length === 0 ? {} : { pay: () => pay(action, delegations) };
}

/** What a message's contract says of sending it. */
function judgedBy(contract: Contract | undefined, name: string): Pick<Action, 'effect' | 'risk' | 'needs'> {
  if (contract === undefined) return { effect: 'idempotent', risk: 0 };
  const { trust, ring } = contract.spec.needs ?? {};
  const needs = { ...(trust === undefined ? {} : { trust }), ...(ring === undefined ? {} : { ring }) };
  return { effect: 'idempotent', risk: riskOfMessage(contract, name), needs };
}

function targetOf(operation: Operation & { readonly verb: 'ask' | 'tell' }): string {
  return `${operation.contract}.${operation.message}@${operation.agent}`;
}

/** What `targetOf` put together. */
export function splitTarget(target: string): {
  readonly contract: string;
  readonly name: string;
  readonly agent: string;
} {
  const [dot, at] = [target.indexOf('.'), target.indexOf('@')];
  return { contract: target.slice(0, dot), name: target.slice(dot + 1, at), agent: target.slice(at + 1) };
}

/** The id of the message that a turn's operation sends: the same however often it is attempted. */
export function messageIdOf(action: Action): EventId {
  const { turn, ordinal } = noteOf(action);
  return eventIdOf(turn, 'message', ordinal);
}

/** Which operation it is, by its content. */
export function digestIn({ note }: Action): JsonValue | undefined {
  return note?.()['digest'];
}

/** The gates decided by the contract that the sender named: whoever answers another one gets nothing. */
export function otherContract(
  named: string,
  receiver: { readonly contract: string } | undefined,
): (NotOk & { readonly type: 'invalid' }) | undefined {
  if (receiver === undefined || receiver.contract === named) return undefined;
  const message = `expected an agent of ${receiver.contract} to be addressed as one, found ${named}`;
  return { type: 'invalid', code: 'message.other_contract', message };
}

/** The call that an ask makes: who waits, and until when. */
export function callOf(action: Action): Call {
  return noteOf(action).call;
}

/** What `actionOf` noted. */
function noteOf({ note }: Action) {
  assert(note !== undefined, 'noteOf: an action of a turn');
  return note() as unknown as { readonly turn: string; readonly ordinal: number; readonly call: Call };
}
