/**
 * One turn in its host: the author's handler, what it has begun, and what it has been told.
 *
 * A1. The handler runs alone. Answers reach it one at a time, each after everything that the one before set in motion.
 * A2. A turn leaves as one message: `done`, `park`, `failed` or `diverged`. Afterwards nothing of it is heard again.
 * A3. It parks when all that it waits for are waits: nothing is in flight and nothing recorded is left to tell.
 * A4. What it emits shows in its state at once, and nowhere else before the node has committed it.
 */
import { sha256 } from '../codec/digest.ts';
import { canonicalJson, type JsonValue } from '../codec/json.ts';
import { digestText, type EventId } from '../codec/record.ts';
import type { Millis } from '../core/brand.ts';
import { utf8 } from '../core/bytes.ts';
import { CodedError, hasCode, messageOf } from '../core/errors.ts';
import { PAYLOAD_DEPTH_MAX } from '../core/limits.ts';
import type { Random } from '../core/random.ts';
import { type Refusal, type Result, unwrap } from '../core/result.ts';
import { seededRandom } from '../core/simulation.ts';
import { eventIdOf } from '../kernel/event-id.ts';
import type { Outcome } from '../kernel/outcome.ts';
import { isCarriable, SAID_BYTES_MAX } from './carriable.ts';
import type { Context } from './context.ts';
import type { ContractSpec } from './contract.ts';
import type { Implementation } from './implement.ts';
import { isNotOk, markNotOk } from './not-ok.ts';
import {
  type Emitted,
  type Entry,
  type FromHost,
  type History,
  nameOf,
  type Operation,
  type Segment,
  type ToHost,
  type Wait,
} from './protocol.ts';
import { parseWith } from './schema.ts';
import { inTurn, outOfTurn } from './strict.ts';
import { endOfTick } from './tick.ts';
import { TurnJournal } from './turn-journal.ts';

export type Enter = ToHost & { readonly type: 'enter' };

/** Ticks without progress after which a handler that was told everything else has certainly gone another way (T4). */
const STALLED_TICKS_MAX = 50;

type Answer = { readonly ordinal: number; readonly outcome: Outcome; readonly woken?: { at: number; emitted: number } };

export class TurnRun {
  readonly enter: Enter;
  readonly #implementation: Implementation;
  readonly #send: (message: FromHost) => void;
  readonly #journal: TurnJournal<Outcome>;
  readonly #wakes: ReadonlyMap<number, { readonly at: number; readonly emitted: number }>;
  readonly #abort = new AbortController();
  readonly #pending = new Map<number, (outcome: Outcome) => void>();
  readonly #waits = new Map<number, Wait>();
  readonly #arrived: Answer[] = [];
  readonly #entries: Entry[] = [];
  readonly #kept = new Set<Promise<unknown>>();
  readonly #random: Random;
  readonly #before: unknown;
  #state: unknown;
  #emitted: number;
  #now: Millis;
  #ids = 0;
  #inFlight = 0;
  #isPumping = false;
  #isOver = false;

