/**
 * What each record of a log must be, given those before it: strictly encoded, of this log, at its index, later than the one
 * before, and the next of its stream. Holds one entry per stream and nothing per record.
 */
import type { Origin } from '../codec/checkpoint.ts';
import { type Digest, sha256 } from '../codec/digest.ts';
import { type DigestText, decodeRecord, digestText, type LogRecord, type StreamId } from '../codec/record.ts';
import { utf8 } from '../core/bytes.ts';
import type { Findings } from './findings.ts';

/** What is known of a stream after the records so far. `number` is its place in the order of first appearance. */
export type StreamEnd = { readonly number: number; nextVersion: number; lastLeaf: Digest };

export class RecordOrder {
  readonly #origin: DigestText;
  readonly #findings: Findings;
  readonly streams = new Map<StreamId, StreamEnd>();
  #wallMs = 0;
  #counter = -1;

  constructor(origin: Origin, findings: Findings) {
    this.#origin = digestText(sha256(utf8(origin)));
    this.#findings = findings;
  }

  /** The hybrid clock of the last record. */
  get time(): { readonly wallMs: number; readonly counter: number } {
    return { wallMs: this.#wallMs, counter: this.#counter };
  }

  /** The record at `index`, its faults reported; `undefined` where the bytes are none. */
  check(bytes: Uint8Array, index: number, leaf: Digest): LogRecord | undefined {
    const decoded = decodeRecord(bytes);
    if (!decoded.ok) {
      const { code, message, offset } = decoded.error;
      this.#findings.addRecord('log.bad_record', index, `byte ${offset ?? 0}: ${message} (${code})`);
      return undefined;
    }
    const record = decoded.value;
    const end = this.streams.get(record.stream);
    const fault = this.#faultOf(record, index, end?.nextVersion ?? 0);
    if (fault !== undefined) this.#findings.addRecord('log.bad_order', index, fault);
    this.#wallMs = record.wallMs;
    this.#counter = record.counter;
    if (end === undefined) {
      const number = this.streams.size;
      this.streams.set(record.stream, { number, nextVersion: record.version + 1, lastLeaf: leaf });
    } else {
      end.nextVersion = record.version + 1; // also after a gap: one fault, one problem
      end.lastLeaf = leaf;
    }
    return record;
  }

  #faultOf(record: LogRecord, index: number, version: number): string | undefined {
    if (record.origin !== this.#origin) return `expected the origin ${this.#origin}, found ${record.origin}`;
    if (record.index !== index) return `expected the index ${index}, found ${record.index}`;
    const [wallMs, counter] = [this.#wallMs, this.#counter];
    if (record.wallMs < wallMs || (record.wallMs === wallMs && record.counter <= counter)) {
      return `expected a time after (${wallMs}, ${counter}), found (${record.wallMs}, ${record.counter})`;
    }
    if (record.version !== version) return `expected version ${version} of ${record.stream}, found ${record.version}`;
    return undefined;
  }
}
