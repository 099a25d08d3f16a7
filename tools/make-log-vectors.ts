/**
 * `node tools/make-log-vectors.ts`: writes `docs/spec/vectors/log.json`, examples of every part of docs/spec/log.md for those who
 * write another implementation. Made from a fixed seed; a test keeps the file equal to what this makes.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseOrigin, signCheckpoint } from '../runtime/codec/checkpoint.ts';
import { type Digest, sha256 } from '../runtime/codec/digest.ts';
import { keyPairFromSeed } from '../runtime/codec/ed25519.ts';
import { consistencyProof, hashLeaf, inclusionProof, rootOf } from '../runtime/codec/merkle.ts';
import { formatSignerKey, formatVerifierKey, noteSigner } from '../runtime/codec/note.ts';
import { decodeRecord, digestText, encodeRecord, type LogRecord, type Payload } from '../runtime/codec/record.ts';
import { encodeBundle, TILE_WIDTH, tilePath } from '../runtime/codec/tile.ts';
import type { Millis } from '../runtime/core/brand.ts';
import { toHex, utf8 } from '../runtime/core/bytes.ts';
import { unwrap } from '../runtime/core/result.ts';
import { eventId, streamId, TESTER } from '../runtime/log/event.fixture.ts';
import * as layout from '../runtime/log/layout.ts';
import { Tiling } from '../runtime/log/tiling.ts';
import { eventType } from '../runtime/log/vocabulary.ts';

export const VECTORS = join(import.meta.dirname, '../docs/spec/vectors/log.json');

const SEED = sha256(utf8('docs/spec/vectors/log.json'));
const SIZE = 300;
const origin = unwrap(parseOrigin('example/vectors/log/0'), 'an origin');
const pair = keyPairFromSeed(SEED);
const signer = noteSigner(origin, pair);
const digest = (text: string) => digestText(sha256(utf8(text)));

/** The whole file, as text. */
export function logVectors(): string {
  const records = Array.from({ length: SIZE }, (_, index) => encodeRecord(recordAt(index)));
  const leaves = records.map(hashLeaf);
  const vectors = {
    about: 'Examples of docs/spec/log.md, made by tools/make-log-vectors.ts. Hashes and bytes are hexadecimal.',
    key: {
      origin,
      originDigest: digestText(sha256(utf8(origin))),
      seed: toHex(SEED),
      publicKey: toHex(pair.publicKey.bytes),
      signerKey: formatSignerKey(origin, pair),
      verifierKey: formatVerifierKey(origin, pair.publicKey),
    },
    records: records.slice(0, RICH.length + 2).map((record, index) => ({
      record: Buffer.from(record).toString('utf8'),
      leaf: toHex(leaves[index] as Digest),
    })),
    notRecords: NOT_RECORDS.map(([why, spoil]) =>
      refused(why, spoil(Buffer.from(records[1] as Uint8Array).toString('utf8'))),
    ),
    tree: treeOf(records, leaves),
    file: fileExamples(leaves),
  };
  return `${JSON.stringify(vectors, null, 1)}\n`;
}

/** Every optional field and every kind of payload once; the records after these are plain. */
const RICH: readonly (Partial<LogRecord> & { readonly payload: Payload })[] = [
  { payload: { type: 'json', value: null } },
  {
    payload: {
      type: 'json',
      value: { a: [1, -0.5, 1e21, 1e-7, 123456789012345680000], b: 'é\u2028\n"\\/\u0001', '': {}, ﬀ: 1, '😀': 2 },
    },
  },
  { payload: { type: 'bytes', media: 'application/octet-stream', bytes: Uint8Array.of(0, 255, 16) } },
  { payload: { type: 'blob', media: 'text/plain', digest: digest('a blob'), length: 5_000 } },
  {
    principal: TESTER,
    correlation: eventId(77),
    cause: { origin: digest('other/log/log/3'), index: 5, leaf: digest('a leaf') },
    envelope: digest('an envelope'),
    decision: {
      verdict: 'escalate',
      code: 'approval.required',
      rule: 'large-orders',
      policy: digest('a policy'),
      trust: { score: 640, asOf: 3 },
      delegations: ['bafkreia', 'bafkreib'],
      epochs: { trust: 1, revocation: 2, kill: 0 },
    },
    payload: { type: 'json', value: { cents: 120_000 } },
    erasure: { subject: 'subject-9', key: 'key-1' },
    replay: 'intent',
  },
  { typeVersion: 2, payload: { type: 'json', value: [] }, replay: 'outcome' },
];

function recordAt(index: number): LogRecord {
  return {
    origin: digestText(sha256(utf8(origin))),
    index,
    id: eventId(index),
    stream: streamId(`example/${index % 3}`),
    version: Math.floor(index / 3),
    type: eventType('import.recorded'),
    typeVersion: 1,
    wallMs: (1_700_000_000_000 + Math.floor(index / 4)) as Millis,
    counter: index % 4,
    actor: TESTER,
    payload: { type: 'json', value: { n: index } },
    replay: 'state',
    ...RICH[index],
  };
}

