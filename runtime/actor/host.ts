/**
 * What runs authors' code: turns of many agents of some implementations, and a cache of their states. It may vanish at any
 * moment; all that it knows can be folded again from what the node sends.
 */
import type { JsonValue } from '../codec/json.ts';
import { hasCode, messageOf } from '../core/errors.ts';
import { err, ok, type Refusal, type Result } from '../core/result.ts';
import { isCarriable } from './carriable.ts';
import type { Implementation } from './implement.ts';
import { makeContext } from './make-context.ts';
import type { FromHost, ToHost, TurnDone } from './protocol.ts';
import { type Enter, foldTo, TurnRun } from './turn-run.ts';

type Cached = { readonly emitted: number; readonly state: unknown };

/** Facts between two states worth keeping. */
const KEEP_FACTS = 256;

export class Host {
  readonly #implementations: ReadonlyMap<string, Implementation>;
  readonly #send: (message: FromHost) => void;
  readonly #code: string | undefined;
  readonly #turns = new Map<string, TurnRun>();
  /** The state at the last commit, and the one that the last turn proposed: the next turn's start tells which counts. */
  readonly #states = new Map<
    string,
    { readonly committed: Cached | undefined; readonly proposed: Cached | undefined }
  >();

  /** `code` stands for all code that the implementations run: a state that other code has folded is no use here. Without it
   *  no state is offered to be kept, and none that was kept is taken. */
  constructor(implementations: readonly Implementation[], send: (message: FromHost) => void, code?: string) {
    this.#code = code;
    this.#implementations = new Map(implementations.map((one) => [one.contract.name, one]));
    this.#send = send;
  }

  /** Says what it can run. */
  announce(): void {
    const contracts = [...this.#implementations.values()].map(({ contract: { name, digest } }) => ({ name, digest }));
    this.#send({ type: 'ready', contracts });
  }

  receive(message: ToHost): void {
    switch (message.type) {
      case 'enter':
        this.#enter(message);
        return;
      case 'settle':
        this.#turns.get(message.turn)?.settle(message.ordinal, message.outcome);
        return;
      case 'abort':
        this.#turns.get(message.turn)?.abort(message.code);
        return;
      case 'drop':
        this.#turns.get(message.turn)?.drop();
        this.#turns.delete(message.turn);
        return;
      case 'evict':
        this.#states.delete(message.agent);
        return;
    }
  }

  #enter(enter: Enter): void {
    const fail = (code: string, message: string): void =>
      this.#send({ type: 'failed', turn: enter.turn, code, message });
    const implementation = this.#implementations.get(enter.contract);
    if (implementation === undefined) {
      fail('contract.unknown', `expected an implementation of ${enter.contract}, found none here`);
      return;
    }
    const base = this.#baseOf(enter, implementation);
    if (base === 'stale') {
      this.#send({ type: 'stale', turn: enter.turn });
      return;
    }
    if (!base.ok) {
      fail(base.error.code, base.error.message);
      return;
    }
    this.#turns.get(enter.turn)?.drop();
    const run: TurnRun = new TurnRun(enter, implementation, base.value.state, (message) => {
      if (message.type !== 'operation') this.#turns.delete(enter.turn);
      if (message.type === 'done') {
        const proposed = { emitted: run.emitted, state: run.state };
        this.#states.set(enter.agent, { committed: base.value, proposed });
        this.#send(this.#kept(message, enter.start, run));
        return;
      }
      this.#send(message);
    });
    this.#turns.set(enter.turn, run);
    void run.run(makeContext(run, implementation.contract));
  }

  /** With the state, where enough has happened since it was last kept. */
  #kept(done: TurnDone, start: number, { emitted, state }: TurnRun): TurnDone {
    const code = this.#code;
    if (code === undefined || Math.floor(emitted / KEEP_FACTS) === Math.floor(start / KEEP_FACTS)) return done;
    const kept = { ...done, kept: { code, emitted, state: state as JsonValue } };
    return isCarriable(kept) ? kept : done;
  }

  #baseOf(enter: Enter, implementation: Implementation): Result<Cached, Refusal> | 'stale' {
    if (enter.history === undefined) {
      const cached = this.#states.get(enter.agent);
      const base = [cached?.proposed, cached?.committed].find((one) => one?.emitted === enter.start);
      return base === undefined ? 'stale' : ok(base);
    }
    if (enter.history.base !== undefined && enter.history.base.code !== this.#code) return 'stale';
    try {
      return ok({ emitted: enter.start, state: foldTo(implementation, enter.history, enter.start) });
    } catch (error) {
      return err({ code: hasCode(error) ? error.code : 'evolve.threw', message: messageOf(error) });
    }
  }
}
