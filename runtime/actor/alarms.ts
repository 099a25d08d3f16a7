/** Timers over the clock: one alarm of the clock for the next of them, however many there are. */
import type { Clock } from '../core/clock.ts';
import type { Background } from './background.ts';
import { TimerHeap } from './timer-heap.ts';

/** Timers of JavaScript overflow past 24 days. */
const ALARM_MS_MAX = 3_600_000;

export class Alarms<T> {
  readonly #clock: Clock;
  readonly #background: Background;
  readonly #onDue: (value: T) => Promise<void>;
  readonly #timers = new TimerHeap<T>();
  #alarm: Disposable | undefined;

  constructor(clock: Clock, background: Background, onDue: (value: T) => Promise<void>) {
    this.#clock = clock;
    this.#background = background;
    this.#onDue = onDue;
  }

  /** `atMs` by the wall clock; what is overdue comes at once, in order. */
  arm(key: string, atMs: number, value: T): void {
    this.#timers.arm(key, atMs, value);
    this.#set();
  }

  disarm(key: string): void {
    this.#timers.disarm(key);
    this.#set();
  }

  close(): void {
    this.#alarm?.[Symbol.dispose]();
  }

  #set(): void {
    this.#alarm?.[Symbol.dispose]();
    this.#alarm = undefined;
    const next = this.#timers.nextAtMs();
    if (next === undefined || !this.#background.isOpen) return;
    const delayMs = Math.min(Math.max(0, next - this.#clock.now()), ALARM_MS_MAX);
    this.#alarm = this.#clock.after(delayMs, () => this.#background.track(this.#ring()));
  }

  async #ring(): Promise<void> {
    for (let due = this.#take(); due !== undefined; due = this.#take()) await this.#onDue(due.value);
    this.#set();
  }

  #take() {
    return this.#background.isOpen ? this.#timers.takeDue(this.#clock.now()) : undefined;
  }
}
