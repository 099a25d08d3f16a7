/** What turns ask for, as actions of the kernel, and who performs them. */
import type { JsonValue } from '../codec/json.ts';
import type { Action } from '../kernel/action.ts';
import type { Attempt, Executor } from '../kernel/kernel.ts';
import type { Outcome } from '../kernel/outcome.ts';
import { nest } from './call-chain.ts';
import type { Grant } from './delegate-tool.ts';
import { arrivingOf, type SpawnData } from './live.ts';
import { nameOf, type Operation } from './protocol.ts';
import { type AgentName, agentName } from './ref.ts';
import type { RunningTurn } from './running-turn.ts';
import type { Said } from './segment-events.ts';
import type { Effects, Shell } from './shell.ts';
import type { ProvidedTool } from './tool.ts';
import {
  type ActionFacts,
  actionOf,
  callOf,
  digestIn,
  messageIdOf,
  otherContract,
  payingFor,
  replyActionOf,
  splitTarget,
} from './turn-action.ts';
import { digestOf } from './turn-run.ts';

export class NodeEffects implements Effects {
  readonly #shell: Shell;
  readonly #tools: ReadonlyMap<string, ProvidedTool>;

  constructor(shell: Shell) {
    this.#shell = shell;
    this.#tools = new Map((shell.parts.tools ?? []).map((provided) => [provided.tool.name, provided]));
  }

  begin(turn: RunningTurn, ordinal: number, operation: Operation): void {
    const { background, pool } = this.#shell;
    const answered = this.#operate(turn, ordinal, operation).then(
      (outcome) => {
        if (outcome.event === undefined)
          turn.tell({ ordinal, name: nameOf(operation), digest: digestOf(operation), outcome });
        turn.heard(nameOf(operation), outcome);
        pool.settle(turn, { type: 'settle', turn: turn.id, ordinal, outcome });
      },
      (error: unknown) => {
        if (!turn.signal.aborted) background.fault(error);
      },
    );
    turn.track(answered);
  }

  /** What the gates said when it was said stands until authority changes, for what they said it to. A turn that was entered
   *  again, or that says something else now, asks anew. */
  decide(turn: RunningTurn, message: string, operation: Operation): Said {
    const { kernel } = this.#shell;
    const action = this.#action(turn, 0, operation);
    const before = turn.admitted.get(message);
    if (before === undefined || before.digest !== digestIn(action)) return kernel.admit(action);
    return kernel.stands(before.recorded) ? before : kernel.decide(action);
  }

  review(turn: RunningTurn, reply: Outcome): Outcome {
    if (reply.type !== 'ok' || turn.accepted.kind !== 'ask') return reply;
    const seen = this.#shell.kernel.review(replyActionOf(turn, this.#factsOf(turn)), reply.value);
    if (seen.type === 'shown') return { ...reply, value: seen.value };
    const { code, message, withheld } = seen;
    const denied = { type: 'denied', code, message, withheld } as const;
    return denied;
  }

  executorOf(action: Action): Executor | undefined {
    const { lives } = this.#shell;
    switch (action.verb) {
      case 'use':
        return this.#tools.get(action.target)?.executor;
      case 'ask':
        return { run: (input, attempt) => this.#ask(action, input, attempt) };
      case 'spawn': {
        const at = action.target.indexOf('@');
        const [contract, agent] = [action.target.slice(0, at), agentName(action.target.slice(at + 1))];
        return { run: (input) => this.#spawn(action.agent, agent, contract, input) };
      }
      case 'stop':
        return { run: () => lives.performStop(action.agent, action.target) };
      case 'tell':
        return undefined;
    }
  }

  async #operate(turn: RunningTurn, ordinal: number, operation: Operation): Promise<Outcome> {
    const { kernel, parts } = this.#shell;
    if (operation.verb === 'approve') {
      return { type: 'denied', code: 'approval.unavailable', message: 'expected somebody to ask, found nobody yet' };
    }
    const action = this.#action(turn, ordinal, operation);
    if (operation.verb === 'tell') {
      const { decision, ...said } = kernel.admit(action);
      if (decision.verdict === 'allow') {
        turn.admitted.set(messageIdOf(action), { digest: digestIn(action), ...said });
        return { type: 'ok', value: null };
      }
    }
    if (operation.verb === 'ask') {
      const time = { at: parts.clock.now(), withinMs: operation.withinMs };
      const call = nest(turn.call, turn.agent, operation.agent, time);
      if (!call.ok) return { type: 'denied', ...call.error };
    }
    const told = turn.toldSoFar;
    const doubt = turn.doubts.get(ordinal);
    const outcome =
      doubt === undefined
        ? await kernel.perform(action, turn.signal)
        : await kernel.resolve(action, doubt, turn.signal);
    if (outcome.event === undefined) return outcome;
    turn.recorded(told);
    this.#shell.background.track(this.#shell.records.flushed()); // N8: nobody else may be waiting for it
    return outcome;
  }

  #action(turn: RunningTurn, ordinal: number, operation: Operation): Action {
    return actionOf(turn, ordinal, operation, this.#factsOf(turn));
  }

  #factsOf(turn: RunningTurn): ActionFacts {
    const { parts, records } = this.#shell;
    turn.cause ??= records.causeOf(turn.accepted.index);
    return {
      now: parts.clock.now(),
      actor: records.didOf(turn.agent),
      cause: turn.cause,
      toolOf: (name) => this.#tools.get(name)?.tool,
      contractOf: (name) => this.#shell.contracts.get(name),
    };
  }

  /** What a child is given comes before it does: whoever cannot have it is not started. */
  async #spawn(parent: string, agent: AgentName, contract: string, input: JsonValue): Promise<Outcome> {
    const { lives, parts } = this.#shell;
    const { grants = [], ...options } = input as unknown as SpawnData & { readonly grants?: readonly Grant[] };
    if (parts.endow !== undefined) {
      for (const grant of grants) {
        const given = await parts.endow(parent, agent, grant);
        if (given.type !== 'ok') return given;
      }
    }
    return lives.spawn(parent, agent, contract, options);
  }

  async #ask(action: Action, input: JsonValue, { signal, delegations }: Attempt): Promise<Outcome> {
    const { inbox, parts, roster } = this.#shell;
    const { contract, name, agent: to } = splitTarget(action.target);
    const message = messageIdOf(action);
    const { chain, deadline } = callOf(action);
    const { correlation = message, cause } = action;
    const because = cause === undefined ? {} : { cause };
    const other = otherContract(contract, roster.get(to) ?? parts.remote?.find(to));
    if (other !== undefined) return other;
    if (roster.get(to) === undefined && parts.remote?.find(to) !== undefined) {
      const from = { agent: action.agent, did: action.actor };
      const outgoing = {
        message,
        kind: 'ask',
        from,
        to,
        contract,
        name,
        body: input,
        chain,
        deadline,
        correlation,
      } as const;
      const under = delegations === undefined ? {} : { delegations };
      return parts.remote.ask({ ...outgoing, ...because, ...under }, signal);
    }
    const arriving = arrivingOf(message, 'ask', name, input);
    const pays = payingFor(parts, action, delegations);
    return inbox.request(to, { ...arriving, from: action.agent, chain, deadline, correlation, ...because, ...pays });
  }
}
