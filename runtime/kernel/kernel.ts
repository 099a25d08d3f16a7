/**
 * The one way out: intent → decision → attempt → outcome.
 *
 * K1. Nothing is attempted before its `action.decided` is on disk.
 * K2. Nothing is attempted unless every gate allowed it and its permit was spent, and stands by the clock, in the tick that
 *     started it.
 * K3. An attempt ends in exactly one `action.settled`, or is in doubt: decided, not settled. `resolve` ends a doubt by the
 *     effect's class and never repeats an `unsafe` effect, nor a `reconcile` one that the world does not deny. Its author
 *     hears of the outcome when that has its place in the log: what he does because of it comes to the disk later (K1).
 * K4. A refusal is a value. `perform` rejects only when the log does, or when its signal ends the wait: the action is then
 *     in doubt.
 * K5. What a tool returned is seen by its author, and by the log, only as the gates let it (`review.ts`). What is withheld was
 *     done all the same: its status stays.
 * K6. What limits an act is taken in the tick that decides it.
 *
 * The kernel does not know agents, turns or tools' schemas. It keeps no state that a fold of the log could not rebuild,
 * but the windows of the refusal meter.
 */

import { type Digest, sha256 } from '../codec/digest.ts';
import type { JsonValue } from '../codec/json.ts';
import { type Cause, digestText, type RecordedDecision } from '../codec/record.ts';
import { assert } from '../core/assert.ts';
import { utf8 } from '../core/bytes.ts';
import type { Clock } from '../core/clock.ts';
import type { Random } from '../core/random.ts';
import type { EventLog, NewEvent, Recorded } from '../log/event-log.ts';
import { eventType } from '../log/vocabulary.ts';
import { type Action, actionDigest } from './action.ts';
import { ABANDONED, ACTION_EVENTS, type ActionDecided, type ActionSettled, type Judged } from './action-events.ts';
import { asData } from './as-data.ts';
import { Attempts, type Executor } from './attempt.ts';
import { newEventId } from './event-id.ts';
import {
  type Basis,
  type Decision,
  decide,
  type Ending,
  type Epochs,
  type GateRequest,
  type Gates,
  NO_EPOCHS,
  recheck,
  shownOf,
} from './gate.ts';
import { redact, redactionsOf } from './obligation.ts';
import { type NotOk, type Outcome, statusOf } from './outcome.ts';
import { Permit } from './permit.ts';
import { RefusalMeter } from './refusal-meter.ts';
import { type Review, review } from './review.ts';

export type { Attempt, Executor } from './attempt.ts';

export type KernelParts = {
  readonly log: EventLog;
  readonly clock: Clock;
  readonly random: Random;
  readonly gates: Gates;
  /** Who can do it; nobody is a denial: `tool.unknown`. */
  readonly executorOf: (action: Action) => Executor | undefined;
  readonly epochs?: () => Epochs;
};

/** The verdict on an act that is its own record, and what that record says of it. */
export type Verdict = {
  readonly decision: Decision;
  readonly recorded: RecordedDecision;
  readonly judged: Judged;
};

const REFUSALS_FLUSH_MS = 1_000;

type ActionEvent = Pick<NewEvent, 'decision' | 'replay'> & {
  readonly payload: object;
  readonly cause?: Cause | undefined;
};

export class Kernel implements AsyncDisposable {
  readonly #parts: KernelParts;
  readonly #meter = new RefusalMeter();
  readonly #attempts: Attempts;
  readonly #origin: Cause['origin'];
  #refusalTimer: Disposable | undefined;
  #refusalWrite: Promise<unknown> = Promise.resolve();
  readonly #counted = new Map<string, Action>();

  constructor(parts: KernelParts) {
    this.#parts = parts;
    this.#attempts = new Attempts(parts.clock, parts.executorOf);
    this.#origin = digestText(sha256(utf8(parts.log.origin)));
  }