/** What is done to a sound record, and why the result is none. */
const NOT_RECORDS: readonly (readonly [string, (text: string) => string])[] = [
  ['white space', (text) => text.replace(':', ': ')],
  ['a line feed at the end', (text) => `${text}\n`],
  ['another version', (text) => text.replace('"v":1', '"v":2')],
  ['a member missing', (text) => text.replace('"tv":1,', '')],
  ['an unknown member', (text) => text.replace(',"r":', ',"q":1,"r":')],
  ['a member twice', (text) => text.replace('"tv":1', '"tv":1,"tv":1')],
  ['members out of order', (text) => text.replace('"v":1,', '').replace('}}', '},"v":1}')],
  ['a member that is null', (text) => text.replace(',"x":', ',"p":null,"x":')],
  ['a number past 2^53', (text) => text.replace(/"w":\d+/, '"w":9007199254740992')],
  ['a number with a fraction', (text) => text.replace('"i":1', '"i":1.0')],
  ['a number with an exponent', (text) => text.replace('1e+21', '1e21')],
  ['a negative zero', (text) => text.replace('-0.5', '-0')],
  ['a number that a double changes', (text) => text.replace('123456789012345680000', '123456789012345678901')],
  ['payload members out of order', (text) => text.replace(/"a":(\[.*?\]),"b":("[^,]*")/, '"b":$2,"a":$1')],
  ['an escape that need not be', (text) => text.replace('é', '\\u00e9')],
  [
    'an escape in capitals',
    (text) => text.replace('\\u0001', '\\u0001'.toUpperCase().replace('U', 'u')).replace('\\n', '\\u000A'),
  ],
  ['an escaped slash', (text) => text.replace('\\\\/', '\\\\\\/')],
  ['a lone surrogate', (text) => text.replace('é', '\\ud800')],
  ['a UUID in capitals', (text) => text.replace('"id":"0', '"id":"A')],
  ['a digest with stray bits', (text) => text.replace(/"o":"(.{42})./, '"o":"$1B')],
  ['a type of one word', (text) => text.replace('import.recorded', 'imported')],
  ['an unknown replay class', (text) => text.replace('"r":"state"', '"r":"other"')],
  ['a byte order mark', (text) => `\ufeff${text}`],
];

function refused(why: string, text: string): object {
  const decoded = decodeRecord(utf8(text));
  if (decoded.ok) throw new Error(`expected a vector of no record: ${why}`);
  return { why, bytes: toHex(utf8(text)), code: decoded.error.code, offset: decoded.error.offset };
}

function treeOf(records: readonly Uint8Array[], leaves: readonly Digest[]): object {
  const full: { readonly path: string; readonly digest: string }[] = [];
  const note = ({ level, number, bytes }: { level: number; number: number; bytes: Uint8Array }): void => {
    full.push({ path: tilePath(level, number, bytes.length / 32), digest: toHex(sha256(bytes)) });
  };
  const tiling = new Tiling(note);
  for (const leaf of leaves) tiling.append(leaf);
  for (const tile of tiling.partial()) note(tile);
  for (let first = 0; first < SIZE; first += TILE_WIDTH) {
    const bundle = records.slice(first, first + TILE_WIDTH);
    full.push({
      path: tilePath('entries', first / TILE_WIDTH, bundle.length),
      digest: toHex(sha256(encodeBundle(bundle))),
    });
  }
  const node = (level: number, index: number): Digest =>
    rootOf(leaves.slice(index * 2 ** level, (index + 1) * 2 ** level));
  const rootAt = (size: number): Digest => rootOf(leaves.slice(0, size));
  return {
    plainRecord: 'record i from 6 on: as those above, with the payload {"j":{"n":i}}',
    leaves: leaves.map(toHex),
    roots: [0, 1, 2, 3, 4, 5, 7, 8, 255, 256, 257, SIZE].map((size) => ({ size, root: toHex(rootAt(size)) })),
    tilesAndBundles: full,
    inclusion: [0, 1, 255, 299].map((index) => ({
      index,
      size: SIZE,
      proof: inclusionProof(index, SIZE, node).map(toHex),
    })),
    consistency: [1, 255, 256, 299].map((oldSize) => ({
      oldSize,
      newSize: SIZE,
      proof: consistencyProof(oldSize, SIZE, node).map(toHex),
    })),
    checkpoints: [0, 1, SIZE].map((size) =>
      Buffer.from(signCheckpoint({ origin, size, root: rootAt(size) }, signer)).toString('utf8'),
    ),
  };
}

/** Keys and values of the LMDB file. */
function fileExamples(leaves: readonly Digest[]): object {
  const hex = (bytes: Uint8Array): string => toHex(bytes);
  const head = { size: 2, wallMs: 1_700_000_000_000 as Millis, counter: 1, frontier: [rootOf(leaves.slice(0, 2))] };
  return {
    entries: { first: 256, key: hex(layout.u64(256)) },
    tiles: { level: 1, number: 300, key: hex(layout.tileKey(1, 300)) },
    streams: {
      run: { stream: 'example/0', version: 2, indexes: [6, 9] },
      key: hex(layout.runKey('example/0', 2)),
      value: hex(layout.runValue([6, 9])),
    },
    ids: { id: eventId(5), key: hex(layout.idKey(eventId(5))), index: 5, value: hex(layout.u64(5)) },
    meta: {
      format: Buffer.from(layout.formatValue(origin)).toString('utf8'),
      head: Buffer.from(layout.headValue(head)).toString('utf8'),
    },
  };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) writeFileSync(VECTORS, logVectors());
