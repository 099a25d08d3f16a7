import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cidOf } from '../../runtime/codec/cid.ts';
import { formatDidKey } from '../../runtime/codec/did-key.ts';
import { generateKeyPair, type KeyPair } from '../../runtime/codec/ed25519.ts';
import { utf8, view } from '../../runtime/core/bytes.ts';
import { unwrap } from '../../runtime/core/result.ts';
import { seededRandom } from '../../runtime/core/simulation.ts';
import { codeOf, later, NOW } from '../world.fixture.ts';
import { type Revocable, writeRevocationOf } from './revocation.ts';
import { Revocations } from './revocations.ts';

const random = seededRandom('revocations');
const signers: readonly KeyPair[] = Array.from({ length: 3 }, () => generateKeyPair(random));
const targets: readonly Revocable[] = [
  ...['a', 'b', 'c'].map((text) => cidOf(utf8(text))),
  ...signers.map((pair) => formatDidKey(pair.publicKey)),
];
const anyone = (): boolean => true;

function statement(n: number, by: KeyPair | undefined = signers[0], reason = 'lost'): Uint8Array {
  const [target, signer] = [targets[n % targets.length], by ?? signers[0]];
  if (target === undefined || signer === undefined) throw new Error('expected a target and a signer');
  return writeRevocationOf({ at: NOW, reason, target }, signer);
}

/** Every statement there is in this test: each signer on each target, twice over with other words. */
const all = signers.flatMap((by) => targets.flatMap((_, n) => [statement(n, by), statement(n, by, 'stolen')]));

function taking(statements: Iterable<Uint8Array>): Revocations {
  const revocations = new Revocations(anyone);
  for (const one of statements) unwrap(revocations.learn(one), 'a revocation');
  return revocations;
}

const contents = (of: Revocations): unknown => [
  of.head(),
  [...of.statements()].map((bytes) => view(bytes).toString()).sort(),
  targets.map((target) => [...of.revokersOf(target)].sort()),
];

describe('V1: a set of revocations', () => {
  test('is the same in whatever order and however often they come', () => {
    fc.assert(
      fc.property(fc.subarray(all), fc.nat(), (some, seed) => {
        const shuffled = [...some, ...some].toSorted(
          (a, b) => ((view(a).readUInt8(20) * 31 + seed) % 7) - ((view(b).readUInt8(20) * 31 + seed) % 7),
        );
        expect(contents(taking(shuffled.toReversed()))).toEqual(contents(taking(some)));
      }),
      { numRuns: 12 },
    );
  });

  test('merges as a semilattice: commutative, associative, idempotent', () => {
    const merge = (...sets: readonly Revocations[]): Revocations =>
      taking(sets.flatMap((set) => [...set.statements()]));
    fc.assert(
      fc.property(fc.subarray(all), fc.subarray(all), fc.subarray(all), (one, two, three) => {
        const [a, b, c] = [taking(one), taking(two), taking(three)];
        expect(contents(merge(a, b))).toEqual(contents(merge(b, a)));
        expect(contents(merge(merge(a, b), c))).toEqual(contents(merge(a, merge(b, c))));
        expect(contents(merge(a, a))).toEqual(contents(a));
      }),
      { numRuns: 8 },
    );
  });

  test('V2: grows by news alone, and the epoch with it', () => {
    const revocations = new Revocations(anyone);
    const epochs = [
      statement(0),
      statement(0),
      statement(0, signers[1]),
      statement(0, signers[0], 'other words'),
      statement(1),
    ].map((one) => {
      const { isNews } = unwrap(revocations.learn(one), 'a revocation');
      return [isNews, revocations.epoch];
    });
    expect(epochs).toEqual([
      [true, 1],
      [false, 1],
      [true, 2],
      [false, 2],
      [true, 3],
    ]);
  });

  test('has no way back', () => {
    const revocations = taking([statement(0)]);
    expect(
      Object.getOwnPropertyNames(Object.getPrototypeOf(revocations)).filter((name) =>
        /un|remove|delete|clear|forget/.test(name),
      ),
    ).toEqual([]);
    expect([...revocations.revokersOf(targets[0] ?? '')]).toHaveLength(1);
  });
});

describe('a revocation', () => {
  test('of a stranger is refused', () => {
    const known = formatDidKey((signers[0] as KeyPair).publicKey);
    const revocations = new Revocations((signer) => signer === known);
    expect(revocations.learn(statement(0)).ok).toBe(true);
    expect(codeOf(revocations.learn(statement(0, signers[1])))).toBe('revocation.unknown_signer');
  });

  test.each([
    [
      'whose signature was changed',
      (text: string) =>
        text.replace(/"signature":"./, (found) => `${found.slice(0, -1)}${found.endsWith('A') ? 'B' : 'A'}`),
      'statement.bad_signature',
    ],
    [
      'of another kind',
      (text: string) => text.replace('iatp-mesh/1/revocation', 'did-mesh/1/revocation'),
      'statement.wrong_type',
    ],
    ['that is cut', (text: string) => text.slice(0, -1), 'statement.malformed'],
  ])('%s is refused', (_what, change, code) => {
    const forged = utf8(change(view(statement(0)).toString()));
    expect(codeOf(new Revocations(anyone).learn(forged))).toBe(code);
  });
});

describe('V4: a view', () => {
  test('is fresh from the moment at which a peer agreed', () => {
    const [own, peer] = [taking([statement(0)]), taking([statement(0), statement(1)])];
    expect(own.heardAt).toBe(0);
    expect(own.hear(peer.head(), NOW)).toBe(false);
    expect(own.heardAt).toBe(0);
    for (const one of peer.statements()) own.learn(one);
    expect(own.hear(peer.head(), later(5))).toBe(true);
    expect(own.hear(peer.head(), later(3))).toBe(true);
    expect(own.heardAt).toBe(later(5));
    own.complete(later(9));
    expect(own.heardAt).toBe(later(9));
  });

  test('differs where the sets differ, even at the same epoch', () => {
    const [own, peer] = [taking([statement(0)]), taking([statement(1)])];
    expect(own.epoch).toBe(peer.epoch);
    expect(own.hear(peer.head(), NOW)).toBe(false);
  });

  test('V3: is never fresh once something had no room', () => {
    const random = seededRandom('full');
    const pair = generateKeyPair(random);
    const revocations = new Revocations(anyone, { all: 3, perSigner: 2 });
    const of = (text: string): Uint8Array =>
      writeRevocationOf({ at: NOW, reason: 'x', target: cidOf(utf8(text)) }, pair);
    expect(['1', '2'].map((text) => revocations.learn(of(text)).ok)).toEqual([true, true]);
    revocations.complete(NOW);
    expect(revocations.heardAt).toBe(NOW);
    expect(codeOf(revocations.learn(of('3')))).toBe('revocation.full');
    expect(revocations.learn(of('1')).ok).toBe(true);
    revocations.complete(later(1));
    expect(revocations.heardAt).toBe(0);
  });
});
