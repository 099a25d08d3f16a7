/**
 * The specification against the code: `docs/spec/verify_export.py` was written from docs/spec/log.md, and the two must agree about
 * every export, sound or not.
 */
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseOrigin, signCheckpoint } from '../codec/checkpoint.ts';
import { generateKeyPair } from '../codec/ed25519.ts';
import { hashLeaf } from '../codec/merkle.ts';
import { formatVerifierKey, noteSigner, parseVerifierKey } from '../codec/note.ts';
import { encodeBundle, tilePath } from '../codec/tile.ts';
import { describeWith } from '../core/program.fixture.ts';
import { unwrap } from '../core/result.ts';
import { seededRandom } from '../core/simulation.ts';
import { fill, type TestDirectory, testDirectory } from './directory.fixture.ts';
import { exportLog } from './export.ts';
import { verifyExport } from './verify-export.ts';

const script = join(import.meta.dirname, '../../docs/spec/verify_export.py');

type Verdict = { readonly isSound: boolean; readonly text: string };

async function asOutsider(directory: string, key: string): Promise<Verdict> {
  try {
    const { stdout } = await promisify(execFile)('python3', ['-I', script, directory, key]);
    return { isSound: true, text: stdout };
  } catch (error) {
    const { code, stderr } = error as { readonly code: unknown; readonly stderr: string };
    if (code !== 1 || !stderr.startsWith('not sound: ')) throw error;
    return { isSound: false, text: stderr };
  }
}

describeWith('python3', 'an outsider with the specification', () => {
  let at: TestDirectory;
  let out: string;
  beforeAll(async () => {
    at = await testDirectory();
    out = join(at.path, 'out');
    await using log = await at.open();
    await fill(log, 0, 300);
    await exportLog(log, out);
  });
  afterAll(() => at[Symbol.dispose]());

  test.each([0, 1, 256, 520])('finds an export of %i events sound, with the same root', async (size) => {
    using log = await testDirectory();
    const place = join(log.path, 'out');
    await using opened = await log.open();
    await fill(opened, 0, size);
    const { checkpoint } = await exportLog(opened, place);

    const { isSound, text } = await asOutsider(place, log.verifierKey);

    expect(isSound).toBe(true);
    expect(text).toContain(`size   ${size}\nroot   ${Buffer.from(checkpoint.root).toString('base64')}\n`);
  });

  test('refuses the key of another log', async () => {
    using other = await testDirectory('other');

    expect(await asOutsider(out, other.verifierKey)).toMatchObject({ isSound: false });
  });

  test.each(['checkpoint', 'log.vkey', 'tile/0/000', 'tile/0/001.p/44', 'tile/1/000.p/1', 'tile/entries/001.p/44'])(
    'finds any changed bit of %s',
    async (path) => {
      const random = seededRandom(path);
      for (let n = 0; n < 6; n++) {
        const copy = join(at.path, `${path.replaceAll('/', '-')}-${n}`);
        cpSync(out, copy, { recursive: true });
        const bytes = readFileSync(join(copy, path));
        const byte = random.below(bytes.length);
        bytes[byte] = (bytes[byte] ?? 0) ^ (1 << random.below(8));
        writeFileSync(join(copy, path), bytes);

        expect(await asOutsider(copy, at.verifierKey)).toMatchObject({ isSound: false });
      }
    },
  );

  test('agrees with us which bytes are a record, whoever signs them', async () => {
    const pair = generateKeyPair(seededRandom('any'));
    const origin = unwrap(parseOrigin('example/vectors/log/0'), 'an origin');
    const key = formatVerifierKey(origin, pair.publicKey);
    const verifier = unwrap(parseVerifierKey(key), 'our own key');
    const disagreed: string[] = [];
    let sound = 0;
    for (const [n, record] of candidates().entries()) {
      const directory = join(at.path, `candidate-${n}`);
      const leaf = hashLeaf(record);
      const files = {
        'log.vkey': `${key}\n`,
        checkpoint: signCheckpoint({ origin, size: 1, root: leaf }, noteSigner(origin, pair)),
        [tilePath(0, 0, 1)]: leaf,
        [tilePath('entries', 0, 1)]: encodeBundle([record]),
      };
      for (const [path, bytes] of Object.entries(files)) {
        mkdirSync(dirname(join(directory, path)), { recursive: true });
        writeFileSync(join(directory, path), bytes);
      }

      const [ours, theirs] = [await verifyExport(directory, verifier), await asOutsider(directory, key)];

      if (theirs.isSound) sound += 1;
      if ((ours.problemCount === 0) !== theirs.isSound) {
        disagreed.push(`${Buffer.from(record).toString('utf8')}: ${theirs.text} ${JSON.stringify(ours.problems)}`);
      }
    }
    expect(disagreed).toEqual([]);
    expect(sound).toBeGreaterThan(60);
  });
});

/** Records as the only ones of a log, sound and not: the examples of the specification, and small changes to them. */
function candidates(): readonly Uint8Array[] {
  const file = join(import.meta.dirname, '../../docs/spec/vectors/log.json');
  const vectors = JSON.parse(readFileSync(file, 'utf8')) as {
    readonly records: readonly { readonly record: string }[];
    readonly notRecords: readonly { readonly bytes: string }[];
  };
  const random = seededRandom('candidates');
  const alone = vectors.records
    .map(({ record }) => record.replace(/"i":\d+/, '"i":0').replace(/"n":\d+,"t"/, '"n":0,"t"'))
    .filter((record) => !record.includes('"h":') || record.includes('"u":')); // blobs are not at hand
  const spoilt = vectors.notRecords.map(({ bytes }) =>
    Buffer.from(bytes, 'hex').toString('utf8').replace('"i":1,', '"i":0,'),
  );
  const changed = Array.from({ length: 120 }, () => {
    const text = alone[random.below(alone.length)] ?? '';
    const place = random.below(text.length);
    const insert = PIECES[random.below(PIECES.length)] ?? '';
    return text.slice(0, place) + insert + text.slice(place + random.below(2));
  });
  const numbers = Array.from({ length: 60 }, () => {
    const value = new DataView(Uint8Array.from(random.bytes(8)).buffer).getFloat64(0);
    return alone[0]?.replace('{"j":null}', `{"j":${JSON.stringify(Number.isNaN(value) ? 0 : value)}}`) ?? '';
  });
  return [...alone, ...spoilt, ...changed, ...numbers].map((text) => Buffer.from(text, 'utf8'));
}

/** What a small change may put in: every character that JSON or the record's grammar gives a meaning. */
const PIECES = [
  '',
  '0',
  '1',
  '9',
  'a',
  'A',
  '"',
  '\\',
  ',',
  ':',
  '{',
  '}',
  '[',
  ']',
  ' ',
  '-',
  '.',
  'e',
  '+',
  '/',
  'é',
  '_',
  '\n',
  '\\u0041',
  '😀',
];
