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
 */
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Checkpoint, nextEpoch, type Origin, parseOrigin } from '../codec/checkpoint.ts';
import { formatDidKey } from '../codec/did-key.ts';
import { sha256 } from '../codec/digest.ts';
import { generateKeyPair } from '../codec/ed25519.ts';
import {
  formatSignerKey,
  formatVerifierKey,
  noteSigner,
  parseSignerKey,
  parseVerifierKey,
  type Signer,
  type Verifier,
} from '../codec/note.ts';
import { digestText, type EventId, parseStreamId } from '../codec/record.ts';
import { toHex } from '../core/bytes.ts';
import type { Clock } from '../core/clock.ts';
import { CodedError, hasCode } from '../core/errors.ts';
import { RESERVE_BYTES } from '../core/limits.ts';
import type { Random } from '../core/random.ts';
import { type Refusal, type Result, unwrap } from '../core/result.ts';
import type { ProcessIdentity } from '../core/system.ts';
import { uuidv7 } from '../core/uuid.ts';
import { type Anchor, contradiction, fileAnchor } from './anchor.ts';
import type { EventLog } from './event-log.ts';
import { Journal } from './journal.ts';
import { LmdbStore } from './lmdb-store.ts';
import { recoverTree } from './recover.ts';
import { holdReserve, releaseReserve } from './reserve.ts';
import { logEvent } from './vocabulary.ts';

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
};

/**
 * Makes a log and its key. The default node name is taken from the key, so that no two logs share an origin by accident.
 * @throws `log.exists` the directory holds something · `log.origin_taken` an anchor of that origin is there
 */
export async function createLog(
  directory: string,
  options: { readonly anchors: string; readonly realm?: string; readonly node?: string },
  random: Random,
): Promise<{ readonly origin: Origin; readonly verifierKey: string }> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  if ((await readdir(directory)).length > 0) {
    throw new CodedError('log.exists', `expected an empty or missing directory, found something in ${directory}`);
  }
  const pair = generateKeyPair(random);
  const node = options.node ?? toHex(sha256(pair.publicKey.bytes)).slice(0, 16);
  const origin = orThrow(parseOrigin(`${options.realm ?? 'local'}/${node}/log/0`));
  const anchor = fileAnchor(options.anchors, origin, noteSigner(origin, pair));
  if (existsSync(anchor.place)) {
    throw new CodedError('log.origin_taken', `expected no log named ${origin}, found its anchor ${anchor.place}`);
  }
  await writeFile(join(directory, 'log.key'), `${formatSignerKey(origin, pair)}\n`, { mode: 0o600, flag: 'wx' });
  const verifierKey = formatVerifierKey(origin, pair.publicKey);
  await writeFile(join(directory, 'log.vkey'), `${verifierKey}\n`);
  LmdbStore.create(join(directory, 'epoch-0'), origin);
  return { origin, verifierKey };
}

/**
 * Opens the log for writing.
 * @throws `log.not_found` · `log.locked` · `log.damaged` · `log.key_unusable` · `log.rolled_back` and `log.forked` (D1) ·
 *   `anchor.missing` (D2) · `anchor.damaged`
 */
