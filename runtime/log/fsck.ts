/**
 * Verification of a whole log, level 1: every record, tile, index, blob and checkpoint of every epoch that is there, the
 * keys, and the anchor. It reads beside a writer, sees one moment (W1), and changes nothing.
 *
 * A file that is damaged below LMDB's own checks can end a process by a signal or keep it busy for ever. Whoever verifies what
 * a stranger may have touched does so in a process of its own: `verifyInChild`.
 *
 * Not looked at: snapshots (a cache that says itself whether it fits) and the reserve.
 */
import { Buffer } from 'node:buffer';
import { existsSync } from 'node:fs';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { type Checkpoint, nextEpoch, type Origin } from '../codec/checkpoint.ts';
import { EMPTY_ROOT } from '../codec/merkle.ts';
import { noteVerifier, type Verifier } from '../codec/note.ts';
import { type DigestText, digestText, type LogRecord } from '../codec/record.ts';
import { equalBytes, utf8, view } from '../core/bytes.ts';
import { CodedError, hasCode, messageOf } from '../core/errors.ts';
import { contradiction, fileAnchor } from './anchor.ts';
import { Findings, PROBLEMS_MAX, type Problem } from './findings.ts';
import { type EpochEnd, verifyEpoch } from './fsck-epoch.ts';
import { parseFormat } from './layout.ts';
import { epochsOf, readSigner, readVerifier } from './log-directory.ts';
import { RawTables } from './raw-tables.ts';
import { LOG_EVENTS } from './vocabulary.ts';

export type VerifyOptions = {
  /** The folder of the anchors; without it the log is verified as it is, and an older copy of it passes. */
  readonly anchors?: string;
  /** Called now and then with the records verified so far and all there are, of the epoch under way. */
  readonly progress?: (done: number, size: number) => void;
  readonly signal?: AbortSignal;
};

/** What the anchor says: `unasked` without a folder of anchors, `none` for a log that has never signed. */
export type AnchorState = 'unasked' | 'none' | 'agrees' | 'contradicts' | 'missing' | 'unreadable';

/** Plain data, so that it can cross processes and be printed. */
export type LogReport = {
  /** Of the current epoch; empty when its file does not tell. */
  readonly origin: string;
  /** Records verified, in the current epoch. */
  readonly size: number;
  /** Of those records; absent when one is missing. */
  readonly root?: DigestText;
  readonly checkpoints: number;
  readonly anchor: AnchorState;
  /** The epochs that were there to be verified, oldest first. */
  readonly epochs: readonly number[];
  /** At most 100, those with an index first, in its order; those of the current epoch before those of earlier ones. */
  readonly problems: readonly Problem[];
  readonly problemCount: number;
};

/** Verifies a log. What is wrong with it is in the report; an exception means that nothing could be looked at.
 *  @throws `log.not_found` · the signal's reason */
export async function verifyLog(directory: string, options: VerifyOptions = {}): Promise<LogReport> {
  const numbers = await epochsOf(directory);
  if (numbers.length === 0) throw new CodedError('log.not_found', `expected a log in ${directory}, found none`);
  const current = numbers.at(-1);
  const epochs: Epoch[] = [];
  for (const number of numbers) {
    const findings = new Findings(number === current ? '' : `epoch-${number}: `);
    const anchors = number === current ? options.anchors : undefined;
    const epoch = await verifyOne({ directory, number, findings, anchors }, options);
    checkSuccession(epoch, epochs.at(-1));
    epochs.push(epoch);
  }
  return reportOf(epochs.toReversed());
}

type Where = {
  readonly directory: string;
  readonly number: number;
  readonly findings: Findings;
  readonly anchors: string | undefined;
};

type Epoch = {
  readonly number: number;
  readonly findings: Findings;
  readonly anchor: AnchorState;
  /** Absent when the file cannot be read at all. */
  readonly origin?: Origin;
  readonly end?: EpochEnd;
  /** The JSON of record 0, inline or not. */
  readonly firstPayload?: unknown;
};

