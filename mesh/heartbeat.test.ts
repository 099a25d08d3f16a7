import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatDigest, sha256 } from '../runtime/codec/digest.ts';
import { generateKeyPair, type KeyPair } from '../runtime/codec/ed25519.ts';
import type { DigestText } from '../runtime/codec/record.ts';
import type { Millis } from '../runtime/core/brand.ts';
import { toBase64url, utf8, view } from '../runtime/core/bytes.ts';
import { unwrap } from '../runtime/core/result.ts';
import { seededRandom } from '../runtime/core/simulation.ts';
import { type Death, readTold, writeDeath } from './death.ts';
import { type Beat, readBeat, writeBeat } from './heartbeat.ts';
import { FRESH_MS_MAX, SKEW_MS } from './limits.ts';
import { writeStatement } from './statement.ts';
import { nodeToken } from './subject.ts';
import { codeOf, didOf, later, NOW } from './world.fixture.ts';

const random = seededRandom('heartbeat');
const [own, other] = [generateKeyPair(random), generateKeyPair(random)];
const digest = formatDigest(sha256(utf8('x'))) as DigestText;
const epoch = toBase64url(random.bytes(8));

const beatOf = (pair: KeyPair, over: Partial<Beat> = {}): Beat => ({
  agents: 3,
  at: NOW,
  epoch,
  every: 5_000,
  head: { origin: digest, root: digest, size: 7 },
  mailbox: 0,
  node: didOf(pair),
  number: 0,
  phase: 'up',
  revocations: { digest, epoch: 0 },
  turn: 0,
  ...over,
});
const tokenOf = (pair: KeyPair) => nodeToken(didOf(pair));

test('a heartbeat is read as it was written, whatever its numbers', () => {
  fc.assert(
    fc.property(
      fc.record({
        agents: fc.nat(100_000),
        every: fc.integer({ min: 50, max: 60_000 }),
        mailbox: fc.maxSafeNat(),
        number: fc.maxSafeNat(),
        phase: fc.constantFrom('up' as const, 'draining' as const, 'leaving' as const),
        turn: fc.maxSafeNat(),
      }),
      (over) => {
        const beat = beatOf(own, over);
        expect(unwrap(readBeat(writeBeat(beat, own), NOW, tokenOf(own)), 'a beat')).toEqual(beat);
      },
    ),
    { numRuns: 20 },
  );
});

test('nobody speaks for another node, neither by his key nor by his place on the carrier (E1)', () => {
  const forged = writeBeat(beatOf(own), other);
  expect(codeOf(readBeat(forged, NOW, tokenOf(own)))).toBe('beat.wrong_key');
  expect(codeOf(readBeat(forged, NOW, tokenOf(other)))).toBe('beat.wrong_key');
  const replayedByAnother = writeBeat(beatOf(own), own);
  expect(codeOf(readBeat(replayedByAnother, NOW, tokenOf(other)))).toBe('beat.wrong_carrier');
  const together = writeStatement('iatp-mesh/1/beat', beatOf(own), [own, other]);
  expect(codeOf(readBeat(together, NOW, tokenOf(own)))).toBe('beat.wrong_key');
});

test.each([
  ['of now', 0, undefined],
  ['as old as may be', FRESH_MS_MAX, undefined],
  ['older', FRESH_MS_MAX + 1, 'beat.stale'],
  ['ahead as far as clocks differ', -SKEW_MS, undefined],
  ['further ahead', -SKEW_MS - 1, 'beat.future'],
])('a heartbeat %s (E2)', (_, ageMs, code) => {
  const read = readBeat(writeBeat(beatOf(own), own), later(ageMs), tokenOf(own));
  expect(read.ok ? undefined : read.error.code).toBe(code);
});

test.each<[string, Readonly<Record<string, unknown>>]>([
  ['a member too many', { score: 900 }],
  ['a float', { turn: 0.5 }],
  ['a negative number', { number: -1 }],
  ['more agents than a node may know', { agents: 100_001 }],
  ['a flood', { every: 49 }],
  ['silence for an hour', { every: 3_600_000 }],
  ['another phase', { phase: 'dead' }],
  ['an epoch of seven bytes', { epoch: toBase64url(new Uint8Array(7)) }],
  ['a name instead of a key', { node: 'did:mesh:x:y' }],
])('a signed heartbeat with %s is refused', (_, over) => {
  const bytes = writeStatement('iatp-mesh/1/beat', { ...beatOf(own), ...over } as never, [own]);
  expect(codeOf(readBeat(bytes, NOW, tokenOf(own)))).toBe('statement.malformed');
});

test('a heartbeat of which one bit was changed is refused', () => {
  const good = writeBeat(beatOf(own), own);
  fc.assert(
    fc.property(fc.nat(good.length * 8 - 1), (bit) => {
      const bad = Uint8Array.from(good);
      bad[bit >> 3] = (bad[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(readBeat(bad, NOW, tokenOf(own)).ok).toBe(false);
    }),
    { numRuns: 200 },
  );
});

const deathOf = (over: Partial<Death> = {}): Death => ({
  at: NOW,
  by: didOf(own),
  cause: 'exited',
  epoch,
  node: didOf(other),
  ...over,
});

test('a death notice is told apart from a heartbeat, and read as it was written', () => {
  expect(readTold(writeDeath(deathOf(), own), NOW, tokenOf(own))).toEqual({
    ok: true,
    value: { type: 'death', death: deathOf() },
  });
  expect(readTold(writeBeat(beatOf(own), own), NOW, tokenOf(own))).toMatchObject({ value: { type: 'beat' } });
});

test('a death notice is of whoever signed it, of now, and about another (E1, E2)', () => {
  const at = (ms: number): Millis => later(ms);
  expect(codeOf(readTold(writeDeath(deathOf(), other), NOW, tokenOf(own)))).toBe('beat.wrong_key');
  expect(codeOf(readTold(writeDeath(deathOf(), own), NOW, tokenOf(other)))).toBe('beat.wrong_carrier');
  expect(codeOf(readTold(writeDeath(deathOf(), own), at(FRESH_MS_MAX + 1), tokenOf(own)))).toBe('beat.stale');
  expect(codeOf(readTold(writeDeath(deathOf({ node: didOf(own) }), own), NOW, tokenOf(own)))).toBe('beat.wrong_key');
});

test('a heartbeat does not pass for a death notice, nor the other way', () => {
  const swap = (bytes: Uint8Array, from: string, to: string): Uint8Array =>
    utf8(view(bytes).toString().replace(`iatp-mesh/1/${from}`, `iatp-mesh/1/${to}`));
  expect(codeOf(readTold(swap(writeBeat(beatOf(own), own), 'beat', 'death'), NOW, tokenOf(own)))).toBe(
    'statement.bad_signature',
  );
  expect(codeOf(readTold(swap(writeDeath(deathOf(), own), 'death', 'beat'), NOW, tokenOf(own)))).toBe(
    'statement.bad_signature',
  );
});

test('anything else on the lane is refused', () => {
  for (const text of ['', '{}', 'IATA\u0001', '[]', 'x'.repeat(20_000)]) {
    expect(codeOf(readTold(utf8(text), NOW, tokenOf(own)))).toMatch(/^statement\./);
  }
});
