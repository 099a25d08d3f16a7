import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cidOf } from '../../runtime/codec/cid.ts';
import { formatDidKey } from '../../runtime/codec/did-key.ts';
import { generateKeyPair } from '../../runtime/codec/ed25519.ts';
import { concat, utf8 } from '../../runtime/core/bytes.ts';
import { seededRandom } from '../../runtime/core/simulation.ts';
import { codeOf, later } from '../world.fixture.ts';
import { RevocationFeed } from './feed.ts';
import { writeRevocationOf } from './revocation.ts';
import { Revocations } from './revocations.ts';

const random = seededRandom('feed');
const operator = generateKeyPair(random);
const nodes = Array.from({ length: 3 }, () => formatDidKey(generateKeyPair(random).publicKey));
const [authority, , third] = nodes;
const statements = Array.from({ length: 12 }, (_, n) =>
  writeRevocationOf({ at: later(0), reason: 'lost', target: cidOf(utf8(String(n))) }, operator),
);
const NEWLINE = utf8('\n');

/** Nodes on a bus that loses what `isLost` says. */
function aRealm(isLost: () => boolean = () => false) {
  const bus: { readonly from: number; readonly content: Uint8Array }[] = [];
  const news: string[] = [];
  const members = nodes.map((did, n) => {
    const revocations = new Revocations(() => true);
    const feed = new RevocationFeed({
      revocations,
      isAuthority: (node) => node === authority,
      send: (content) => void bus.push({ from: n, content }),
      onNews: ({ target }) => void news.push(`${n} ${target}`),
    });
    return { did, revocations, feed };
  });
  const deliver = (): void => {
    for (const { from, content } of bus.splice(0)) {
      for (const [n, { feed }] of members.entries()) if (n !== from && !isLost()) feed.arrived(content);
    }
  };
  const beat = (at: number): void => {
    const heads = members.map(({ did, revocations }) => ({ did, head: revocations.head() }));
    for (const [n, { feed }] of members.entries()) {
      for (const [from, { did, head }] of heads.entries()) if (n !== from && !isLost()) feed.beat(did, head, later(at));
    }
    deliver();
  };
  return { members, bus, news, deliver, beat };
}

describe('a revocation', () => {
  test('reaches every node, and each tells of it once', () => {
    const { members, deliver, beat, news } = aRealm();
    expect(members[1]?.feed.announce(statements[0] ?? utf8('')).ok).toBe(true);
    deliver();
    beat(5_000);
    expect(new Set(members.map(({ revocations }) => revocations.head().digest)).size).toBe(1);
    expect(news).toHaveLength(3);
  });

  test('reaches every node over a bus that loses half', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(2), { minLength: 12, maxLength: 12 }), fc.integer(), (places, seed) => {
        const luck = seededRandom(seed);
        const { members, beat, deliver } = aRealm(() => luck.below(2) === 0);
        for (const [n, place] of places.entries()) members[place]?.feed.announce(statements[n] ?? utf8(''));
        deliver();
        for (let n = 1; n <= 40; n++) beat(n * 5_000);
        expect(members.map(({ revocations }) => revocations.epoch)).toEqual([12, 12, 12]);
      }),
      { numRuns: 3 },
    );
  });

  test('F1: that is refused keeps no other from being taken', () => {
    const { members } = aRealm();
    const [one = utf8(''), two = utf8('')] = statements;
    const answers = members[0]?.feed.arrived(concat(one, NEWLINE, utf8('{}'), NEWLINE, two, NEWLINE)) ?? [];
    expect(answers.map((answer) => answer.ok || codeOf(answer))).toEqual([true, 'statement.malformed', true]);
    expect(codeOf(members[0]?.feed.arrived(one)[0] ?? { ok: true, value: 0 })).toBe('statement.malformed');
  });
});

describe('F3: a view', () => {
  test('is fresh by the word of the authority, and of nobody else', () => {
    const { members } = aRealm();
    const own = members[1];
    const head = own?.revocations.head() ?? { epoch: 0, digest: '' as never };
    own?.feed.beat(third ?? ('' as never), head, later(5_000));
    expect(own?.revocations.heardAt).toBe(0);
    own?.feed.beat(authority ?? ('' as never), head, later(5_000));
    expect(own?.revocations.heardAt).toBe(later(5_000));
  });

  test('is not, while the authority knows more', () => {
    const { members, deliver, beat } = aRealm(() => false);
    const [first, second] = members;
    first?.revocations.learn(statements[0] ?? utf8(''));
    second?.feed.beat(first?.did ?? ('' as never), first?.revocations.head() ?? ({} as never), later(5_000));
    expect(second?.revocations.heardAt).toBe(0);
    deliver();
    beat(10_000);
    beat(15_000);
    expect(second?.revocations.heardAt).toBe(later(15_000));
  });
});

test('F4: a peer that never agrees is answered once per five seconds', () => {
  const { members, bus } = aRealm();
  const [own] = members;
  own?.revocations.learn(statements[0] ?? utf8(''));
  const other = { epoch: 1, digest: 'x' as never };
  for (let n = 0; n < 100; n++) own?.feed.beat(third ?? ('' as never), other, later(n * 100));
  expect(bus).toHaveLength(2);
});
