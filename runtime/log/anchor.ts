/**
 * The anchor: the last checkpoint that a log signed, kept where restoring a backup of the log does not reach. It is what
 * makes a rolled-back log show.
 *
 * A1. The anchor holds a checkpoint before anyone else sees that checkpoint.
 * A2. It never goes back: a smaller size, or another root at the same size, is refused.
 */
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Checkpoint, type Origin, openCheckpoint } from '../codec/checkpoint.ts';
import { type Digest, formatDigest, sha256 } from '../codec/digest.ts';
import type { Verifier } from '../codec/note.ts';
import { equalBytes, utf8 } from '../core/bytes.ts';
import { CodedError, hasCode, messageOf } from '../core/errors.ts';
import { replaceFile } from './durable-file.ts';

export interface Anchor {
  /** For people: where it is. */
  readonly place: string;
  /** The last checkpoint; `undefined` if there is none. @throws `anchor.damaged` if what is there is no checkpoint of the log ·
   *  `anchor.unreachable` */
  read(): Promise<Checkpoint | undefined>;
  /** Durable when it resolves (A1, A2). @throws `anchor.behind` · `anchor.damaged` · `anchor.unreachable` */
  advance(note: Uint8Array): Promise<void>;
}

/** One file per log under `directory`, named by the digest of its origin, replaced atomically. */
export function fileAnchor(directory: string, origin: Origin, verifier: Verifier): Anchor {
  const place = join(directory, `${formatDigest(sha256(utf8(origin)))}.checkpoint`);
  const read = async (): Promise<Checkpoint | undefined> => {
    const note = await reach(place, readOrUndefined(place));
    return note === undefined ? undefined : checkpointOf(note, verifier, place);
  };
  return {
    place,
    read,
    async advance(note) {
      mustFollow(await read(), checkpointOf(note, verifier, place));
      await reach(place, mkdir(directory, { recursive: true, mode: 0o700 }));
      await reach(place, replaceFile(place, note));
    },
  };
}

/** An anchor as durable as this process: for the in-memory store. */
export function memoryAnchor(verifier: Verifier): Anchor {
  let held: Checkpoint | undefined;
  return {
    place: 'memory',
    read: async () => held,
    async advance(note) {
      const next = checkpointOf(note, verifier, 'memory');
      mustFollow(held, next);
      held = next;
    },
  };
}

/** What the anchor says of a log that has `size` records and the root that `rootAt` gives: nothing, or why it must not sign. */
export function contradiction(
  anchored: Checkpoint,
  size: number,
  rootAt: (size: number) => Digest,
): CodedError | undefined {
  if (anchored.size > size) {
    const message = `expected at least the ${anchored.size} events that its last signed checkpoint covers, found ${size}`;
    return new CodedError(
      'log.rolled_back',
      `${message}: an older copy of the log? Open the next epoch with "log succeed"`,
    );
  }
  if (equalBytes(rootAt(anchored.size), anchored.root)) return undefined;
  return new CodedError('log.forked', `expected the root that was signed at size ${anchored.size}, found another`);
}

function mustFollow(held: Checkpoint | undefined, next: Checkpoint): void {
  if (held === undefined || next.size > held.size) return;
  if (next.size === held.size && equalBytes(next.root, held.root)) return;
  throw new CodedError('anchor.behind', `expected a checkpoint past size ${held.size}, found size ${next.size}`);
}

function checkpointOf(note: Uint8Array, verifier: Verifier, place: string): Checkpoint {
  const checkpoint = openCheckpoint(note, verifier);
  if (checkpoint.ok) return checkpoint.value;
  throw new CodedError('anchor.damaged', `expected a checkpoint of this log in ${place}: ${checkpoint.error.message}`);
}

async function reach<T>(place: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    const message = `expected to reach the anchor ${place}: ${messageOf(error)}`;
    // biome-ignore lint/style/useErrorCause: the cause is there, as the third argument.
    throw new CodedError('anchor.unreachable', message, { cause: error, retryable: true });
  }
}

async function readOrUndefined(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}
