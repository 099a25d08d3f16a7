/** Snapshots as bytes: one line of JSON about the state, a line feed, the state. Anything that does not fit is no snapshot. */
import { type Digest, formatDigest, parseDigestText, sha256 } from '../codec/digest.ts';
import { concat, equalBytes, utf8, view } from '../core/bytes.ts';
import { CodedError } from '../core/errors.ts';
import { SNAPSHOT_BYTES_MAX } from '../core/limits.ts';
import type { Snapshot } from './event-log.ts';

type Header = {
  readonly name: string;
  readonly reducer: string;
  readonly size: number;
  readonly root: string;
  readonly state: string;
};

/** @throws `log.too_large` more than `SNAPSHOT_BYTES_MAX` */
export function encodeSnapshot({ name, reducer, size, root, state }: Snapshot): Uint8Array {
  if (state.length > SNAPSHOT_BYTES_MAX) {
    const message = `expected a snapshot of at most ${SNAPSHOT_BYTES_MAX} bytes, found ${state.length}`;
    throw new CodedError('log.too_large', message);
  }
  const header: Header = {
    name,
    reducer: formatDigest(reducer),
    size,
    root: formatDigest(root),
    state: formatDigest(sha256(state)),
  };
  return concat(utf8(`${JSON.stringify(header)}\n`), state);
}

/** The snapshot, or `undefined` for bytes that are none: a cache that cannot be read is a cache that was deleted. */
export function decodeSnapshot(bytes: Uint8Array): Snapshot | undefined {
  const end = bytes.indexOf(LINE_FEED);
  const header = end === -1 ? undefined : parseHeader(view(bytes.subarray(0, end)).toString('utf8'));
  if (header === undefined) return undefined;
  const [reducer, root, hash] = [header.reducer, header.root, header.state].map(digestOf);
  const state = bytes.subarray(end + 1);
  if (reducer === undefined || root === undefined || hash === undefined) return undefined;
  if (!Number.isSafeInteger(header.size) || header.size < 0 || !equalBytes(sha256(state), hash)) return undefined;
  return { name: header.name, reducer, size: header.size, root, state };
}

const LINE_FEED = 0x0a;

function digestOf(text: unknown): Digest | undefined {
  const digest = typeof text === 'string' ? parseDigestText(text) : undefined;
  return digest?.ok === true ? digest.value : undefined;
}

function parseHeader(line: string): Header | undefined {
  try {
    const parsed: unknown = JSON.parse(line);
    return typeof parsed === 'object' && parsed !== null ? (parsed as Header) : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
