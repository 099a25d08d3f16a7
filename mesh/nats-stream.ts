/**
 * A NATS connection's bytes, one way, cut where one command ends and the next begins, so that what stands between client and
 * server can lose, hold or repeat whole messages and leave a stream that can still be read.
 *
 * https://docs.nats.io/reference/reference-protocols/nats-protocol: a command is a line that ends in CR LF. PUB and MSG (their
 * last word is a length), HPUB and HMSG (likewise, headers included) are followed by so many bytes and CR LF.
 *
 * X1. The units, put together, are the bytes that came, whatever chunks they came in.
 * X2. What is no NATS (TLS, a length that is none) is passed on as it comes, in units that are no messages, from there on.
 */
import { concat, view } from '../runtime/core/bytes.ts';

export type NatsUnit = {
  readonly bytes: Uint8Array;
  /** What it is addressed to, if it is a message: PUB or HPUB to a server, MSG or HMSG to a client. */
  readonly subject: string | undefined;
};

export class NatsStream {
  /** What has come since the last unit. */
  #parts: Uint8Array[] = [];
  #bytes = 0;
  /** How many bytes the unit has, once its line is known; until then, the line is looked for. */
  #unitBytes: number | undefined;
  #subject: string | undefined;
  #isOpaque = false;

  /** The units that end in this chunk. */
  push(chunk: Uint8Array): readonly NatsUnit[] {
    const units: NatsUnit[] = [];
    if (this.#isOpaque) return [{ bytes: chunk, subject: undefined }];
    this.#parts.push(chunk);
    this.#bytes += chunk.length;
    if (this.#unitBytes !== undefined && this.#bytes < this.#unitBytes) return units; // nothing to look for in a payload
    let rest = concat(...this.#parts);
    for (let size = this.#sizeOf(rest); size !== undefined; size = this.#sizeOf(rest)) {
      units.push({ bytes: rest.subarray(0, size), subject: this.#subject });
      rest = rest.subarray(size);
      this.#unitBytes = undefined;
    }
    this.#parts = rest.length === 0 ? [] : [rest];
    this.#bytes = rest.length;
    return units;
  }

  /** What has come of a unit that did not end. */
  end(): Uint8Array {
    return concat(...this.#parts);
  }

  /** How long the first unit in `bytes` is, if all of it is there. */
  #sizeOf(bytes: Uint8Array): number | undefined {
    if (bytes.length === 0) return undefined;
    if (this.#isOpaque) return bytes.length;
    if (this.#unitBytes === undefined) this.#readLine(bytes);
    if (this.#isOpaque) return bytes.length;
    return this.#unitBytes !== undefined && this.#unitBytes <= bytes.length ? this.#unitBytes : undefined;
  }

  #readLine(bytes: Uint8Array): void {
    const end = bytes.indexOf(LF);
    this.#subject = undefined;
    if (end === -1) {
      this.#isOpaque = bytes.length > LINE_BYTES_MAX || !isText(bytes[0]);
      return;
    }
    const words = view(bytes.subarray(0, end))
      .toString('latin1')
      .trim()
      .split(/[ \t]+/);
    const [verb = '', subject] = words;
    this.#unitBytes = end + 1;
    if (!MESSAGE.test(verb)) {
      this.#isOpaque = !isText(bytes[0]);
      return;
    }
    const length = words.at(-1) ?? '';
    if (words.length < 3 || !/^\d{1,9}$/.test(length))
      this.#isOpaque = true; // (X2)
    else [this.#unitBytes, this.#subject] = [end + 1 + Number(length) + CRLF_BYTES, subject];
  }
}

const LF = 10;
const CRLF_BYTES = 2;
const MESSAGE = /^(PUB|HPUB|MSG|HMSG)$/i;
/** The longest line is an INFO or CONNECT, of a few kilobytes. */
const LINE_BYTES_MAX = 1024 * 1024;

/** A NATS line begins with a letter, a sign or, between commands, a line end; a TLS record with a control character. */
function isText(byte: number | undefined): boolean {
  return byte !== undefined && (byte >= 0x20 || byte === 13 || byte === LF) && byte < 0x7f;
}
