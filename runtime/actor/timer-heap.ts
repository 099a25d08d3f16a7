/**
 * What is due when, for all agents of a node: a binary heap over ids, so that only the next moment needs the clock.
 *
 * H1. Timers come out in the order of their times, then of their arming.
 * H2. An id is armed at most once; arming it again replaces it.
 */
export type Timer<T> = { readonly id: string; readonly atMs: number; readonly value: T };

type Entry<T> = Timer<T> & { readonly order: number };

export class TimerHeap<T> {
  readonly #heap: Entry<T>[] = [];
  readonly #live = new Map<string, Entry<T>>();
  #armed = 0;

  get size(): number {
    return this.#live.size;
  }

  arm(id: string, atMs: number, value: T): void {
    const entry: Entry<T> = { id, atMs, value, order: this.#armed++ };
    this.#live.set(id, entry);
    this.#heap.push(entry);
    this.#rise(this.#heap.length - 1);
    if (this.#heap.length > 64 && this.#heap.length > this.#live.size * 2) this.#sweep();
  }

  disarm(id: string): void {
    this.#live.delete(id);
  }

  /** When the next one is due. */
  nextAtMs(): number | undefined {
    return this.#top()?.atMs;
  }

  /** Takes out the next timer that is due at `atMs`. */
  takeDue(atMs: number): Timer<T> | undefined {
    const top = this.#top();
    if (top === undefined || top.atMs > atMs) return undefined;
    this.#live.delete(top.id);
    return top;
  }

  /** The first entry that still counts; those replaced or disarmed are dropped on the way. */
  #top(): Entry<T> | undefined {
    for (let top = this.#heap[0]; top !== undefined; top = this.#heap[0]) {
      if (this.#live.get(top.id) === top) return top;
      this.#pop();
    }
    return undefined;
  }

  #pop(): void {
    const last = this.#heap.pop();
    if (last === undefined || this.#heap.length === 0) return;
    this.#heap[0] = last;
    this.#sink(0);
  }

  #rise(start: number): void {
    let at = start;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#isBefore(at, parent)) return;
      this.#swap(at, parent);
      at = parent;
    }
  }

  #sink(start: number): void {
    let at = start;
    for (;;) {
      let least = at;
      for (const child of [2 * at + 1, 2 * at + 2]) {
        if (child < this.#heap.length && this.#isBefore(child, least)) least = child;
      }
      if (least === at) return;
      this.#swap(at, least);
      at = least;
    }
  }

  #isBefore(a: number, b: number): boolean {
    const [one, other] = [this.#heap[a], this.#heap[b]];
    if (one === undefined || other === undefined) return false;
    return one.atMs < other.atMs || (one.atMs === other.atMs && one.order < other.order);
  }

  #swap(a: number, b: number): void {
    const [one, other] = [this.#heap[a], this.#heap[b]];
    if (one !== undefined && other !== undefined) [this.#heap[a], this.#heap[b]] = [other, one];
  }

  #sweep(): void {
    const live = this.#heap.filter((entry) => this.#live.get(entry.id) === entry);
    this.#heap.length = 0;
    for (const entry of live) {
      this.#heap.push(entry);
      this.#rise(this.#heap.length - 1);
    }
  }
}
