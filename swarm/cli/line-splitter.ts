/** Lines out of chunks of bytes, in memory for one line of the largest size at most. */
import { Buffer } from 'node:buffer';
import { CodedError } from '../../runtime/core/errors.ts';

export type Line = {
  /** From 1, as editors count. */
  readonly number: number;
  /** Without its newline. */
  readonly bytes: Uint8Array;
};

export class LineSplitter {
  readonly #bytesMax: number;
  #parts: Uint8Array[] = [];
  #byteLength = 0;
  #number = 1;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** The lines that this chunk ends.
   *  @throws {InputError} `input.too_long` */
  *push(chunk: Uint8Array): Generator<Line> {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      this.#keep(chunk.subarray(start, end));
      start = end + 1;
      yield this.#take();
    }
    // A copy: the stream may use the chunk's memory again, and a short rest must not hold a long chunk.
    if (start < chunk.length) this.#keep(Uint8Array.from(chunk.subarray(start)));
  }

  /** The last line, where it did not end in a newline. */
  *end(): Generator<Line> {
    if (this.#byteLength > 0) yield this.#take();
  }

  #keep(part: Uint8Array): void {
    this.#byteLength += part.length;
    if (this.#byteLength > this.#bytesMax) {
      const found = `expected a line of at most ${this.#bytesMax} bytes, found a longer one`;
      throw new InputError('input.too_long', found, { line: this.#number, offset: this.#bytesMax });
    }
    this.#parts.push(part);
  }

  #take(): Line {
    const [only] = this.#parts;
    const bytes = this.#parts.length === 1 && only !== undefined ? only : Buffer.concat(this.#parts);
    const line = { number: this.#number, bytes };
    this.#number += 1;
    this.#parts = [];
    this.#byteLength = 0;
    return line;
  }
}

/** A line that cannot be accepted: which one, and at which of its bytes it goes wrong, where that is known. */
export class InputError extends CodedError {
  override readonly name = 'InputError';
  readonly line: number;
  readonly offset: number | undefined;
  constructor(
    code: string,
    message: string,
    place: { readonly line: number; readonly offset?: number; readonly cause?: unknown },
  ) {
    const at = place.offset === undefined ? '' : `, byte ${place.offset}`;
    super(code, `line ${place.line}${at}: ${message}`, { cause: place.cause });
    this.line = place.line;
    this.offset = place.offset;
  }
}

const NEWLINE = 0x0a;
