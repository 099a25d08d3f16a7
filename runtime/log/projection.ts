/**
 * State as a fold of the log. Snapshots only save the way: a fold that finds one and a fold that finds none, or a wrong one,
 * end in the same state.
 *
 * B1. `evolve` is pure: the same state and event give the same state, on every machine, for ever. A clock, a random draw or
 *     a floating-point function whose last bit differs between machines has no place in it.
 * B2. A snapshot counts only if it was made by this version of this projection, from this very tree, and its state is as it
 *     was kept (`EventLog.loadSnapshot`); anything else is as if it were not there.
 */
import { type Digest, sha256 } from '../codec/digest.ts';
import { digestText, type LogRecord, type StreamId } from '../codec/record.ts';
import { assert } from '../core/assert.ts';
import { concat, utf8 } from '../core/bytes.ts';
import type { EventLog } from './event-log.ts';
import { fromU64, u64 } from './layout.ts';

export type Projection<S> = {
  /** Names its snapshots: 1 to 100 characters as in a stream id. */
  readonly name: string;
  /** Stands for the code of `evolve`, `encode` and `decode`: another whenever any of them changes. A digest, or a number. */
  readonly version: string;
  readonly initial: S;
  /** B1. `log` is for payloads that are blobs (`jsonOf`), which their digests make as constant as the event itself. */
  readonly evolve: (state: S, event: LogRecord, log: Pick<EventLog, 'blob'>) => S;
  readonly encode: (state: S) => Uint8Array;
  /** The state that `encode` gave the bytes for, or `undefined` for other bytes. */
  readonly decode: (bytes: Uint8Array) => S | undefined;
};

/** A state and how many events of the log it stands for. */
export type Folded<S> = { readonly state: S; readonly size: number };

/** The state of one stream's fold, and the version of its last event; -1 for none. */
export type FoldedStream<S> = Folded<S> & { readonly version: number };

/** The state after the first `to` events (default: all durable ones). */
export function fold<S>(log: EventLog, projection: Projection<S>, to = log.size): Folded<S> {
  assert(to >= 0 && to <= log.size, 'fold: at most the durable events');
  const kept = loadState(log, projection.name, projection, to);
  let state = kept === undefined ? projection.initial : kept.state;
  for (const event of log.read(kept?.size ?? 0, to)) state = projection.evolve(state, event, log);
  return { state, size: to };
}

/** The fold of one stream, reading that stream only. Its snapshot belongs to the stream. */
export function foldStream<S>(log: EventLog, stream: StreamId, projection: Projection<S>): FoldedStream<S> {
  const size = log.size;
  const kept = loadState(log, nameFor(projection, stream), streamState(projection), size);
  let { state, version } = kept?.state ?? { state: projection.initial, version: -1 };
  for (const event of log.readStream(stream, version + 1)) {
    if (event.index >= size) break;
    state = projection.evolve(state, event, log);
    version = event.version;
  }
  return { state, size, version };
}

/** The state of this moment, and then after each event as it becomes durable, until the signal aborts. */
export async function* follow<S>(
  log: EventLog,
  projection: Projection<S>,
  signal: AbortSignal,
): AsyncGenerator<Folded<S>> {
  let { state, size } = fold(log, projection);
  yield { state, size };
  for await (const event of log.subscribe(size, signal)) {
    state = projection.evolve(state, event, log);
    size = event.index + 1;
    yield { state, size };
  }
}

/** Keeps a snapshot of the fold, for the next one to begin at. Losing it costs time and nothing else. */
export function keep<S>(log: EventLog, projection: Projection<S>, { state, size }: Folded<S>): void {
  saveState(log, projection.name, projection, { state, size });
}

/** The same for the fold of one stream. */
export function keepStream<S>(
  log: EventLog,
  stream: StreamId,
  projection: Projection<S>,
  { state, version, size }: FoldedStream<S>,
): void {
  saveState(log, nameFor(projection, stream), streamState(projection), { state: { state, version }, size });
}

type Encoded<S> = Pick<Projection<S>, 'name' | 'version' | 'encode' | 'decode'>;

function saveState<S>(log: EventLog, name: string, how: Encoded<S>, { state, size }: Folded<S>): void {
  log.saveSnapshot({ name, reducer: reducerOf(how), size, root: log.root(size), state: how.encode(state) });
}

function loadState<S>(log: EventLog, name: string, how: Encoded<S>, to: number): Folded<S> | undefined {
  const snapshot = log.loadSnapshot(name, reducerOf(how)); // B2
  if (snapshot === undefined || snapshot.size > to) return undefined;
  const state = how.decode(snapshot.state);
  return state === undefined ? undefined : { state, size: snapshot.size };
}

function reducerOf({ name, version }: { readonly name: string; readonly version: string }): Digest {
  return sha256(utf8(`${name}\n${version}`));
}

/** A stream's name may be as long as a snapshot's: its digest stands for it. */
function nameFor({ name }: { readonly name: string }, stream: StreamId): string {
  return `${name}/${digestText(sha256(utf8(stream)))}`;
}

/** A state with the version of the last event before it, 8 bytes: where the stream is to be read on. */
function streamState<S>({ name, version, encode, decode }: Encoded<S>): Encoded<{ state: S; version: number }> {
  return {
    name,
    version,
    encode: ({ state, version: last }) => concat(u64(last + 1), encode(state)),
    decode(bytes) {
      const next = fromU64(bytes);
      const state = next === undefined ? undefined : decode(bytes.subarray(8));
      return next === undefined || state === undefined ? undefined : { state, version: next - 1 };
    },
  };
}