  /** The verdict alone, for an act that is its own record (a message sent, a timer armed): put it into that record, and
   *  append in this very tick. Takes nothing of any limit; `admit` does. */
  decide(action: Action): Verdict {
    return this.#verdict(this.#request(action));
  }

  /** The same, and if it is allowed takes its place in the rates, as `perform` does, in this tick (K6). Once for each act. */
  admit(action: Action): Verdict {
    const request = this.#request(action);
    const verdict = this.#verdict(request);
    if (verdict.decision.verdict === 'allow') this.#hold(request)[Symbol.dispose](); // it is over as soon as it is recorded
    return verdict;
  }

  /** Whether what was admitted then stands under the authority of now: nothing was withdrawn, and no other policy rules. */
  stands({ policy, epochs }: RecordedDecision): boolean {
    const now = this.#parts.epochs?.() ?? NO_EPOCHS;
    const isSame = epochs !== undefined && canonicalEpochs(epochs) === canonicalEpochs(now);
    return isSame && policy === this.#parts.gates.policy?.policy;
  }

  /** What may be seen of an agent's reply. Whoever sends it sends what is shown, or says that it was withheld. */
  review(action: Action, reply: JsonValue): Review {
    return review(this.#parts.gates, this.#request(action), { point: 'output', value: reply });
  }

  /** Decides, records, attempts, records. */
  async perform(action: Action, signal: AbortSignal): Promise<Outcome> {
    return this.#perform(action, 1, signal);
  }

  /** Ends a doubt about an action whose last `action.decided` was attempt number `attempt` (K3). */
  async resolve(action: Action, attempt: number, signal: AbortSignal): Promise<Outcome> {
    switch (action.effect) {
      case 'pure':
      case 'idempotent':
        return this.#perform(action, attempt + 1, signal);
      case 'reconcile': {
        const shown = shownOf(this.#parts.gates, this.#request(action));
        const found = await this.#attempts.probe(action, shown, signal);
        if (found === 'absent') return this.#perform(action, attempt + 1, signal);
        return this.#settle(action, found, action.cause);
      }
      case 'unsafe':
        return this.#settle(
          action,
          { type: 'unknown', message: `${action.target} may or may not have happened` },
          action.cause,
        );
    }
  }

  /** Writes what was counted and not yet recorded. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#refusalTimer?.[Symbol.dispose]();
    this.#writeRefusals();
    await this.#refusalWrite;
  }

  async #perform(action: Action, attempt: number, signal: AbortSignal): Promise<Outcome> {
    signal.throwIfAborted();
    const request = this.#request(action);
    const decision = this.#decide(action, request);
    if (decision.verdict !== 'allow') return this.#refuse(action, attempt, request, decision);
    const permit = new Permit(this.#bond(request));
    using _held = this.#hold(request);
    const input = redact(action.input, decision.obligations);
    assert(input !== undefined, 'an allowed input has every place that is to be redacted');
    const decided = await this.#append(action, ACTION_EVENTS.decided, {
      payload: { ...this.#decided(request, attempt, null), input, ...owedOf(decision) },
      decision: this.#recorded(decision, request),
      replay: 'intent',
      cause: action.cause,
    });
    signal.throwIfAborted();
    const now = this.#request(action);
    const worthless = permit.spend(this.#bond(now)) ?? recheck(this.#parts.gates, now); // K2: from here to the executor's first line there is no await
    if (worthless !== undefined) return this.#abandon(action, worthless.code, this.#causeOf(decided));
    const outcome = await this.#attempts.attempt(action, { input, delegations: decision.delegations }, signal);
    return this.#settle(action, outcome, this.#causeOf(decided), request.digest);
  }

  #settle(action: Action, outcome: Outcome, cause: Cause | undefined, digest = actionDigest(action)): Outcome {
    const came = asData(action, outcome);
    const { told, ...seen } = this.#see(action, came, digest);
    const note = action.note?.() ?? {};
    const { key } = action;
    const payload: ActionSettled = { key, note, outcome: told, status: statusOf(came), ...seen };
    const settled = this.#enqueue(action, ACTION_EVENTS.settled, { payload, replay: 'outcome', cause });
    this.#tell(this.#request(action, digest), { type: 'settled', status: payload.status });
    return { ...told, event: settled.id };
  }

  /** What the author and the record may see of what came back (K5). */
  #see(
    action: Action,
    came: Outcome,
    digest: Digest,
  ): { readonly told: Outcome } & Pick<ActionSettled, 'withheld' | 'redacted'> {
    if (action.verb !== 'use' || came.type !== 'ok') return { told: came };
    const seen = review(this.#parts.gates, this.#request(action, digest), { point: 'post_tool', value: came.value });
    if (seen.type === 'withheld') {
      return { told: { type: 'denied', code: seen.code, message: seen.message }, withheld: seen.withheld };
    }
    if (seen.redacted.length === 0) return { told: came };
    return { told: { ...came, value: seen.value }, redacted: seen.redacted };
  }

  async #abandon(action: Action, code: string, cause: Cause): Promise<NotOk> {
    const payload = { key: action.key, code, note: action.note?.() ?? {} };
    const { id } = await this.#append(action, ACTION_EVENTS.abandoned, { payload, replay: 'outcome', cause });
    this.#tell(this.#request(action), { type: 'abandoned' });
    return { type: 'denied', code, message: ABANDONED, event: id };
  }

