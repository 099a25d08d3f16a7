import type { Buffer } from 'node:buffer';
import type { Findings } from './findings.ts';
import { fromU64 } from './layout.ts';
import type { Row } from './raw-tables.ts';

/** A walk over a table that waits for somebody else's walk, and ends where its table cannot be read on. */
export class Cursor {
  readonly #rows: Generator<Row>;
  readonly #place: string;
  readonly #findings: Findings;
  #row: Row | undefined;
  #isStarted = false;

  constructor(rows: Generator<Row>, place: string, findings: Findings) {
    this.#rows = rows;
    this.#place = place;
    this.#findings = findings;
  }

  /** The key of the next row as a number; one that is none counts as 0, and past the last row there is infinity. */
  get number(): number {
    const row = this.#peek();
    return row === undefined ? Number.POSITIVE_INFINITY : (fromU64(row.key) ?? 0);
  }

  next(): Row | undefined {
    const row = this.#peek();
    this.#advance();
    return row;
  }

  /** The value under `key`, if it is there. What stands before it belongs nowhere. */
  take(key: Buffer): Buffer | undefined {
    for (let row = this.#peek(); row !== undefined; row = this.#peek()) {
      const order = row.key.compare(key);
      if (order > 0) return undefined;
      this.#advance();
      if (order === 0) return row.value;
      this.#findings.add('log.bad_layout', `${this.#place} ${row.key.toString('hex', 0, 24)}`, 'expected no such key');
    }
    return undefined;
  }

  #peek(): Row | undefined {
    if (!this.#isStarted) this.#advance();
    return this.#row;
  }

  #advance(): void {
    this.#isStarted = true;
    const step = this.#findings.guard(this.#place, () => this.#rows.next());
    this.#row = step === undefined || step.done === true ? undefined : step.value;
  }
}
