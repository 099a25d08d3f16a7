/**
 * Steps in an order, and back.
 *
 * Q1. A step begins when the one before it has ended. What has begun is stopped in reverse order, also when a later step fails.
 * Q2. A stop that fails keeps no other from stopping; the first fault is told.
 * Q3. Stopping twice is stopping once.
 */
export type Step<M, N extends string = string> = {
  readonly name: N;
  /** Does its part, puts what it made into `made`, and says in a few words what became of it. */
  readonly start: (made: M, signal: AbortSignal) => Promise<Started> | Started;
};

export type Started = {
  readonly detail: string;
  /** Undoes it; what takes longer than `withinMs` is cut off. */
  readonly stop?: (withinMs: number) => Promise<void> | void;
};

export type StepNews<N extends string = string> = {
  readonly step: N;
  readonly state: 'starting' | 'started' | 'failed' | 'stopping' | 'stopped';
  /** What a step that has started says. */
  readonly detail?: string;
};

export class Sequence<M, N extends string> {
  readonly #steps: readonly Step<M, N>[];
  readonly #tell: (news: StepNews<N>) => void;
  readonly #begun: { readonly name: N; readonly stop: NonNullable<Started['stop']> }[] = [];
  #stopped: Promise<void> | undefined;

  constructor(steps: readonly Step<M, N>[], tell: (news: StepNews<N>) => void) {
    this.#steps = steps;
    this.#tell = tell;
  }

  /** Starts all of them; when one fails, or the signal aborts, those before it are stopped again (Q1).
   *  @throws what the step throws · the signal's reason */
  async start(made: M, signal: AbortSignal): Promise<void> {
    for (const { name, start } of this.#steps) {
      try {
        signal.throwIfAborted();
        this.#tell({ step: name, state: 'starting' });
        const { detail, stop } = await start(made, signal);
        if (stop !== undefined) this.#begun.push({ name, stop });
        this.#tell({ step: name, state: 'started', detail });
      } catch (error) {
        this.#tell({ step: name, state: 'failed' });
        await this.stop(0).catch(() => undefined); // what made it fail is the news
        throw error;
      }
    }
  }

  /** @throws the first fault (Q2) */
  stop(withinMs: number): Promise<void> {
    this.#stopped ??= this.#stopAll(withinMs); // Q3
    return this.#stopped;
  }

  async #stopAll(withinMs: number): Promise<void> {
    const faults: unknown[] = [];
    for (const { name, stop } of this.#begun.toReversed()) {
      this.#tell({ step: name, state: 'stopping' });
      try {
        await stop(withinMs);
        this.#tell({ step: name, state: 'stopped' });
      } catch (error) {
        faults.push(error);
        this.#tell({ step: name, state: 'failed' });
      }
    }
    if (faults.length > 0) throw faults[0];
  }
}