async function verifyOne(where: Where, options: VerifyOptions): Promise<Epoch> {
  const { directory, number, findings, anchors } = where;
  const folder = join(directory, `epoch-${number}`);
  const epoch: Epoch = { number, findings, anchor: 'unasked' };
  const origin = await originOf(folder, findings);
  if (origin === undefined) return epoch;
  if (Number(origin.slice(origin.lastIndexOf('/') + 1)) !== number) {
    findings.add('log.bad_layout', 'meta "format"', `expected an origin of epoch ${number}, found ${origin}`);
  }
  const verifier = await readKeys(where, origin);
  // Before the tables: a writer may sign and anchor more while they are read, but what was anchored before is in them.
  const held = await readAnchor(anchors, origin, verifier, findings);
  const { onProgress, onWork } = progressReporter(folder, options);
  const tables = openTables(folder, findings, onWork);
  if (tables === undefined) return { ...epoch, origin };
  await using _ = tables;
  const end = await verifyEpoch({ tables, origin, verifier, anchored: held.checkpoint, findings, onProgress });
  const anchor = held.state ?? judge(held, end, findings);
  const firstPayload = end.first && findings.guard('record 0', () => payloadOf(end.first as LogRecord, tables), 0);
  return { ...epoch, origin, end, anchor, firstPayload };
}

function openTables(folder: string, findings: Findings, onWork?: () => void): RawTables | undefined {
  return findings.guard('data.mdb', () => new RawTables(folder, onWork));
}

async function originOf(folder: string, findings: Findings): Promise<Origin | undefined> {
  const tables = openTables(folder, findings);
  if (tables === undefined) return undefined;
  await using _ = tables;
  return findings.guard('meta "format"', () => {
    const known = parseFormat(tables.get('meta', view(utf8('format'))) ?? new Uint8Array(0));
    if (known === undefined) throw new CodedError('log.damaged', 'expected a log of format 1 or 2');
    return known.origin;
  });
}

/** The log's verifier key, from `log.vkey` or, failing that, from `log.key`; the two must be one pair. */
async function readKeys({ directory, number, findings }: Where, origin: Origin): Promise<Verifier | undefined> {
  const newest = (await epochsOf(directory)).at(-1) ?? number;
  const newestOrigin = `${origin.slice(0, origin.lastIndexOf('/') + 1)}${newest}` as Origin;
  const [open, secret] = await Promise.all([
    readOr(
      () => readVerifier(directory, newestOrigin),
      (error) => findings.add('log.bad_key', 'log.vkey', messageOf(error)),
    ),
    readOr(
      () => readSigner(directory, newestOrigin),
      (error) => {
        // A copy for others has no secret key, and a reader may not be allowed to see it.
        const isAbsent = !existsSync(join(directory, 'log.key')) || hasCode(error, 'EACCES');
        if (!isAbsent) findings.add('log.bad_key', 'log.key', messageOf(error));
      },
    ),
  ]);
  if (open !== undefined && secret !== undefined && !equalBytes(open.key.bytes, secret.key.bytes)) {
    findings.add('log.bad_key', 'log.vkey', 'expected the public half of log.key');
  }
  const key = (open ?? secret)?.key;
  return key && noteVerifier(origin, key);
}

async function readOr<T>(read: () => Promise<T>, onError: (error: unknown) => void): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    onError(error);
    return undefined;
  }
}

// --- the anchor ------------------------------------------------------------------------------------------------------

type Held = { readonly checkpoint?: Checkpoint; readonly state?: AnchorState; readonly place: string };

async function readAnchor(
  anchors: string | undefined,
  origin: Origin,
  verifier: Verifier | undefined,
  findings: Findings,
): Promise<Held> {
  if (anchors === undefined) return { state: 'unasked', place: '' };
  if (verifier === undefined) return { state: 'unreadable', place: anchors };
  const anchor = fileAnchor(anchors, origin, verifier);
  let state: AnchorState | undefined;
  const checkpoint = await readOr(
    () => anchor.read(),
    (error) => {
      state = 'unreadable';
      findings.add('anchor.damaged', anchor.place, messageOf(error));
    },
  );
  return { place: anchor.place, ...(checkpoint && { checkpoint }), ...(state && { state }) };
}

