import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { formatDidKey } from '../runtime/codec/did-key.ts';
import { generateKeyPair, seedOf } from '../runtime/codec/ed25519.ts';
import { toBase64url } from '../runtime/core/bytes.ts';
import { systemRandom } from '../runtime/core/system.ts';
import { asUser, testAsRoot } from '../runtime/core/users.fixture.ts';
import { inspectKeyFile, readKeyFile, writeKeyFile } from './key-file.ts';

const directory = mkdtempSync(join(tmpdir(), 'ringmesh-keys-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const pair = generateKeyPair(systemRandom);
const at = (name: string): string => join(directory, name);
const coded = (code: string): unknown => expect.objectContaining({ code });

test('a key comes back from its file, which is its owner’s alone and is never overwritten', () => {
  const path = at('plain');
  writeKeyFile(path, { purpose: 'node', pair }, systemRandom);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(seedOf(readKeyFile(path, 'node'))).toEqual(seedOf(pair));
  expect(() => writeKeyFile(path, { purpose: 'node', pair }, systemRandom)).toThrow(coded('key.exists'));
});

test('a key under a passphrase is not in its file, and opens with that passphrase only', () => {
  const path = at('sealed');
  writeKeyFile(path, { purpose: 'sponsor', pair, passphrase: 'correct horse' }, systemRandom);
  expect(readFileSync(path, 'utf8')).not.toContain(toBase64url(seedOf(pair)));
  expect(seedOf(readKeyFile(path, 'sponsor', 'correct horse'))).toEqual(seedOf(pair));
  expect(() => readKeyFile(path, 'sponsor')).toThrow(coded('key.locked'));
  expect(() => readKeyFile(path, 'sponsor', 'battery staple')).toThrow(coded('key.wrong_passphrase'));
  const renamed = at('renamed');
  writeFileSync(renamed, readFileSync(path, 'utf8').replace('"sponsor"', '"operator"'), { mode: 0o600 });
  expect(() => readKeyFile(renamed, 'operator', 'correct horse')).toThrow(coded('key.wrong_passphrase'));
});

test('K1: a file that others can read is not used', () => {
  const path = at('exposed');
  writeKeyFile(path, { purpose: 'login', pair }, systemRandom);
  for (const mode of [0o640, 0o604, 0o620, 0o666]) {
    chmodSync(path, mode);
    expect(() => readKeyFile(path, 'login')).toThrow(coded('key.exposed'));
  }
});

test('K1: a link, a folder and a pipe are not used, and nobody waits for a pipe', () => {
  writeKeyFile(at('linked'), { purpose: 'login', pair }, systemRandom);
  symlinkSync(at('linked'), at('link'));
  mkdirSync(at('folder'));
  execFileSync('mkfifo', ['-m', '600', at('pipe')]);
  for (const name of ['link', 'folder', 'pipe']) {
    expect(() => readKeyFile(at(name), 'login')).toThrow(coded('key.not_plain'));
    expect(() => inspectKeyFile(at(name))).toThrow(coded('key.not_plain'));
  }
});

testAsRoot('K1: a file of another user is not used', () => {
  writeKeyFile(at('foreign'), { purpose: 'login', pair }, systemRandom);
  chownSync(at('foreign'), 12_345, 12_345);
  expect(() => readKeyFile(at('foreign'), 'login')).toThrow(coded('key.exposed'));
});

/** As containers run that are given a user by number. */
const NAMELESS = 54_321;
testAsRoot('a user of no name reads his key files, and finds out by himself whose they are', () => {
  const folder = at('nameless');
  mkdirSync(folder);
  for (const path of [directory, folder]) chownSync(path, NAMELESS, NAMELESS);

  asUser(NAMELESS, () => {
    expect(() => userInfo()).toThrow(coded('ERR_SYSTEM_ERROR')); // the machine knows no name for him
    const own = join(folder, 'own');
    writeKeyFile(own, { purpose: 'login', pair }, systemRandom);
    expect(readKeyFile(own, 'login').publicKey).toEqual(pair.publicKey);
    expect(inspectKeyFile(own).flaw).toBeUndefined();
  });
  chownSync(directory, 0, 0);
});

test('a key file tells what it is to who has no passphrase', () => {
  writeKeyFile(at('told'), { purpose: 'node', pair, passphrase: 'x' }, systemRandom);
  const key = formatDidKey(pair.publicKey);
  expect(inspectKeyFile(at('told'))).toEqual({ key, purpose: 'node', isEncrypted: true, mode: '600', flaw: undefined });
});

test('K3: a key is not used for anything else', () => {
  const path = at('purpose');
  writeKeyFile(path, { purpose: 'login', pair }, systemRandom);
  expect(() => readKeyFile(path, 'node')).toThrow(coded('key.wrong_purpose'));
});

test.each([
  ['nothing', ''],
  ['no JSON', 'PRIVATE KEY'],
  ['a member too many', '{"a":1}'],
  ['another key than it names', undefined],
  ['too much', 'x'.repeat(2_000)],
])('a file that holds %s is refused, and the message shows no secret', (name, content) => {
  const path = at(`bad-${name}`);
  writeKeyFile(at(`good-${name}`), { purpose: 'node', pair: generateKeyPair(systemRandom) }, systemRandom);
  const other = readFileSync(at(`good-${name}`), 'utf8').replace(
    /"seed":"[^"]+"/,
    `"seed":"${toBase64url(seedOf(pair))}"`,
  );
  writeFileSync(path, content ?? other, { mode: 0o600 });
  expect(() => readKeyFile(path, 'node')).toThrow(coded('key.malformed'));
  expect(() => readKeyFile(path, 'node')).not.toThrow(new RegExp(toBase64url(seedOf(pair))));
});

test('a file that is not there is said to be not there', () => {
  expect(() => readKeyFile(at('none'), 'node')).toThrow(coded('key.not_found'));
});
