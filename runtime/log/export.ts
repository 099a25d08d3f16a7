/**
 * A log as static files that anyone can serve and verify: c2sp.org/tlog-tiles, with the blobs beside it.
 *
 * ```
 * OUT/checkpoint              the signed note over everything below
 * OUT/log.vkey                the verifier key, for who trusts where this came from
 * OUT/tile/<L>/<N>[.p/<W>]    the tree
 * OUT/tile/entries/<N>[.p/<W>]  the records
 * OUT/blob/<digest>           the payloads too large for their record
 * ```
 *
 * O1. A directory under the name asked for is a whole export: it is made under another name, flushed, and renamed.
 * O2. The files are decided by the log's content: two exports of one size are equal byte for byte.
 */
import { chmod, mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Checkpoint } from '../codec/checkpoint.ts';
import { parseDidKey } from '../codec/did-key.ts';
import { DIGEST_BYTES } from '../codec/digest.ts';
import { hashLeaf } from '../codec/merkle.ts';
import { formatVerifierKey } from '../codec/note.ts';
import { type DigestText, decodeRecord } from '../codec/record.ts';
import { encodeBundle, TILE_WIDTH, tilePath } from '../codec/tile.ts';
import { equalBytes, utf8 } from '../core/bytes.ts';
import { CodedError, hasCode } from '../core/errors.ts';
import { unwrap } from '../core/result.ts';
import { syncDirectory } from './durable-file.ts';
import type { EventLog } from './event-log.ts';
import { DamageError } from './recover.ts';
import type { StoredTile } from './store.ts';
import { Tiling } from './tiling.ts';

/** What an export says of itself: a signed checkpoint, and the note that it stands in. */
export type SignedHead = { readonly note: Uint8Array; readonly checkpoint: Checkpoint };

export type ExportOptions = {
  /** The checkpoint to export; by default the log signs one over everything durable. Give one to export from a reader. */
  readonly head?: SignedHead;
  readonly progress?: (done: number, size: number) => void;
  readonly signal?: AbortSignal;
};

/**
 * Writes the log to a directory that is not there yet, or empty (O1).
 * @throws `export.not_empty` · `log.damaged` the records do not give the signed root, or a blob is missing · as
 *   `EventLog.checkpoint`
 */
export async function exportLog(log: EventLog, out: string, options: ExportOptions = {}): Promise<SignedHead> {
  const target = resolve(out);
  await mustBeEmpty(target);
  const head = options.head ?? (await log.checkpoint());
  await mkdir(dirname(target), { recursive: true });
  const making = await mkdtemp(`${target}.making-`);
  try {
    const folders = new Set([making]);
    for (const { path, bytes } of resourcesOf(log, head, options)) {
      options.signal?.throwIfAborted();
      const file = join(making, path);
      for (let folder = dirname(file); !folders.has(folder); folder = dirname(folder)) {
        await mkdir(folder, { recursive: true });
        folders.add(folder);
      }
      await writeFile(file, bytes, { flush: true });
    }
    for (const folder of folders) await syncDirectory(folder);
    await chmod(making, 0o755);
    await rename(making, target); // over an empty directory, if there is one
    await syncDirectory(dirname(target));
  } catch (error) {
    await rm(making, { recursive: true, force: true });
    throw error;
  }
  return head;
}

type Resource = { readonly path: string; readonly bytes: Uint8Array };

/** The files of an export, the checkpoint last (O2). */
function* resourcesOf(log: EventLog, { note, checkpoint }: SignedHead, options: ExportOptions): Generator<Resource> {
  const { size } = checkpoint;
  const tiles: StoredTile[] = [];
  const tiling = new Tiling((tile) => tiles.push(tile));
  const exported = new Set<DigestText>();
  for (let first = 0; first < size; first += TILE_WIDTH) {
    const records = [...log.readBytes(first, Math.min(size, first + TILE_WIDTH))];
    for (const record of records) {
      tiling.append(hashLeaf(record));
      yield* blobOf(log, record, exported);
    }
    yield { path: tilePath('entries', first / TILE_WIDTH, records.length), bytes: encodeBundle(records) };
    yield* tiles.splice(0).map(({ level, number, bytes }) => ({ path: tilePath(level, number), bytes }));
    options.progress?.(tiling.size, size);
  }
  if (tiling.size !== size || !equalBytes(tiling.root(), checkpoint.root)) {
    throw new DamageError(`records 0 to ${size - 1}`, 'expected the root that the checkpoint signs');
  }
  yield* tiling.partial().map(partialTile);
  const key = unwrap(parseDidKey(log.did), "the log's own DID");
  yield { path: 'log.vkey', bytes: utf8(`${formatVerifierKey(log.origin, key)}\n`) };
  yield { path: 'checkpoint', bytes: note };
}

function partialTile({ level, number, bytes }: StoredTile): Resource {
  return { path: tilePath(level, number, bytes.length / DIGEST_BYTES), bytes };
}

function* blobOf(log: EventLog, record: Uint8Array, exported: Set<DigestText>): Generator<Resource> {
  const decoded = decodeRecord(record);
  if (!decoded.ok) throw new DamageError('records', decoded.error.message);
  const { payload, index } = decoded.value;
  if (payload.type !== 'blob' || exported.has(payload.digest)) return;
  const bytes = log.blob(payload.digest);
  if (bytes === undefined) throw new DamageError(`blob ${payload.digest}`, `expected the payload of record ${index}`);
  exported.add(payload.digest);
  yield { path: blobPath(payload.digest), bytes };
}

export function blobPath(digest: DigestText): string {
  return `blob/${digest}`;
}

async function mustBeEmpty(target: string): Promise<void> {
  try {
    if ((await readdir(target)).length === 0) return;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return;
    if (!hasCode(error, 'ENOTDIR')) throw error;
  }
  throw new CodedError('export.not_empty', `expected nothing at ${target}, or an empty directory, found something`);
}
