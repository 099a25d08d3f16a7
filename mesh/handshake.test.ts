import { describe, expect, test } from 'vitest';
import { canonicalJson } from '../runtime/codec/json.ts';
import { concat, equalBytes, toBase64url, utf8, view } from '../runtime/core/bytes.ts';
import { unwrap } from '../runtime/core/result.ts';
import { seededRandom } from '../runtime/core/simulation.ts';
import { hashIn, signIn } from './domain.ts';
import { HalfOpen } from './half-open.ts';
import {
  answerConfirm,
  answerHello,
  answerWelcome,
  claimsOfHello,
  demandCookie,
  type Encryption,
  repeatHello,
  sayHello,
  stepOf,
} from './handshake.ts';
import { codeOf, didOf, later, meet, NOW, TestNode } from './world.fixture.ts';

/** Everything that two nodes say to each other, up to the confirm. */
function talk(seed: string, terms: { a?: Encryption; b?: Encryption } = {}) {
  const random = seededRandom(seed);
  const [a, b] = [new TestNode(random), new TestNode(random)];
  a.terms = { ...a.terms, encryption: terms.a ?? 'none' };
  b.terms = { ...b.terms, encryption: terms.b ?? 'none' };
  const hello = sayHello(a, { to: b.did, terms: a.terms, at: NOW }, random);
  const answer = (frame: Uint8Array, at = NOW, node = b) =>
    answerHello(node, { frame, terms: node.terms, at, mayMeet: () => true }, random);
  return { random, a, b, hello, answer };
}

test('both sides hold the same session, each with the other as its peer', () => {
  const random = seededRandom('meet');
  const [a, b] = [new TestNode(random), new TestNode(random)];
  const { ofA, ofB } = meet(a, b);
  expect(equalBytes(ofA.id, ofB.id)).toBe(true);
  expect(ofA.peer).toEqual(b.pair.publicKey);
  expect(ofB.peer).toEqual(a.pair.publicKey);
  expect(ofA.peerEpoch).toEqual(view(b.epoch));
  expect(ofB.stated).toEqual({ contracts: a.terms.contracts, head: a.terms.head });
  expect(equalBytes(meet(a, b).ofA.id, ofA.id)).toBe(false);
});

test.each([
  ['none', 'none', false],
  ['none', 'offered', false],
  ['offered', 'none', false],
  ['offered', 'offered', true],
  ['offered', 'required', true],
  ['required', 'offered', true],
  ['required', 'required', true],
] as const)('%s and %s: encrypted is %s', (ofA, ofB, isEncrypted) => {
  const random = seededRandom('suites');
  const [a, b] = [new TestNode(random), new TestNode(random)];
  a.terms = { ...a.terms, encryption: ofA };
  b.terms = { ...b.terms, encryption: ofB };
  const session = meet(a, b);
  expect([session.ofA.isEncrypted, session.ofB.isEncrypted]).toEqual([isEncrypted, isEncrypted]);
});

test('what one side encrypts the other decrypts, and not the one that encrypted it', () => {
  const random = seededRandom('keys');
  const [a, b] = [new TestNode(random), new TestNode(random)];
  a.terms = { ...a.terms, encryption: 'required' };
  b.terms = { ...b.terms, encryption: 'offered' };
  const { ofA, ofB } = meet(a, b);
  const sealed = ofA.encrypt(ofA.nextSequence(), utf8('hello'), utf8('ad'));
  expect(ofB.decrypt(0, sealed, utf8('ad'))).toEqual(view(utf8('hello')));
  expect(ofA.decrypt(0, sealed, utf8('ad'))).toBeUndefined();
  expect(ofB.decrypt(1, sealed, utf8('ad'))).toBeUndefined();
  expect(ofB.decrypt(0, sealed, utf8('other'))).toBeUndefined();
});