function judge({ checkpoint, place }: Held, end: EpochEnd, findings: Findings): AnchorState {
  if (checkpoint === undefined) {
    if (end.checkpoints === 0) return 'none';
    findings.add('anchor.missing', place, 'expected the anchor of a log that has signed, found none');
    return 'missing';
  }
  const wrong = contradiction(checkpoint, end.size, () => end.rootAtAnchor ?? EMPTY_ROOT);
  if (wrong === undefined) return 'agrees';
  // Records that are missing from a damaged file are a problem of their own; an anchor adds that they were signed.
  findings.add(wrong.code, 'anchor', wrong.message);
  return 'contradicts';
}

// --- epochs ----------------------------------------------------------------------------------------------------------

/** Record 0 of every epoch but the first says where the one before ended, and it must have ended there. */
function checkSuccession(epoch: Epoch, before: Epoch | undefined): void {
  if (epoch.number === 0 || epoch.end === undefined) return;
  const fault = faultOfSuccession(epoch, before);
  if (fault !== undefined) epoch.findings.add('log.bad_succession', 'record 0', fault, { index: 0 });
}

function faultOfSuccession(
  { number, origin, end, firstPayload }: Epoch,
  before: Epoch | undefined,
): string | undefined {
  const parsed = LOG_EVENTS['log.succeeded'][1].safeParse(firstPayload);
  if (end?.first?.type !== 'log.succeeded' || !parsed.success) return 'expected a sound log.succeeded';
  if (before?.origin === undefined || before.end === undefined || before.number !== number - 1) return undefined;
  const { data } = parsed;
  if (data.origin !== before.origin || nextEpoch(before.origin) !== origin)
    return `expected to follow ${before.origin}`;
  const { size, root, streams } = before.end;
  if (data.size !== size || (root !== undefined && data.root !== digestText(root))) {
    return `expected the size ${size} and the root of ${before.origin}, found size ${data.size} or another root`;
  }
  const ends = new Map(data.streams.map((end) => [end.stream, end]));
  for (const [stream, { nextVersion, lastLeaf }] of streams) {
    const told = ends.get(stream);
    if (told?.version === nextVersion - 1 && told.leaf === digestText(lastLeaf)) continue;
    return `expected ${stream} at version ${nextVersion - 1}, as ${before.origin} has it`;
  }
  return data.streams.length === streams.size ? undefined : `expected ${streams.size} streams`;
}

function payloadOf({ payload }: LogRecord, tables: RawTables): unknown {
  switch (payload.type) {
    case 'json':
      return payload.value;
    case 'bytes':
      return undefined;
    case 'blob':
      return JSON.parse(
        (tables.get('blobs', Buffer.from(payload.digest, 'base64url')) ?? Buffer.alloc(0)).toString('utf8'),
      );
  }
}

// --- telling ---------------------------------------------------------------------------------------------------------

/** Bundles between two turns for others: about 30 ms of work. */
const BUNDLES_PER_TURN = 16;

type Reporter = {
  /** Nothing new to count, but it goes on. */
  readonly onWork: () => void;
  readonly onProgress: (done: number, size: number) => Promise<void>;
};

function progressReporter(folder: string, { progress, signal }: VerifyOptions): Reporter {
  let [bundles, counted]: [number, readonly [number, number]] = [0, [0, 0]];
  return {
    onWork: () => progress?.(...counted),
    async onProgress(done, size) {
      signal?.throwIfAborted();
      bundles += 1;
      counted = [done, size];
      if (bundles % BUNDLES_PER_TURN !== 0) return;
      progress?.(done, size);
      await access(folder); // any I/O gives the event loop a turn, so that a signal can come through
    },
  };
}

function reportOf(newestFirst: readonly Epoch[]): LogReport {
  const [current] = newestFirst;
  const end = current?.end;
  return {
    origin: current?.origin ?? '',
    size: end?.size ?? 0,
    ...(end?.root && { root: digestText(end.root) }),
    checkpoints: end?.checkpoints ?? 0,
    anchor: current?.anchor ?? 'unasked',
    epochs: newestFirst.map(({ number }) => number).toReversed(),
    problems: newestFirst.flatMap(({ findings }) => findings.problems).slice(0, PROBLEMS_MAX),
    problemCount: newestFirst.reduce((sum, { findings }) => sum + findings.count, 0),
  };
}
