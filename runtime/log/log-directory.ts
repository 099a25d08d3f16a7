/**
 * A log as a directory, and how to make, open and succeed one.
 *
 * ```
 * DIR/log.key      the log key as a C2SP note signer key, 0600: it signs checkpoints and nothing else
 * DIR/log.vkey     its verifier key for the current epoch, to be given away
 * DIR/epoch-0/     LMDB environment, `reserve` and `snapshots/`: one folder per epoch, the highest is the log
 * ```
 *
 * The anchor is elsewhere (anchor.ts): what restores this directory must not restore it too.
 *
 * D1. A log that its anchor contradicts is opened for reading only, until `succeedLog` has begun the next epoch.
 * D2. A log that has signed and whose anchor is gone is treated the same, unless the operator accepts a new anchor.
 * D3. An epoch's folder is there whole or not at all: it is made under another name, flushed, and renamed.
 * D4. Whoever begins an epoch holds the pen of the one before, and whoever takes a pen looks again whether the epoch is
 *     still the newest: no event can come into a log that has been succeeded.
 */
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Checkpoint, nextEpoch, type Origin, parseOrigin } from '../codec/checkpoint.ts';
import { formatDidKey } from '../codec/did-key.ts';
import { sha256 } from '../codec/digest.ts';
import { generateKeyPair } from '../codec/ed25519.ts';
import {
  formatSignerKey,
  formatVerifierKey,
  noteSigner,
  noteVerifier,
  parseSignerKey,
  parseVerifierKey,
  type Signer,
  type Verifier,
} from '../codec/note.ts';
import { digestText, type EventId, parseStreamId } from '../codec/record.ts';
import { toHex } from '../core/bytes.ts';
import type { Clock } from '../core/clock.ts';
import { CodedError, hasCode } from '../core/errors.ts';
import { FLUSH_MS_MAX, RESERVE_BYTES } from '../core/limits.ts';
import type { Random } from '../core/random.ts';
import { type Refusal, type Result, unwrap } from '../core/result.ts';
import type { ProcessIdentity } from '../core/system.ts';
import { uuidv7 } from '../core/uuid.ts';
import { type Anchor, contradiction, fileAnchor } from './anchor.ts';
import { replaceFile, syncDirectory } from './durable-file.ts';
import type { EventLog } from './event-log.ts';
import { Journal } from './journal.ts';
import { LmdbStore } from './lmdb-store.ts';
import { recoverTree } from './recover.ts';
import { hasRoom, holdReserve, releaseReserve } from './reserve.ts';
import { fullError } from './stop-error.ts';
import { type LogEventPayload, logEvent } from './vocabulary.ts';

/** The world that an open log lives in. */
export type LogPorts = { readonly clock: Clock; readonly random: Random; readonly identity: ProcessIdentity };

export type OpenOptions = {
  /** The folder of the anchors. */
  readonly anchors: string;
  /** Disk to keep aside, in bytes; default 64 MiB. */
  readonly reserveBytes?: number;
  /** Take the log from a writer that may be alive. */
  readonly takeover?: boolean;
  /** Go on although a log that has signed finds no anchor (D2). */
  readonly acceptMissingAnchor?: boolean;
  /** How long a flush may take; default 30 s. */
  readonly flushMsMax?: number;
  /** For the suite's own proof that it would notice: flush nothing. */
  readonly plantNoSync?: boolean;
};

/**
 * Makes a log and its key. The default node name is taken from the key, so that no two logs share an origin by accident.
 * A creation that was interrupted is gone on with, and keeps its key.
 * @throws `log.exists` the directory holds something · `log.origin_taken` an anchor of that origin is there
 */
