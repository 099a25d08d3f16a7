import {
  chmodSync,
  cpSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { formatDidKey } from '../runtime/codec/did-key.ts';
import { generateKeyPair } from '../runtime/codec/ed25519.ts';
import { systemClock, systemRandom } from '../runtime/core/system.ts';
import { currentKey } from './identity.ts';
import {
  createAgentFolder,
  createKeyFolder,
  type KeyDisk,
  openAgentKeys,
  openNodeKeys,
  readKeyFolder,
  revokeAgent,
  rotateAgentKeys,
} from './key-folder.ts';
import { removeFile, writeNewFile } from './new-file.ts';

const root = mkdtempSync(join(tmpdir(), 'ringmesh-folders-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const ports = { clock: systemClock, random: systemRandom };
const sponsor = generateKeyPair(systemRandom);
const coded = (code: string): unknown => expect.objectContaining({ code });

function agentAt(name: string, passphrase?: string): string {
  const directory = join(root, name);
  const agent = { name: 'researcher', sponsor, ...(passphrase === undefined ? {} : { passphrase }) };
  createAgentFolder(directory, agent, ports);
  return directory;
}

class PowerCut extends Error {
  override readonly name = 'PowerCut';
}

/** A disk that does `steps` changes and then nothing more. */
function diskFor(steps: number): KeyDisk & { readonly done: () => number } {
  let done = 0;
  const step = (change: () => void): void => {
    if (done === steps) throw new PowerCut();
    done++;
    change();
  };
  return {
    create: (path, text) => step(() => writeNewFile(path, text, systemRandom)),
    remove: (path) => step(() => removeFile(path)),
    done: () => done,
  };
}

test('a node has a key for each purpose, all different, each its owner’s alone', () => {
  const directory = join(root, 'deep/er/node');
  createKeyFolder(directory, { kind: 'node' }, systemRandom);
  const { kind, did, keys, flaws } = readKeyFolder(directory);
  const { node, login, witness } = openNodeKeys(directory);
  expect({ kind, did, flaws }).toEqual({ kind: 'node', did: formatDidKey(node.publicKey), flaws: [] });
  expect(new Set([node, login, witness].map(({ publicKey }) => formatDidKey(publicKey))).size).toBe(3);
  expect([...keys.values()].map(({ mode }) => mode)).toEqual(['600', '600', '600']);
  expect(statSync(directory).mode & 0o777).toBe(0o700);
});

test('an operator signs as operator with one key and as sponsor with another', () => {
  const directory = join(root, 'operator');
  createKeyFolder(directory, { kind: 'operator' }, systemRandom);
  expect([...readKeyFolder(directory).keys.values()].map(({ purpose }) => purpose)).toEqual(['operator', 'sponsor']);
});

test('K4: an agent is who its statements prove, with its sponsor', () => {
  const directory = agentAt('agent');
  const { kind, did, identity } = readKeyFolder(directory);
  expect({ kind, sponsor: identity?.sponsor }).toEqual({ kind: 'agent', sponsor: formatDidKey(sponsor.publicKey) });
  expect(did).toMatch(/^did:mesh:researcher:/);
  expect(openAgentKeys(directory).key.publicKey.bytes).toEqual(openAgentKeys(directory).identity.keys[0]?.bytes);
});

test('a folder that holds something, or a file, is never made into another', () => {
  const directory = agentAt('taken');
  const before = readKeyFolder(directory).did;
  const file = join(root, 'file');
  writeFileSync(file, 'x');
  for (const path of [directory, file]) {
    expect(() => createKeyFolder(path, { kind: 'node' }, systemRandom)).toThrow(coded('key.exists'));
    expect(() => createAgentFolder(path, { name: 'a', sponsor }, ports)).toThrow(coded('key.exists'));
  }
  expect(readKeyFolder(directory).did).toBe(before);
  expect(readdirSync(root).filter((name) => name.endsWith('.unfinished'))).toEqual([]);
});

test('rotations keep the DID, end the key before, and leave two keys', () => {
  const directory = agentAt('rotated', 'correct horse');
  const { did } = readKeyFolder(directory);
  const first = openAgentKeys(directory, 'correct horse').key;
  rotateAgentKeys(directory, { passphrase: 'correct horse' }, ports);
  rotateAgentKeys(directory, { passphrase: 'correct horse' }, ports);
  const { identity, key } = openAgentKeys(directory, 'correct horse');
  expect({ did: identity.did, rotations: identity.keys.length - 1 }).toEqual({ did, rotations: 2 });
  expect(formatDidKey(key.publicKey)).toBe(formatDidKey(currentKey(identity)));
  expect(formatDidKey(key.publicKey)).not.toBe(formatDidKey(first.publicKey));
  expect(readdirSync(directory).filter((name) => name.endsWith('.key'))).toEqual(['agent-2.key', 'next-3.key']);
  expect(() => rotateAgentKeys(directory, { passphrase: 'wrong' }, ports)).toThrow(coded('key.wrong_passphrase'));
  expect(() => rotateAgentKeys(directory, {}, ports)).toThrow(coded('key.locked'));
});

test('K5: a rotation cut short anywhere leaves a usable agent, old or new, that can be rotated', () => {
  const whole = agentAt('whole');
  const disk = diskFor(99);
  cpSync(whole, join(root, 'copy'), { recursive: true });
  rotateAgentKeys(join(root, 'copy'), {}, { ...ports, disk });
  const generations: number[] = [];
  for (let steps = 0; steps < disk.done(); steps++) {
    const directory = join(root, `cut-${steps}`);
    cpSync(whole, directory, { recursive: true });
    expect(() => rotateAgentKeys(directory, {}, { ...ports, disk: diskFor(steps) })).toThrow(PowerCut);
    const { identity } = openAgentKeys(directory);
    generations.push(identity.keys.length);
    const again = rotateAgentKeys(directory, {}, ports);
    expect(again.did).toBe(readKeyFolder(whole).did);
    expect(again.keys.length).toBe(identity.keys.length + 1);
    expect(openAgentKeys(directory).identity.keys.length).toBe(again.keys.length);
    expect(readdirSync(directory).filter((name) => name.endsWith('.key'))).toHaveLength(2);
  }
  expect(generations).toEqual([1, 1, 1, 2, 2]);
});

test('what a crash left unfinished is not read', () => {
  const directory = agentAt('unfinished');
  writeFileSync(join(directory, '.agent-1.key.00.unfinished'), '{"key":');
  expect(readKeyFolder(directory).keys.size).toBe(2);
  expect(rotateAgentKeys(directory, {}, ports).keys).toHaveLength(2);
});

test('a folder cut short in its making is no folder, and does not hinder the next one', () => {
  const directory = join(root, 'again');
  mkdirSync(join(root, '.again.0000000000000000.unfinished'));
  writeFileSync(join(root, '.again.0000000000000000.unfinished/node.key'), '{"key":', { mode: 0o600 });
  expect(() => readKeyFolder(directory)).toThrow(coded('key.not_found'));
  createKeyFolder(directory, { kind: 'node' }, systemRandom);
  expect(readKeyFolder(directory).kind).toBe('node');
});

test('a file whose writer died between its two names is whole, and is not written again', () => {
  const path = join(root, 'twice.key');
  writeNewFile(path, 'whole', systemRandom);
  linkSync(path, join(root, '.twice.key.0000000000000000.unfinished'));
  expect(() => writeNewFile(path, 'other', systemRandom)).toThrow(coded('key.exists'));
  expect(readFileSync(path, 'utf8')).toBe('whole');
});

test.each([
  ['its own key', undefined],
  ['its sponsor’s', sponsor],
])('an agent is revoked for good by %s', (_by, key) => {
  const directory = agentAt(`revoked-${key === undefined}`);
  const by = key === undefined ? {} : { sponsor: key };
  revokeAgent(directory, { reason: 'stolen', ...by }, ports);
  expect(readKeyFolder(directory).identity?.revoked).toBe('stolen');
  expect(() => revokeAgent(directory, { reason: 'again', ...by }, ports)).toThrow(coded('key.no_revocation'));
  expect(() => rotateAgentKeys(directory, {}, ports)).toThrow(coded('key.no_rotation'));
});

test('an agent is not revoked by who did not sponsor it, nor without a reason', () => {
  const directory = agentAt('not-revoked');
  const other = generateKeyPair(systemRandom);
  const revoke = (reason: string, by = other) => revokeAgent(directory, { reason, sponsor: by }, ports);
  expect(() => revoke('mine now')).toThrow(coded('did.unauthorised'));
  for (const reason of ['', 'two\nlines', 'x'.repeat(501)]) {
    expect(() => revoke(reason, sponsor)).toThrow(coded('key.bad_reason'));
  }
  expect(readKeyFolder(directory).identity?.revoked).toBeUndefined();
});

test('what is its key can neither be rotated nor revoked', () => {
  const directory = join(root, 'fixed');
  createKeyFolder(directory, { kind: 'node' }, systemRandom);
  expect(() => rotateAgentKeys(directory, {}, ports)).toThrow(coded('key.no_rotation'));
  expect(() => revokeAgent(directory, { reason: 'old' }, ports)).toThrow(coded('key.no_revocation'));
});

test('a key of another agent in the place of the key in force is refused', () => {
  const [mine, other] = [agentAt('mine'), agentAt('other')];
  rmSync(join(mine, 'agent-0.key'));
  cpSync(join(other, 'agent-0.key'), join(mine, 'agent-0.key'));
  expect(() => openAgentKeys(mine)).toThrow(coded('key.malformed'));
});

test('a folder or a file that others may write is said to be so', () => {
  const directory = agentAt('open');
  chmodSync(directory, 0o770);
  chmodSync(join(directory, 'agent-0.key'), 0o640);
  expect(readKeyFolder(directory).flaws).toEqual([
    expect.stringMatching(/agent-0\.key .*found 640/),
    expect.stringMatching(/found 770/),
  ]);
  expect(() => openAgentKeys(directory)).toThrow(coded('key.exposed'));
});

test('no folder, and one without keys, are said to be so', () => {
  mkdirSync(join(root, 'empty'));
  for (const name of ['none', 'empty']) expect(() => readKeyFolder(join(root, name))).toThrow(coded('key.not_found'));
  expect(() => createAgentFolder(join(root, 'x'), { name: 'A b', sponsor }, ports)).toThrow(coded('key.bad_name'));
});
