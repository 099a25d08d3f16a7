/**
 * An export as an outsider sees it: files, and a verifier key that came another way. What the key signed must follow from the
 * records alone, and every other file from the same records; nothing may be missing and nothing else may be there.
 *
 * `docs/spec/verify_export.py` does the same in another language from the specification alone.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { type Checkpoint, type Origin, openCheckpoint, parseOrigin } from '../codec/checkpoint.ts';
import { DIGEST_BYTES, formatDigest, sha256 } from '../codec/digest.ts';
import { hashLeaf } from '../codec/merkle.ts';
import { formatVerifierKey, type Verifier } from '../codec/note.ts';
import { type DigestText, digestText, type EventId, type LogRecord } from '../codec/record.ts';
import { decodeBundle, TILE_WIDTH, tilePath } from '../codec/tile.ts';
import { equalBytes, view } from '../core/bytes.ts';
import { CodedError, hasCode, messageOf } from '../core/errors.ts';
import { blobPath } from './export.ts';
import { Findings, type Problem } from './findings.ts';
import { RecordOrder } from './record-order.ts';
import type { StoredTile } from './store.ts';
import { Tiling } from './tiling.ts';

export type ExportReport = {
  readonly origin: string;
  /** What the checkpoint says; 0 when there is no sound one. */
  readonly size: number;
  readonly root?: DigestText;
  readonly blobs: number;
  readonly problems: readonly Problem[];
  readonly problemCount: number;
};

export type VerifyExportOptions = {
  readonly progress?: (done: number, size: number) => void;
  readonly signal?: AbortSignal;
};

/** Verifies an export against a key that the caller trusts. Holds the ids of all events: about 100 bytes each.
 *  @throws `export.not_found` there is no such directory · the signal's reason */
export async function verifyExport(
  directory: string,
  verifier: Verifier,
  options: VerifyExportOptions = {},
): Promise<ExportReport> {
  const check = new ExportCheck(await filesOf(directory), directory, verifier);
  return check.run(options);
}

class ExportCheck {
  readonly #directory: string;
  readonly #verifier: Verifier;
  readonly #findings = new Findings();
  /** Files that nothing has asked for yet. */
  readonly #unread: Set<string>;
  readonly #blobs = new Set<DigestText>();
  readonly #ids = new Set<EventId>();

  constructor(files: readonly string[], directory: string, verifier: Verifier) {
    this.#unread = new Set(files);
    this.#directory = directory;
    this.#verifier = verifier;
  }

  async run(options: VerifyExportOptions): Promise<ExportReport> {
    const origin = parseOrigin(this.#verifier.name);
    const head = await this.#readCheckpoint();
    await this.#checkKey();
    if (head !== undefined && origin.ok) await this.#checkRecords(origin.value, head, options);
    if (!origin.ok) this.#findings.add('log.bad_key', 'log.vkey', origin.error.message);
    for (const name of head === undefined ? [] : this.#unread) {
      this.#findings.add('log.bad_layout', name, 'expected no such file in this export');
    }
    return {
      origin: this.#verifier.name,
      size: head?.size ?? 0,
      ...(head && { root: digestText(head.root) }),
      blobs: this.#blobs.size,
      problems: this.#findings.problems,
      problemCount: this.#findings.count,
    };
  }

  async #readCheckpoint(): Promise<Checkpoint | undefined> {
    const note = await this.#read('checkpoint');
    const opened = note && openCheckpoint(note, this.#verifier);
    if (opened?.ok === false) {
      this.#findings.add('log.bad_checkpoint', 'checkpoint', `${opened.error.message} (${opened.error.code})`);
    }
    return opened?.ok ? opened.value : undefined;
  }

  async #checkKey(): Promise<void> {
    const line = await this.#read('log.vkey');
    const expected = `${formatVerifierKey(this.#verifier.name, this.#verifier.key)}\n`;
    if (line === undefined || view(line).toString('utf8') === expected) return;
    this.#findings.add('log.bad_key', 'log.vkey', 'expected the key that this export is verified with');
  }

