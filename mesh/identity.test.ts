import { expect, test } from 'vitest';
import { formatDidKey } from '../runtime/codec/did-key.ts';
import { generateKeyPair } from '../runtime/codec/ed25519.ts';
import { utf8, view } from '../runtime/core/bytes.ts';
import { unwrap } from '../runtime/core/result.ts';
import { seededRandom } from '../runtime/core/simulation.ts';
import { parseDidMesh } from './did-mesh.ts';
import { currentKey, foldIdentity, incept, learn, writeInception, writeRevocation, writeRotation } from './identity.ts';
import { writeStatement } from './statement.ts';
import { anAgent, codeOf, later, NOW } from './world.fixture.ts';

const random = seededRandom('identity');
const agent = anAgent('quote', random);
const third = generateKeyPair(random);
const rotation = writeRotation(agent.identity, {
  from: agent.key,
  to: agent.next,
  next: third.publicKey,
  at: later(1),
});
const rotated = unwrap(learn(agent.identity, rotation), 'a rotation');

test('an identifier is the name and the fingerprint of the inception, and outlives every key', () => {
  expect(parseDidMesh(agent.did)).toMatchObject({ ok: true, value: { name: 'quote' } });
  expect(agent.did).toMatch(/^did:mesh:quote:[1-9A-HJ-NP-Za-km-z]{43,44}$/);
  expect(rotated.did).toBe(agent.did);
  expect(currentKey(rotated)).toEqual(agent.next.publicKey);
  expect(rotated.keys).toHaveLength(2);
});

test('a history folds to the same identity that learning it step by step gave', () => {
  expect(foldIdentity(rotated.history)).toEqual({ ok: true, value: rotated });
});

test('a statement that is known already changes nothing', () => {
  expect(learn(rotated, rotation)).toEqual({ ok: true, value: rotated });
});

test('I1: a sponsor who did not sign is not made to answer', () => {
  const [key, next, framed] = [generateKeyPair(random), generateKeyPair(random), generateKeyPair(random)];
  const value = {
    at: NOW,
    key: formatDidKey(key.publicKey),
    name: 'thief',
    next: agent.identity.next,
    sponsor: formatDidKey(framed.publicKey),
  };
  expect(codeOf(incept(writeStatement('did-mesh/1/inception', value, [key])))).toBe('did.unsponsored');
  expect(codeOf(incept(writeStatement('did-mesh/1/inception', value, [key, next])))).toBe('did.unsponsored');
  expect(codeOf(incept(writeStatement('did-mesh/1/inception', value, [framed])))).toBe('did.unauthorised');
});

test('I1: an inception without sponsor has none, and takes no second signature', () => {
  const [key, next] = [generateKeyPair(random), generateKeyPair(random)];
  const inception = writeInception({ name: 'stray', key, next: next.publicKey, at: NOW });
  expect(incept(inception)).toMatchObject({ ok: true, value: { sponsor: undefined } });
  const value = { at: NOW, key: formatDidKey(key.publicKey), name: 'stray', next: agent.identity.next };
  expect(codeOf(incept(writeStatement('did-mesh/1/inception', value, [key, next])))).toBe('did.unauthorised');
  const own = { ...value, sponsor: value.key };
  expect(codeOf(incept(writeStatement('did-mesh/1/inception', own, [key])))).toBe('did.unauthorised');
});

test('I2: who has stolen the key in use cannot rotate it, with a key of his own or with one signature', () => {
  const mine = generateKeyPair(random);
  const value = {
    at: NOW,
    did: agent.did,
    key: formatDidKey(mine.publicKey),
    next: agent.identity.next,
    previous: view(agent.identity.head).toString('base64url'),
    sequence: 1,
  };
  expect(codeOf(learn(agent.identity, writeStatement('did-mesh/1/rotation', value, [agent.key, mine])))).toBe(
    'did.not_committed',
  );
  const known = { ...value, key: formatDidKey(agent.next.publicKey) };
  expect(codeOf(learn(agent.identity, writeStatement('did-mesh/1/rotation', known, [agent.key])))).toBe(
    'did.unauthorised',
  );
  expect(codeOf(learn(agent.identity, writeStatement('did-mesh/1/rotation', known, [agent.next])))).toBe(
    'did.unauthorised',
  );
});

test('I3: the sponsor and every key of the identity may end it, nobody else, and nothing brings it back', () => {
  const strangers = [generateKeyPair(random), third];
  for (const by of [agent.sponsor, agent.key, agent.next]) {
    const ended = learn(rotated, writeRevocation(agent.did, { by, reason: 'retired', at: NOW }));
    expect(ended).toMatchObject({ ok: true, value: { revoked: 'retired' } });
    const fourth = generateKeyPair(random);
    const next = writeRotation(rotated, { from: agent.next, to: third, next: fourth.publicKey, at: NOW });
    expect(learn(unwrap(ended, 'ended'), next)).toEqual(ended);
  }
  for (const by of strangers) {
    expect(codeOf(learn(rotated, writeRevocation(agent.did, { by, reason: 'spite', at: NOW })))).toBe(
      'did.unauthorised',
    );
  }
});