describe('an enemy', () => {
  test('who changes any byte of any message leaves no session behind on both sides', () => {
    const { a, b, hello, answer } = talk('every byte');
    for (let at = 0; at < hello.frame.length; at += 7) {
      const welcome = answer(flipped(hello.frame, at));
      if (!welcome.ok) continue;
      expect(codeOf(answerWelcome(a, hello.greeting, { frame: welcome.value.frame, at: NOW }))).toBe(
        'handshake.bad_signature',
      );
    }
    const welcome = unwrap(answer(hello.frame), 'a hello');
    for (let at = 0; at < welcome.frame.length; at += 7) {
      expect(answerWelcome(a, hello.greeting, { frame: flipped(welcome.frame, at), at: NOW }).ok).toBe(false);
    }
    const confirm = unwrap(answerWelcome(a, hello.greeting, { frame: welcome.frame, at: NOW }), 'a welcome');
    for (let at = 0; at < confirm.frame.length; at++) {
      expect(answerConfirm(b, welcome.welcoming, { frame: flipped(confirm.frame, at), at: NOW }).ok).toBe(false);
    }
  });

  test('who strips encryption from an offer is found out', () => {
    const { a, hello, answer } = talk('strip', { a: 'offered', b: 'offered' });
    const stripped = rewritten(hello.frame, (payload) => ({ ...payload, encryption: 'none' }));
    const welcome = unwrap(answer(stripped), 'a stripped hello');
    expect(codeOf(answerWelcome(a, hello.greeting, { frame: welcome.frame, at: NOW }))).toBe('handshake.bad_signature');
  });

  test('H3: as responder, who chooses less than both can, is found out', () => {
    const { a, b, hello, answer } = talk('less', { a: 'offered', b: 'offered' });
    const welcome = unwrap(answer(hello.frame), 'a hello').frame;
    const payload = rewritten(welcome.subarray(0, -64), (said) => ({ ...said, suite: 'signed' }));
    const frame = concat(payload, signIn('iatp-mesh/1/handshake/responder', b.pair, transcript(hello.frame, payload)));
    expect(codeOf(answerWelcome(a, hello.greeting, { frame, at: NOW }))).toBe('handshake.downgraded');
  });

  test('who demands what the other side does not do gets no session', () => {
    const { hello, answer } = talk('demand', { a: 'required', b: 'none' });
    expect(codeOf(answer(hello.frame))).toBe('handshake.no_common_suite');
  });

  test('who offers only old versions gets no session', () => {
    const { hello, answer } = talk('old');
    const old = rewritten(hello.frame, (payload) => ({ ...payload, versions: [2, 3] }));
    expect(codeOf(answer(old))).toBe('handshake.no_common_version');
    expect(codeOf(answer(patchedAt(hello.frame, 4, 0)))).toBe('handshake.unsupported_version');
  });

  test('H2: who reflects a node its own words gets no session', () => {
    const { a, hello, answer } = talk('mirror');
    expect(codeOf(answer(hello.frame, NOW, a))).toBe('handshake.misdirected');
    const toSelf = sayHello(a, { to: a.did, terms: a.terms, at: NOW }, a.random);
    expect(codeOf(answer(toSelf.frame, NOW, a))).toBe('handshake.reflected');
    const welcome = unwrap(answer(hello.frame), 'a hello');
    const confirm = unwrap(answerWelcome(a, hello.greeting, { frame: welcome.frame, at: NOW }), 'a welcome');
    expect(codeOf(answerWelcome(a, hello.greeting, { frame: confirm.frame, at: NOW }))).toBe('handshake.malformed');
    // The responder's own signature, over the right bytes, in the place of the initiator's.
    const { b } = { b: welcome.welcoming };
    const forged = concat(confirm.frame.subarray(0, -64), welcome.frame.subarray(-64));
    expect(codeOf(answerConfirm(a, b, { frame: forged, at: NOW }))).toBe('handshake.bad_signature');
  });

  test('who answers in the place of another is found out', () => {
    const { a, random, hello } = talk('impostor');
    const impostor = new TestNode(random);
    const toImpostor = sayHello(a, { to: impostor.did, terms: a.terms, at: NOW }, random);
    const answer = { frame: toImpostor.frame, terms: impostor.terms, at: NOW, mayMeet: () => true };
    const welcome = unwrap(answerHello(impostor, answer, random), 'a hello');
    expect(codeOf(answerWelcome(a, hello.greeting, { frame: welcome.frame, at: NOW }))).toBe('handshake.wrong_peer');
    const renamed = rewritten(welcome.frame.subarray(0, -64), (said) => ({ ...said, from: hello.greeting.to }));
    const frame = concat(
      renamed,
      signIn('iatp-mesh/1/handshake/responder', impostor.pair, transcript(hello.frame, renamed)),
    );
    expect(codeOf(answerWelcome(a, hello.greeting, { frame, at: NOW }))).toBe('handshake.bad_signature');
  });

  test('who begins in the name of another cannot confirm', () => {
    const { random, a, b, answer } = talk('stolen');
    const thief = new TestNode(random);
    const frame = rewritten(sayHello(thief, { to: b.did, terms: a.terms, at: NOW }, random).frame, (said) => ({
      ...said,
      from: a.did,
    }));
    const welcome = unwrap(answer(frame), 'a hello in the name of A');
    const payload = confirming(concat(frame, welcome.frame));
    const signed = transcript(frame, welcome.frame, payload);
    const confirm = concat(payload, signIn('iatp-mesh/1/handshake/initiator', thief.pair, signed));
    expect(codeOf(answerConfirm(b, welcome.welcoming, { frame: confirm, at: NOW }))).toBe('handshake.bad_signature');
  });

  test('who plays a hello or welcome back later is refused', () => {
    const { a, hello, answer } = talk('later');
    expect(codeOf(answer(hello.frame, later(30_001)))).toBe('handshake.stale');
    expect(codeOf(answer(hello.frame, later(-2_001)))).toBe('handshake.stale');
    const welcome = unwrap(answer(hello.frame), 'a hello');
    expect(codeOf(answerWelcome(a, hello.greeting, { frame: welcome.frame, at: later(10_001) }))).toBe(
      'handshake.expired',
    );
  });

  test('who plays a welcome of one handshake into another is found out', () => {
    const { a, b, hello, answer } = talk('mixed');
    const other = sayHello(a, { to: b.did, terms: a.terms, at: NOW }, a.random);
    const welcome = unwrap(answer(other.frame), 'another hello');
    expect(codeOf(answerWelcome(a, hello.greeting, { frame: welcome.frame, at: NOW }))).toBe('handshake.bad_signature');
  });

  test('who sends an X25519 key of small order gets no session', () => {
    const { hello, answer } = talk('zero');
    for (const ephemeral of [new Uint8Array(32), Uint8Array.of(1, ...new Uint8Array(31))]) {
      const zero = rewritten(hello.frame, (said) => ({ ...said, ephemeral: toBase64url(ephemeral) }));
      expect(codeOf(answer(zero))).toBe('handshake.bad_ephemeral');
    }
  });

  test('who is not of the realm gets no session', () => {
    const { b, random, hello } = talk('stranger');
    const answer = { frame: hello.frame, terms: b.terms, at: NOW, mayMeet: () => false };
    expect(codeOf(answerHello(b, answer, random))).toBe('handshake.unknown_node');
  });

  test('who sends half a message, too much, or duplicate names is refused', () => {
    const { hello, answer } = talk('shape');
    expect(codeOf(answer(hello.frame.subarray(0, 7)))).toBe('handshake.malformed');
    expect(codeOf(answer(hello.frame.subarray(0, -1)))).toBe('handshake.malformed');
    expect(codeOf(answer(new Uint8Array(20_000)))).toBe('handshake.malformed');
    expect(codeOf(answer(concat(hello.frame, Uint8Array.of(0))))).toBe('handshake.malformed');
    expect(codeOf(answer(rewritten(hello.frame, (said) => ({ ...said, isAdmin: true }))))).toBe('handshake.malformed');
  });
});

