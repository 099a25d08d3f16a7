/** Something has changed: whoever waits is woken, whoever comes later waits for the next time. */
export class Growth {
  #next = Promise.withResolvers<void>();

  announce(): void {
    const { resolve } = this.#next;
    this.#next = Promise.withResolvers<void>();
    resolve();
  }

  /** Until the next announcement, or until the signal aborts. No listener outlives the call. */
  async wait(signal?: AbortSignal): Promise<void> {
    const { promise: aborted, resolve } = Promise.withResolvers<void>();
    const onAbort = (): void => resolve();
    signal?.addEventListener('abort', onAbort, { once: true });
    if (signal?.aborted !== true) await Promise.race([this.#next.promise, aborted]);
    signal?.removeEventListener('abort', onAbort);
  }
}