test('I3: a sponsor who ends one agent has not ended another of his', () => {
  const [key, next] = [generateKeyPair(random), generateKeyPair(random)];
  const inception = writeInception({ name: 'sister', key, next: next.publicKey, sponsor: agent.sponsor, at: NOW });
  const sister = unwrap(incept(inception), 'an inception');
  const revocation = writeRevocation(agent.did, { by: agent.sponsor, reason: 'retired', at: NOW });
  expect(codeOf(learn(sister, revocation))).toBe('did.other');
  const ended = learn(agent.identity, revocation);
  const again = writeRevocation(agent.did, { by: agent.key, reason: 'another', at: NOW });
  expect(learn(unwrap(ended, 'ended'), again)).toEqual(ended);
});

test('I4: of two rotations at one place the second is refused', () => {
  const other = generateKeyPair(random);
  const fork = writeRotation(agent.identity, { from: agent.key, to: agent.next, next: other.publicKey, at: later(2) });
  expect(codeOf(learn(rotated, fork))).toBe('did.forked');
});

test('a rotation that skips one, or is about another, or follows another statement is refused', () => {
  const fourth = generateKeyPair(random);
  const skip = writeRotation(rotated, { from: agent.next, to: third, next: fourth.publicKey, at: NOW });
  expect(codeOf(learn(agent.identity, skip))).toBe('did.gap');
  expect(codeOf(learn(anAgent('other', random).identity, rotation))).toBe('did.other');
  const elsewhere = { ...agent.identity, head: rotated.head };
  expect(codeOf(learn(elsewhere, rotation))).toBe('did.forked');
});

test('a rotation that was tampered with is refused for its signature', () => {
  const tampered = utf8(
    view(rotation)
      .toString()
      .replace(/"signature":"./g, '"signature":"_'),
  );
  expect(codeOf(learn(agent.identity, tampered))).toBe('statement.bad_signature');
});

test('a statement over the limit is refused unread', () => {
  expect(codeOf(incept(new Uint8Array(16 * 1024 + 1)))).toBe('statement.too_large');
});

test('a history needs an inception, and nothing else begins one', () => {
  expect(codeOf(foldIdentity([]))).toBe('did.no_history');
  expect(codeOf(foldIdentity([rotation]))).toBe('statement.wrong_type');
});

test('a statement is refused when a byte of it is other, wherever', () => {
  const [inception] = agent.identity.history;
  for (const [index, byte] of (inception ?? new Uint8Array()).entries()) {
    const changed = Uint8Array.from(inception ?? []);
    changed[index] = byte ^ 1;
    expect(incept(changed).ok).toBe(false);
  }
});

test.each([
  'did:mesh:quote:',
  'did:mesh:Quote:4vJ9JU1bJJE96FWSJKvHsmmFADCg4gpZQff4P3bkLKi',
  'did:mesh:-q:4vJ9JU1bJJE96FWSJKvHsmmFADCg4gpZQff4P3bkLKi',
  'did:mesh:quote:0vJ9JU1bJJE96FWSJKvHsmmFADCg4gpZQff4P3bkLKi',
  'did:mesh:quote:14vJ9JU1bJJE96FWSJKvHsmmFADCg4gpZQff4P3bkLKi',
  'did:mesh:quote:4vJ9JU1bJJE96FWSJKvHsmmFADCg4gpZQff4P3bkLKi:x',
  'did:mesh:quote\r\n:4vJ9JU1bJJE96FWSJKvHsmmFADCg4gpZQff4P3bkLKi',
  'did:key:z6Mk',
])('%j is no did:mesh', (text) => {
  expect(parseDidMesh(text).ok).toBe(false);
});

test('a name is ASCII and holds nothing that could be read as something else', () => {
  const key = generateKeyPair(random);
  for (const name of ['', 'Quote', 'quоte', 'a b', 'a\r\nb', '-a', 'a-', 'a.b', 'a>', 'x'.repeat(64)]) {
    const value = { at: NOW, key: formatDidKey(key.publicKey), name, next: agent.identity.next };
    expect(codeOf(incept(writeStatement('did-mesh/1/inception', value, [key])))).toBe('statement.malformed');
  }
});

test('a statement of another purpose, with the same members, is refused', () => {
  const value = { at: NOW, did: agent.did, reason: 'x' };
  const statement = writeStatement('did-mesh/1/revocation', value, [agent.key]);
  const renamed = utf8(view(statement).toString().replace('did-mesh/1/revocation', 'did-mesh/1/inception'));
  expect(codeOf(incept(renamed))).toBe('statement.bad_signature');
});