test('handshakes under way are bounded per peer, and time makes room', () => {
  const table = new HalfOpen<{ readonly expires: typeof NOW }>();
  const [one, other] = [didOf(new TestNode(seededRandom('p1')).pair), didOf(new TestNode(seededRandom('p2')).pair)];
  const states = Array.from({ length: 8 }, () => ({ expires: later(10) }));
  for (const state of states) expect(table.add(one, state, NOW).ok).toBe(true);
  expect(codeOf(table.add(one, { expires: later(10) }, NOW))).toBe('handshake.busy');
  expect(table.add(other, { expires: later(10) }, NOW).ok).toBe(true);
  table.remove(one, states[0] ?? { expires: NOW });
  expect(table.add(one, { expires: later(10) }, NOW).ok).toBe(true);
  expect(table.add(one, { expires: later(20) }, later(11)).ok).toBe(true);
  expect(table.of(one)).toHaveLength(1);
});

test('a frame says which step it is and whom it claims to be from', () => {
  const { a, hello, answer } = talk('steps');
  expect([stepOf(hello.frame), stepOf(unwrap(answer(hello.frame), 'a hello').frame)]).toEqual([1, 2]);
  expect(stepOf(utf8('IATP....'))).toBeUndefined();
  expect(claimsOfHello(hello.frame)).toMatchObject({ from: a.did, cookie: undefined });
  expect(claimsOfHello(utf8('IATH'))).toBeUndefined();
});