  /** `base` is the state after `enter.start` facts. */
  constructor(enter: Enter, implementation: Implementation, base: unknown, send: (message: FromHost) => void) {
    this.enter = enter;
    this.#implementation = implementation;
    this.#send = send;
    this.#journal = new TurnJournal(enter.journal);
    this.#wakes = new Map(
      enter.journal.flatMap(({ ordinal, woken }) => (woken === undefined ? [] : [[ordinal, woken]])),
    );
    this.#random = seededRandom(enter.turn);
    this.#before = base;
    this.#state = base;
    this.#emitted = enter.start;
    this.#now = enter.at as Millis;
  }

  get state(): unknown {
    return this.#state;
  }

  /** How many facts the state has folded. */
  get emitted(): number {
    return this.#emitted;
  }

  get before(): unknown {
    return this.#before;
  }

  get now(): Millis {
    return this.#now;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Runs the handler to its end, or to where it parks. Never rejects. */
  async run(context: Context<ContractSpec, unknown>): Promise<void> {
    const { turn, message, body } = this.enter;
    const spec = this.#implementation.contract.spec.messages[message];
    const handler = this.#implementation.on[message];
    if (spec === undefined || handler === undefined) {
      this.#fail('message.unknown', `expected a message of the contract, found ${message}`);
      return;
    }
    const input = parseWith(spec.in, body);
    if (!input.ok) {
      this.#finish(invalid(input));
      return;
    }
    try {
      const reply = await inTurn(turn, async () => handler(input.value, context));
      while (this.#kept.size > 0) await Promise.allSettled(this.#kept);
      if (isNotOk(reply)) this.#finish(reply);
      else if (spec.out === undefined) this.#finish({ type: 'ok', value: null });
      else this.#answer(parseWith(spec.out, reply));
    } catch (error) {
      this.#fail(hasCode(error) ? error.code : 'turn.threw', messageOf(error));
    }
  }

  /** Something that belongs to the turn although its handler may not wait for it: a message on its way out. */
  keep<T>(work: Promise<T>): Promise<T> {
    this.#kept.add(work);
    const done = (): void => void this.#kept.delete(work);
    work.then(done, done);
    return work;
  }

  /** An operation that the node answers. */
  operate(operation: Operation): Promise<Outcome> {
    return this.#begin(nameOf(operation), operation, (ordinal) => {
      this.#inFlight += 1;
      this.#tell({ type: 'operation', turn: this.enter.turn, ordinal, operation });
    });
  }

  /** An operation that time, or the world outside, answers. */
  wait(name: string, wait: Pick<Wait, 'event' | 'withinMs'>): Promise<Outcome> {
    return this.#begin(name, { name, ...wait }, (ordinal, digest) => {
      this.#waits.set(ordinal, { ordinal, name, digest, ...wait });
    });
  }

  emit(name: string, value: unknown): void {
    const schema = this.#implementation.contract.spec.events?.[name];
    if (schema === undefined) throw new CodedError('event.unknown', `expected an event of the contract, found ${name}`);
    const parsed = parseWith(schema, value);
    if (!parsed.ok) throw new CodedError('event.invalid', `${name}: ${parsed.error.message}`);
    const fact: Emitted = { name, data: data(parsed.value, name) };
    this.add({ type: 'emit', ...fact });
    this.#state = evolve(this.#implementation, this.#state, fact);
    this.#emitted += 1;
  }

  /** Something that the turn does to itself, committed with it. */
  add(entry: Entry): void {
    if (this.#isOver) throw new CodedError('turn.over', 'expected a turn that goes on, found one that has ended');
    this.#entries.push(entry);
    const { committed } = this.enter;
    if (committed === null || this.#entries.length !== committed.entries) return;
    if (digestOf(this.#entries) !== committed.digest) this.#diverge('what it committed before', 'something else');
  }

  nextId(): EventId {
    return eventIdOf(this.enter.turn, 'id', this.#ids++);
  }

  /** The id that a message gets that is the turn's next operation. */
  messageId(): EventId {
    return eventIdOf(this.enter.turn, 'message', this.#journal.count);
  }

  random(bound: number): number {
    return this.#random.below(bound);
  }

  settle(ordinal: number, outcome: Outcome): void {
    if (this.#isOver || !this.#pending.has(ordinal)) return;
    this.#inFlight -= 1;
    this.#arrived.push({ ordinal, outcome });
    this.#pump();
  }

  abort(code: string): void {
    this.#abort.abort(new CodedError(code, 'the turn must end'));
  }

  /** Nothing of this turn will be heard again (A2). */
  drop(): void {
    this.#isOver = true;
    this.#pending.clear();
    this.#waits.clear();
  }

  #begin(name: string, content: unknown, start: (ordinal: number, digest: string) => void): Promise<Outcome> {
    if (this.#isOver) return new Promise(() => undefined);
    const digest = digestOf(content);
    const begun = this.#journal.begin(name, digest);
    if (begun.type === 'diverged') {
      this.#diverge(begun.divergence.expected, begun.divergence.found);
      return new Promise(() => undefined);
    }
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    this.#pending.set(begun.ordinal, resolve);
    if (begun.type === 'live') start(begun.ordinal, digest);
    this.#pump();
    return promise;
  }

  /** Hands out answers, recorded ones first (A1), and parks when only waits are left (A3). */
  #pump(): void {
    if (this.#isPumping || this.#isOver) return;
    this.#isPumping = true;
    void this.#pumpAll().finally(() => {
      this.#isPumping = false;
    });
  }

  async #pumpAll(): Promise<void> {
    let stalled = 0;
    for (;;) {
      await endOfTick();
      if (this.#isOver) return;
      const answer = this.#next();
      if (answer !== undefined) {
        stalled = 0;
        this.#deliver(answer);
      } else if (!this.#journal.isSpent) {
        if (this.#inFlight > 0) return;
        stalled += 1;
        if (stalled > STALLED_TICKS_MAX && this.#checkEnd('a wait for something else')) return;
      } else {
        if (this.#inFlight === 0 && this.#waits.size > 0) this.#park();
        return;
      }
    }
  }

  #next(): Answer | undefined {
    const recorded = this.#journal.take();
    if (recorded === undefined) return this.#journal.isSpent ? this.#arrived.shift() : undefined;
    const woken = this.#wakes.get(recorded.ordinal);
    const { ordinal, outcome } = recorded;
    return woken === undefined ? { ordinal, outcome } : { ordinal, outcome, woken };
  }

  #deliver({ ordinal, outcome, woken }: Answer): void {
    const resolve = this.#pending.get(ordinal);
    this.#pending.delete(ordinal);
    this.#waits.delete(ordinal);
    if (woken !== undefined) {
      this.#now = woken.at as Millis;
      this.#state = foldTo(this.#implementation, this.enter.history ?? { facts: [] }, woken.emitted);
      this.#emitted = woken.emitted;
    }
    resolve?.(outcome.type === 'ok' ? outcome : markNotOk(outcome));
  }

  #park(): void {
    if (this.#checkEnd('a wait')) return;
    this.#leave({
      type: 'park',
      turn: this.enter.turn,
      waits: [...this.#waits.values()],
      segment: this.#segment(true),
    });
  }

  #finish(reply: Outcome): void {
    if (this.#isOver || this.#checkEnd('the end')) return;
    const state = canonicalJson(this.#state);
    if (!state.ok) {
      this.#fail('state.not_data', state.error.message);
      return;
    }
    const digest = digestText(sha256(utf8(state.value)));
    this.#leave({ type: 'done', turn: this.enter.turn, reply, segment: this.#segment(false), state: digest });
  }

  #answer(reply: Result<unknown, Refusal>): void {
    if (reply.ok) this.#finish({ type: 'ok', value: data(reply.value, 'the reply') });
    else this.#fail('reply.invalid', reply.error.message);
  }

  #fail(code: string, message: string): void {
    this.#leave({ type: 'failed', turn: this.enter.turn, code, message: message.slice(0, 2_000).toWellFormed() });
  }

  /** Whether the handler does less than it did before (T4); if so, the turn has left. */
  #checkEnd(found: string): boolean {
    const divergence = this.#journal.divergenceAt(found);
    const short = this.#entries.length < (this.enter.committed?.entries ?? 0);
    if (divergence !== undefined) this.#diverge(divergence.expected, found);
    else if (short) this.#diverge('what it committed before', found);
    return divergence !== undefined || short;
  }

  #diverge(expected: string, found: string): void {
    this.#leave({ type: 'diverged', turn: this.enter.turn, expected, found });
  }

  #segment(mustDigest: boolean): Segment {
    const entries = this.#entries.slice(this.enter.committed?.entries ?? 0);
    return { entries, total: this.#entries.length, digest: mustDigest ? digestOf(this.#entries) : '' };
  }

  #leave(message: FromHost): void {
    if (this.#isOver) return;
    this.drop();
    this.#tell(message);
  }

  #tell(message: FromHost): void {
    if (isCarriable(message)) outOfTurn(() => this.#send(message));
    else this.#tooLarge();
  }

  #tooLarge(): void {
    const message = `expected what a turn says at once to be data of at most ${SAID_BYTES_MAX} bytes and ${PAYLOAD_DEPTH_MAX} levels`;
    this.drop();
    outOfTurn(() => this.#send({ type: 'failed', turn: this.enter.turn, code: 'turn.too_large', message }));
  }
}

/** The state after the first `count` facts, of which `base` stands for some. */
export function foldTo(implementation: Implementation, { base, facts }: History, count: number): unknown {
  let state = base === undefined ? implementation.state() : base.state;
  for (const fact of facts.slice(0, count - (base?.emitted ?? 0))) state = evolve(implementation, state, fact);
  return state;
}

export function evolve(implementation: Implementation, state: unknown, { name, data }: Emitted): unknown {
  const step = implementation.evolve[name];
  if (step === undefined) throw new CodedError('event.unknown', `expected a case for ${name}, found none`);
  return step(state, data);
}

function invalid(refused: Result<unknown, Refusal> & { readonly ok: false }): Outcome {
  return { type: 'invalid', code: refused.error.code, message: refused.error.message };
}

function data(value: unknown, what: string): JsonValue {
  const text = canonicalJson(value);
  if (!text.ok) throw new CodedError('turn.not_data', `expected JSON data in ${what}: ${text.error.message}`);
  return value as JsonValue;
}

export function digestOf(content: unknown): string {
  const text = canonicalJson(content);
  if (!text.ok) throw new CodedError('turn.not_data', `expected JSON data: ${text.error.message}`);
  return digestText(sha256(utf8(unwrap(text, 'checked'))));
}