export async function createLog(
  directory: string,
  options: { readonly anchors: string; readonly realm?: string; readonly node?: string },
  random: Random,
): Promise<{ readonly origin: Origin; readonly verifierKey: string }> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const begun = await readdir(directory);
  const message = `expected an empty or missing directory, found something in ${directory}`;
  if (begun.some((name) => !CREATION.has(name))) throw new CodedError('log.exists', message);
  const path = join(directory, 'log.key');
  const kept = begun.includes('log.key') ? parseSignerKey(await readKey(path)) : undefined;
  const pair = kept?.ok === true ? kept.value.pair : generateKeyPair(random);
  const node = options.node ?? toHex(sha256(pair.publicKey.bytes)).slice(0, 16);
  const origin = orThrow(parseOrigin(`${options.realm ?? 'local'}/${node}/log/0`));
  if (kept !== undefined && (!kept.ok || kept.value.name !== origin)) throw new CodedError('log.exists', message);
  const anchor = fileAnchor(options.anchors, origin, noteSigner(origin, pair));
  if (existsSync(anchor.place)) {
    throw new CodedError('log.origin_taken', `expected no log named ${origin}, found its anchor ${anchor.place}`);
  }
  if (kept === undefined) await replaceFile(path, `${formatSignerKey(origin, pair)}\n`);
  const verifierKey = formatVerifierKey(origin, pair.publicKey);
  await replaceFile(join(directory, 'log.vkey'), `${verifierKey}\n`, PUBLIC);
  await makeEpoch(directory, origin);
  return { origin, verifierKey };
}

/**
 * Opens the log for writing.
 * @throws `log.not_found` · `log.locked` · `log.damaged` · `log.key_unusable` · `log.rolled_back` and `log.forked` (D1) ·
 *   `anchor.missing` (D2) · `anchor.damaged`
 */
export async function openLog(directory: string, options: OpenOptions, ports: LogPorts): Promise<EventLog> {
  const epoch = await currentEpoch(directory);
  const folder = join(directory, `epoch-${epoch}`);
  const reserve = join(folder, 'reserve');
  const reserveBytes = options.reserveBytes ?? RESERVE_BYTES;
  const access = { mode: 'write', ...options, ...ports } as const;
  const isFull = !hasRoom(folder);
  if (isFull) {
    await LmdbStore.mustBeFree(folder, access);
    await releaseReserve(reserve);
  }
  const store = LmdbStore.open(folder, access);
  try {
    if ((await currentEpoch(directory)) !== epoch) throw succeededMeanwhile(directory); // D4
    const isHeld = !isFull && (await holdReserve(reserve, reserveBytes));
    const tree = recoverTree(store);
    const signer = await readSigner(directory, store.origin);
    const anchor = fileAnchor(options.anchors, store.origin, signer);
    const wrong = await quarantineReason(anchor, store, tree, options.acceptMissingAnchor === true);
    if (wrong !== undefined) throw wrong;
    const { clock } = ports;
    const { flushMsMax = FLUSH_MS_MAX } = options;
    const log = new Journal({ store, tree, clock, signer, did: formatDidKey(signer.key), anchor, flushMsMax });
    await publishVerifierKey(directory, signer);
    if (!isHeld) await tellFull(log, reserveBytes, ports);
    return log;
  } catch (error) {
    await store[Symbol.asyncDispose]();
    throw error;
  }
}

/** Opens the log for reading, beside whoever writes it. @throws `log.not_found` · `log.damaged` · `log.key_unusable` */
export async function openReader(directory: string, clock: Clock): Promise<EventLog> {
  const { store, verifier } = await openStoreForReading(directory);
  try {
    return new Journal({ store, tree: recoverTree(store), clock, did: formatDidKey(verifier.key) });
  } catch (error) {
    await store[Symbol.asyncDispose]();
    throw error;
  }
}

/** The process that writes the log, or that ended without closing it: whoever acts on it asks `liveness` first. `undefined`
 *  for a log that was closed. @throws `log.not_found` · `log.damaged` */
export async function writerOf(directory: string): Promise<ProcessIdentity | undefined> {
  const folder = join(directory, `epoch-${await currentEpoch(directory)}`);
  await using store = LmdbStore.open(folder, { mode: 'read', isForPen: true });
  return store.writer;
}

/** The store itself, for a verifier. @throws `log.not_found` · `log.damaged` · `log.key_unusable` */
export async function openStoreForReading(
  directory: string,
): Promise<{ readonly store: LmdbStore; readonly verifier: Verifier; readonly epoch: number }> {
  const epoch = await currentEpoch(directory);
  const store = LmdbStore.open(join(directory, `epoch-${epoch}`), { mode: 'read' });
  try {
    return { store, verifier: await readVerifier(directory, store.origin), epoch };
  } catch (error) {
    await store[Symbol.asyncDispose]();
    throw error;
  }
}