test('a hello is repeated once with the cookie that is demanded for it, and is then answered like others', () => {
  const { a, b, hello, answer, random } = talk('cookie');
  const { nonce = '' } = claimsOfHello(hello.frame) ?? {};
  const cookie = random.bytes(32);
  const demand = demandCookie(nonce, cookie);
  expect(stepOf(demand)).toBe(4);
  const again = unwrap(repeatHello(hello.greeting, demand), 'a demand');
  expect(claimsOfHello(again.hello)).toMatchObject({ from: a.did, nonce, cookie: view(cookie) });
  const { welcoming, frame } = unwrap(answer(again.hello), 'a hello');
  const confirm = unwrap(answerWelcome(a, again, { frame, at: NOW }), 'a welcome');
  expect(answerConfirm(b, welcoming, { frame: confirm.frame, at: NOW }).ok).toBe(true);
  expect(codeOf(answerWelcome(a, hello.greeting, { frame, at: NOW }))).toBe('handshake.bad_signature');

  expect(codeOf(repeatHello(again, demand))).toBe('handshake.wrong_peer');
  expect(codeOf(repeatHello(hello.greeting, demandCookie(toBase64url(random.bytes(32)), cookie)))).toBe(
    'handshake.wrong_peer',
  );
  expect(codeOf(repeatHello(hello.greeting, demand.subarray(1)))).toBe('handshake.malformed');
});

function flipped(frame: Uint8Array, at: number): Uint8Array {
  return patchedAt(frame, at, (frame[at] ?? 0) ^ 1);
}

function patchedAt(frame: Uint8Array, at: number, byte: number): Uint8Array {
  const copy = Uint8Array.from(frame);
  copy[at] = byte;
  return copy;
}

/** The message with another payload; without signature. */
function rewritten(frame: Uint8Array, change: (payload: Record<string, unknown>) => unknown): Uint8Array {
  const length = view(frame).readUInt16BE(6);
  const payload: unknown = JSON.parse(view(frame.subarray(8, 8 + length)).toString());
  const text = utf8(unwrap(canonicalJson(change(payload as Record<string, unknown>)), 'data'));
  return concat(frame.subarray(0, 6), Uint8Array.of(text.length >> 8, text.length & 0xff), text);
}

function transcript(...said: readonly Uint8Array[]): Uint8Array {
  return hashIn('iatp-mesh/1/transcript', ...said);
}

function confirming(said: Uint8Array): Uint8Array {
  const id = toBase64url(hashIn('iatp-mesh/1/session', said).subarray(0, 16));
  const text = utf8(`{"session":"${id}"}`);
  return concat(utf8('IATH'), Uint8Array.of(1, 3, 0, text.length), text);
}