  async #checkRecords(origin: Origin, { size, root }: Checkpoint, options: VerifyExportOptions): Promise<void> {
    const order = new RecordOrder(origin, this.#findings);
    const tiles: StoredTile[] = [];
    const tiling = new Tiling((tile) => tiles.push(tile));
    for (let first = 0; first < size; first += TILE_WIDTH) {
      options.signal?.throwIfAborted();
      const records = await this.#readBundle(first, Math.min(TILE_WIDTH, size - first));
      if (records === undefined) return; // nothing after it can be placed
      for (const [n, bytes] of records.entries()) {
        const leaf = hashLeaf(bytes);
        const record = order.check(bytes, first + n, leaf);
        if (record !== undefined) await this.#checkRecord(record);
        tiling.append(leaf);
      }
      for (const tile of tiles.splice(0)) await this.#checkTile(tile);
      options.progress?.(tiling.size, size);
    }
    for (const tile of tiling.partial()) await this.#checkTile(tile);
    if (equalBytes(tiling.root(), root)) return;
    const message = 'expected the root that was signed, found another';
    this.#findings.add('log.forked', 'checkpoint', message, { index: 0, end: size });
  }

  async #readBundle(first: number, width: number): Promise<readonly Uint8Array[] | undefined> {
    const path = tilePath('entries', first / TILE_WIDTH, width);
    const bytes = await this.#read(path, first);
    const bundle = bytes && decodeBundle(bytes);
    if (bundle?.ok && bundle.value.length === width) return bundle.value;
    if (bundle !== undefined) {
      const message = bundle.ok ? `found ${bundle.value.length}` : bundle.error.message;
      this.#findings.add('log.missing_record', path, `expected ${width} records: ${message}`, { index: first });
    }
    return undefined;
  }

  async #checkRecord({ id, index, payload }: LogRecord): Promise<void> {
    if (this.#ids.has(id)) this.#findings.addRecord('log.bad_order', index, `expected a new id, found ${id} again`);
    this.#ids.add(id);
    if (payload.type !== 'blob') return;
    const isNew = !this.#blobs.has(payload.digest);
    this.#blobs.add(payload.digest);
    const bytes = isNew ? await this.#read(blobPath(payload.digest), index) : undefined;
    if (bytes === undefined) return;
    if (bytes.length === payload.length && formatDigest(sha256(bytes)) === payload.digest) return;
    this.#findings.add('log.bad_blob', blobPath(payload.digest), 'expected bytes of this digest', { index });
  }

  async #checkTile({ level, number, bytes }: StoredTile): Promise<void> {
    const path = tilePath(level, number, bytes.length / DIGEST_BYTES);
    const width = TILE_WIDTH ** level;
    const found = await this.#read(path, number * TILE_WIDTH * width);
    if (found === undefined || equalBytes(found, bytes)) return;
    const byte = bytes.findIndex((expected, at) => expected !== found[at]);
    const n = Math.floor((byte === -1 ? bytes.length - 1 : byte) / DIGEST_BYTES);
    const index = (number * TILE_WIDTH + n) * width;
    const message = `expected the hash of records ${index} to ${index + width - 1} as hash ${n}`;
    this.#findings.add('log.bad_tile', path, message, { index, end: index + width });
  }

  /** A file of the export; one that cannot be read is a problem, of the record at `index` if there is one. */
  async #read(path: string, index?: number): Promise<Uint8Array | undefined> {
    this.#unread.delete(path);
    try {
      return await readFile(join(this.#directory, path));
    } catch (error) {
      this.#findings.add('log.unreadable', path, messageOf(error), index === undefined ? {} : { index });
      return undefined;
    }
  }
}

/** Every file below, with `/` between the names. */
async function filesOf(directory: string): Promise<readonly string[]> {
  try {
    const entries = await readdir(directory, { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => !entry.isDirectory())
      .map((entry) => relative(directory, join(entry.parentPath, entry.name)).replaceAll(sep, '/'));
  } catch (error) {
    if (!hasCode(error, 'ENOENT') && !hasCode(error, 'ENOTDIR')) throw error;
    // biome-ignore lint/style/useErrorCause: the cause is there, as the third argument.
    throw new CodedError('export.not_found', `expected an export in ${directory}, found none`, { cause: error });
  }
}