export async function openLog(directory: string, options: OpenOptions, ports: LogPorts): Promise<EventLog> {
  const folder = join(directory, `epoch-${await currentEpoch(directory)}`);
  const reserve = join(folder, 'reserve');
  const hasRoom = await holdReserve(reserve, options.reserveBytes ?? RESERVE_BYTES);
  if (!hasRoom) await releaseReserve(reserve);
  const { identity, random, clock } = ports;
  const takeover = options.takeover === true;
  const store = LmdbStore.open(folder, { mode: 'write', identity, random, takeover });
  try {
    const tree = recoverTree(store);
    const signer = await readSigner(directory, store.origin);
    const anchor = fileAnchor(options.anchors, store.origin, signer);
    const wrong = await quarantineReason(anchor, store, tree, options.acceptMissingAnchor === true);
    if (wrong !== undefined) throw wrong;
    const log = new Journal({ store, tree, clock, signer, did: formatDidKey(signer.key), anchor });
    if (!hasRoom) await tellFull(log, options.reserveBytes ?? RESERVE_BYTES, ports);
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
  options: { readonly anchors: string; readonly reason: string; readonly reserveBytes?: number },
  ports: LogPorts,
): Promise<{ readonly origin: Origin; readonly after: { readonly origin: Origin; readonly size: number } }> {
  const signerOf = (origin: Origin): Promise<Signer> => readSigner(directory, origin);
  const old = await openReader(directory, ports.clock);
  try {
    const anchored = await fileAnchor(options.anchors, old.origin, await signerOf(old.origin)).read();
    const origin = nextEpoch(old.origin);
    const signer = await signerOf(origin);
    const epoch = Number(origin.slice(origin.lastIndexOf('/') + 1));
    const store = join(directory, `epoch-${epoch}`);
    LmdbStore.create(store, origin);
    await writeFile(join(directory, 'log.vkey'), `${formatVerifierKey(origin, signer.key)}\n`);
    const successor = await openLog(directory, options, ports);
    await using _ = successor;
    const payload = {
      origin: old.origin as string,
      size: old.size,
      root: digestText(old.root()) as string,
      reason: options.reason,
      ...(anchored === undefined
        ? {}
        : { anchored: { size: anchored.size, root: digestText(anchored.root) as string } }),
      streams: Object.fromEntries(streamHeads(old)),
    };
    const stream = unwrap(parseStreamId('log'), 'a stream in the source');
    const event = logEvent('log.succeeded', payload, { id: newId(ports), actor: successor.did });
    await successor.append([{ stream, expected: 'none', events: [event] }]);
    await successor.checkpoint();
    return { origin, after: { origin: old.origin, size: old.size } };
  } finally {
    await old[Symbol.asyncDispose]();
  }
}

/** What the anchor has to say against this log, if anything. */
export async function quarantineReason(
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
  const stream = unwrap(parseStreamId('log'), 'a stream in the source');
  const [last] = log.size === 0 ? [] : [...log.read(log.size - 1)];
  if (last?.type !== 'log.filled') {
    const payload = { size: log.size, reserve_bytes: reserveBytes };
    const event = logEvent('log.filled', payload, { id: newId(ports), actor: log.did });
    await log.append([{ stream, expected: 'any', events: [event] }]);
  }
  log.stop(new CodedError('log.full', 'expected room on the disk, found none: make room, then open the log again'));
}

function* streamHeads(log: EventLog): Generator<[string, { readonly version: number; readonly leaf: string }]> {
  for (const stream of log.streams()) {
    const version = log.versionOf(stream);
    for (const { index } of log.readStream(stream, version))
      yield [stream, { version, leaf: digestText(log.leaf(index)) }];
  }
}

function newId(ports: LogPorts): EventId {
  return uuidv7(ports.clock, ports.random) as EventId;
}

async function currentEpoch(directory: string): Promise<number> {
  const names = await readdirOrNone(directory);
  const epochs = names.flatMap((name) =>
    /^epoch-(0|[1-9]\d*)$/.test(name) ? [Number(name.slice('epoch-'.length))] : [],
  );
  if (epochs.length === 0) throw new CodedError('log.not_found', `expected a log in ${directory}, found none`);
  return Math.max(...epochs);
}

async function readdirOrNone(directory: string): Promise<readonly string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR')) return [];
    throw error;
  }
}

async function readSigner(directory: string, origin: Origin): Promise<Signer> {
  const signer = orThrow(parseSignerKey(await readKey(join(directory, 'log.key'))), 'log.key_unusable');
  return noteSigner(origin, signer.pair);
}

async function readVerifier(directory: string, origin: Origin): Promise<Verifier> {
  const verifier = orThrow(parseVerifierKey(await readKey(join(directory, 'log.vkey'))), 'log.key_unusable');
  if (verifier.name === origin) return verifier;
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