/**
 * Begins the next epoch of a log that can no longer be proved complete: a new, empty tree whose record 0 says where the old
 * one ended. The old epoch stays as it is, for reading. Streams begin again at version 0; record 0 tells where they stood.
 * @throws as `openReader` · `log.locked`
 */
export async function succeedLog(
  directory: string,
  options: SucceedOptions,
  ports: LogPorts,
): Promise<{ readonly origin: Origin; readonly after: { readonly origin: Origin; readonly size: number } }> {
  const folder = join(directory, `epoch-${await currentEpoch(directory)}`);
  const store = LmdbStore.open(folder, { mode: 'write', ...options, ...ports }); // D4
  await using old = await disposeOnThrow(store, async () => {
    if (folder !== join(directory, `epoch-${await currentEpoch(directory)}`)) throw succeededMeanwhile(directory);
    const { key } = await readSigner(directory, store.origin);
    return new Journal({ store, tree: recoverTree(store), clock: ports.clock, did: formatDidKey(key) });
  });
  const anchorOf = async (origin: Origin): Promise<Anchor> =>
    fileAnchor(options.anchors, origin, await readSigner(directory, origin));
  const anchored = await (await anchorOf(old.origin)).read();
  let origin = nextEpoch(old.origin);
  // A log restored from before an earlier succession must not begin that epoch a second time.
  while (existsSync((await anchorOf(origin)).place)) origin = nextEpoch(origin);
  await makeEpoch(directory, origin, async (folder) => {
    await using successor = LmdbStore.open(folder, { mode: 'write', ...ports });
    await appendSucceeded(successor, old, { reason: options.reason, anchored }, ports);
  });
  await using log = await openLog(directory, options, ports);
  await log.checkpoint();
  return { origin, after: { origin: old.origin, size: old.size } };
}

export type SucceedOptions = Pick<OpenOptions, 'anchors' | 'reserveBytes' | 'takeover'> & { readonly reason: string };

/** Record 0 of an epoch, in a store that nobody else knows of yet. */
async function appendSucceeded(
  store: LmdbStore,
  old: EventLog,
  { reason, anchored }: { readonly reason: string; readonly anchored: Checkpoint | undefined },
  ports: LogPorts,
): Promise<void> {
  const log = new Journal({ store, tree: recoverTree(store), clock: ports.clock, did: old.did });
  const payload = {
    origin: old.origin as string,
    size: old.size,
    root: digestText(old.root()) as string,
    reason,
    ...(anchored === undefined ? {} : { anchored: { size: anchored.size, root: digestText(anchored.root) as string } }),
    streams: [...streamHeads(old)],
  };
  const event = logEvent('log.succeeded', payload, { id: newId(ports), actor: log.did });
  await log.append([{ stream: LOG_STREAM, expected: 'none', events: [event] }]);
}

/** D3. What a crash leaves under the other name is swept away by the next attempt. */
async function makeEpoch(
  directory: string,
  origin: Origin,
  fill: (folder: string) => Promise<void> = async () => undefined,
): Promise<void> {
  const folder = join(directory, `epoch-${origin.slice(origin.lastIndexOf('/') + 1)}`);
  const aside = `${folder}.next`;
  await rm(aside, { recursive: true, force: true });
  await LmdbStore.create(aside, origin);
  await fill(aside);
  await syncDirectory(aside);
  await rename(aside, folder);
  await syncDirectory(directory);
}

/** `log.vkey` is that of the current epoch; a crash while an epoch began may have left that of the one before. */
async function publishVerifierKey(directory: string, { name, key }: Signer): Promise<void> {
  const [path, line] = [join(directory, 'log.vkey'), `${formatVerifierKey(name, key)}\n`];
  if ((await readKey(path).catch(() => '')) !== line.trimEnd()) await replaceFile(path, line, PUBLIC);
}

/** What the anchor has to say against this log, if anything. */
async function quarantineReason(
  anchor: Anchor,
  store: Pick<LmdbStore, 'checkpoints'>,
  tree: { readonly size: number; root(size: number): Checkpoint['root'] },
  acceptMissing = false,
): Promise<CodedError | undefined> {
  const anchored = await anchor.read();
  if (anchored !== undefined) return contradiction(anchored, tree.size, (size) => tree.root(size));
  const [signed] = store.checkpoints();
  if (signed === undefined || acceptMissing) return undefined;
  const message = `expected the anchor of a log that has signed, found none at ${anchor.place}`;
  return new CodedError(
    'anchor.missing',
    `${message}: point to it with --anchor, or accept a new one with --new-anchor`,
  );
}