  async #refuse(action: Action, attempt: number, request: GateRequest, decision: Decision): Promise<NotOk> {
    const code = decision.verdict === 'escalate' ? 'approval.required' : decision.code;
    const refusal: NotOk =
      decision.retryAfterMs === undefined
        ? { type: 'denied', code, message: decision.message }
        : { type: 'busy', retryAfterMs: decision.retryAfterMs };
    const ending: Ending = {
      type: 'refused',
      verdict: decision.verdict === 'deny' ? 'deny' : 'escalate',
      gate: decision.gate,
      code,
    };
    if (!this.#meter.mustRecord(action, decision.gate, code, request.at)) {
      this.#counted.set(action.agent, action);
      this.#refusalTimer ??= this.#parts.clock.after(REFUSALS_FLUSH_MS, () => this.#writeRefusals());
      this.#tell(request, ending);
      return refusal;
    }
    const refused = { gate: decision.gate, outcome: refusal };
    const { id } = await this.#append(action, ACTION_EVENTS.decided, {
      payload: this.#decided(request, attempt, refused),
      decision: this.#recorded(decision, request),
      replay: 'intent',
      cause: action.cause,
    });
    this.#tell(request, ending);
    return { ...refusal, event: id };
  }

  #decide(action: Action, request: GateRequest): Decision {
    if (action.verb === 'use' && this.#parts.executorOf(action) === undefined) {
      const message = `expected a known tool, found ${action.target}`;
      return { verdict: 'deny', code: 'tool.unknown', message, gate: 'policy', obligations: [] };
    }
    const decision = decide(this.#parts.gates, request);
    const isRecordedAsIs = action.verb === 'tell' || action.isArrival === true;
    if (!isRecordedAsIs || redactionsOf(decision.obligations).length === 0) return decision;
    const message = 'expected a message that may be told as it is: whoever records it cannot redact it';
    return { verdict: 'deny', code: 'gate.obligation_unmet', message, gate: 'policy', obligations: [] };
  }

  /** The digest is made when somebody asks for it: an act that is its own record needs none. */
  #request(action: Action, digest?: Digest): GateRequest {
    const epochs = this.#parts.epochs?.() ?? NO_EPOCHS;
    let known = digest;
    return {
      action,
      at: this.#parts.clock.now(),
      epochs,
      get digest() {
        known ??= actionDigest(action);
        return known;
      },
    };
  }

  #bond({ action, digest, epochs }: GateRequest) {
    return { key: action.key, digest, policy: this.#parts.gates.policy?.policy, epochs };
  }

  #hold(request: GateRequest): Disposable {
    const stack = new DisposableStack();
    for (const gate of Object.values(this.#parts.gates)) {
      const held = gate?.hold?.(request);
      if (held !== undefined) stack.use(held);
    }
    return stack;
  }

  #tell(request: GateRequest, ending: Ending): void {
    for (const gate of Object.values(this.#parts.gates)) gate?.observe?.(request, ending);
  }

  #verdict(request: GateRequest): Verdict {
    const { action, at } = request;
    const decision = this.#decide(action, request);
    const basis = this.#basisOf(request);
    const judged = { at, owed: decision.obligations, ring: basis?.ring ?? null, risk: action.risk };
    return { decision, recorded: this.#recorded(decision, request, basis), judged };
  }

  #basisOf(request: GateRequest): Basis | undefined {
    return this.#parts.gates.policy?.basis?.(request);
  }

  #recorded(decision: Decision, request: GateRequest, basis = this.#basisOf(request)): RecordedDecision {
    const policy = this.#parts.gates.policy?.policy;
    return {
      verdict: decision.verdict,
      code: decision.code,
      ...(decision.rule === undefined ? {} : { rule: decision.rule }),
      ...(policy === undefined ? {} : { policy }),
      ...(basis === undefined ? {} : { trust: basis.trust }),
      ...(decision.delegations === undefined ? {} : { delegations: decision.delegations }),
      epochs: request.epochs,
    };
  }

  #decided(request: GateRequest, attempt: number, refused: ActionDecided['refused']): ActionDecided {
    const { action, at } = request;
    const { key, verb, target, effect, risk, input } = action;
    const digest = digestText(request.digest);
    const ring = this.#basisOf(request)?.ring ?? null;
    const note = action.note?.() ?? {};
    // In the order of their names: what is sorted is written natively.
    return {
      at,
      attempt,
      digest,
      effect,
      input,
      key,
      note,
      refused,
      ring,
      risk,
      scope: action.scope ?? null,
      target,
      verb,
    };
  }

  #writeRefusals(): void {
    this.#refusalTimer = undefined;
    for (const [agent, counts] of this.#meter.drain()) {
      const action = this.#counted.get(agent);
      if (action === undefined) continue;
      const written = this.#append(action, ACTION_EVENTS.refusedMany, {
        payload: { agent, counts },
        replay: 'outcome',
      });
      // A log that refuses this refuses everything after it: whoever appends next hears of it.
      this.#refusalWrite = Promise.allSettled([this.#refusalWrite, written]);
    }
    this.#counted.clear();
  }

  async #append(action: Action, type: string, event: ActionEvent): Promise<Recorded> {
    const recorded = this.#enqueue(action, type, event);
    await this.#parts.log.flushed();
    return recorded;
  }

  #enqueue(action: Action, type: string, event: ActionEvent): Recorded {
    const { payload, cause, ...rest } = event;
    const [recorded] = this.#parts.log.enqueue([
      {
        stream: action.stream,
        expected: 'any',
        events: [
          {
            id: newEventId(this.#parts.clock, this.#parts.random),
            type: eventType(type),
            actor: action.actor,
            ...(action.principal === undefined ? {} : { principal: action.principal }),
            ...(action.correlation === undefined ? {} : { correlation: action.correlation }),
            ...(cause === undefined ? {} : { cause }),
            ...rest,
            payload: { type: 'json', value: payload as JsonValue },
          },
        ],
      },
    ]);
    if (recorded === undefined) throw new Error('expected one recorded event, found none');
    return recorded;
  }

  #causeOf(recorded: Recorded): Cause {
    return { origin: this.#origin, index: recorded.index, leaf: digestText(recorded.leaf) };
  }
}

function owedOf({ obligations }: Decision): Pick<ActionDecided, 'owed'> {
  return obligations.length === 0 ? {} : { owed: obligations };
}

function canonicalEpochs({ trust, revocation, kill }: Epochs): string {
  return `${trust} ${revocation} ${kill}`;
}