/** The disk is full and the reserve has just been given back: say so once, with the room that this made. */
async function tellFull(log: Journal, reserveBytes: number, ports: LogPorts): Promise<void> {
  const [last] = log.size === 0 ? [] : [...log.read(log.size - 1)];
  if (last?.type !== 'log.filled') {
    const payload = { size: log.size, reserve_bytes: reserveBytes };
    const event = logEvent('log.filled', payload, { id: newId(ports), actor: log.did });
    await log.append([{ stream: LOG_STREAM, expected: 'any', events: [event] }]);
  }
  log.stop(fullError());
}

/** All that is there before a log is: `makeEpoch` is the last step. */
const CREATION: ReadonlySet<string> = new Set(['log.key', 'log.key.next', 'log.vkey', 'log.vkey.next', 'epoch-0.next']);

const PUBLIC = 0o644;
const LOG_STREAM = unwrap(parseStreamId('log'), 'a stream in the source');

function succeededMeanwhile(directory: string): CodedError {
  const message = `expected the newest epoch in ${directory}, found that another process has just begun the next one`;
  return new CodedError('log.locked', message, { retryable: true });
}

async function disposeOnThrow<T>(resource: AsyncDisposable, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    await resource[Symbol.asyncDispose]();
    throw error;
  }
}

type StreamEnd = LogEventPayload<'log.succeeded'>['streams'][number];

function* streamHeads(log: EventLog): Generator<StreamEnd> {
  for (const stream of log.streams()) {
    const version = log.versionOf(stream);
    for (const { index } of log.readStream(stream, version))
      yield { stream, version, leaf: digestText(log.leaf(index)) };
  }
}

function newId(ports: LogPorts): EventId {
  return uuidv7(ports.clock, ports.random) as EventId;
}

async function currentEpoch(directory: string): Promise<number> {
  const newest = (await epochsOf(directory)).at(-1);
  if (newest === undefined) throw new CodedError('log.not_found', `expected a log in ${directory}, found none`);
  return newest;
}

/** The epochs whose folders are there, the oldest first. */
export async function epochsOf(directory: string): Promise<readonly number[]> {
  const names = await readdirOrNone(directory);
  const epochs = names.flatMap((name) =>
    /^epoch-(0|[1-9]\d*)$/.test(name) ? [Number(name.slice('epoch-'.length))] : [],
  );
  return epochs.sort((a, b) => a - b);
}

async function readdirOrNone(directory: string): Promise<readonly string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR')) return [];
    throw error;
  }
}

/** The log's key as the signer of one epoch. @throws `log.key_unusable` */
export async function readSigner(directory: string, origin: Origin): Promise<Signer> {
  const signer = orThrow(parseSignerKey(await readKey(join(directory, 'log.key'))), 'log.key_unusable');
  return noteSigner(origin, signer.pair);
}

/** The verifier of an epoch, by the key in `log.vkey`, whose line may still name the epoch before.
 *  @throws `log.key_unusable` */
export async function readVerifier(directory: string, origin: Origin): Promise<Verifier> {
  const verifier = orThrow(parseVerifierKey(await readKey(join(directory, 'log.vkey'))), 'log.key_unusable');
  const logOf = (name: string): string => name.slice(0, name.lastIndexOf('/'));
  if (logOf(verifier.name) === logOf(origin)) return noteVerifier(origin, verifier.key);
  throw new CodedError('log.key_unusable', `expected the key of ${origin} in log.vkey, found that of ${verifier.name}`);
}

async function readKey(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).trimEnd();
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
    // biome-ignore lint/style/useErrorCause: the cause is there, as the third argument.
    throw new CodedError('log.key_unusable', `expected the log's key in ${path}, found no file`, { cause: error });
  }
}

function orThrow<T>(result: Result<T, Refusal>, code?: string): T {
  if (result.ok) return result.value;
  throw new CodedError(code ?? result.error.code, result.error.message);
}
