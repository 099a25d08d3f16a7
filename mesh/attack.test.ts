/**
 * What an enemy may try with envelopes, each row a coded refusal. Before the signature it is unauthenticated.
 *
 * Long because one table shows all that was tried.
 */
import { describe, expect, test } from 'vitest';
import { sha256 } from '../runtime/codec/digest.ts';
import { generateKeyPair } from '../runtime/codec/ed25519.ts';
import { digestText } from '../runtime/codec/record.ts';
import type { Millis } from '../runtime/core/brand.ts';
import { concat, utf8, view } from '../runtime/core/bytes.ts';
import { unwrap } from '../runtime/core/result.ts';
import { admit, type NodeView } from './admit.ts';
import { sealBatch, splitFrame } from './frame.ts';
import { encodeHead, HEAD_BYTES, type Head, NO_EPOCH, NO_SESSION } from './head.ts';
import { readCertificate, writeCertificate } from './hosting.ts';
import { writeInception, writeRevocation, writeRotation } from './identity.ts';
import { type Message, sealMessages } from './message.ts';
import { Sessionless } from './sessionless.ts';
import {
  aFrame,
  aMessage,
  anAgent,
  aWorld,
  type Changes,
  codeOf,
  later,
  meet,
  NOW,
  TestNode,
  type World,
} from './world.fixture.ts';

type Attack = {
  readonly does: string;
  readonly frame: (world: World) => Uint8Array;
  readonly at?: Millis;
  readonly view?: (world: World) => NodeView;
  readonly code: string;
};

const BEFORE_THE_SIGNATURE: readonly Attack[] = [
  {
    does: 'forges a sender: a valid signature by a key of its own under the head of another',
    frame: (world) => resigned(world, {}, generateKeyPair(world.random)),
    code: 'envelope.bad_signature',
  },
  {
    does: 'puts its own key into the head as well',
    frame: (world) => {
      const thief = generateKeyPair(world.random);
      return resigned(world, { from: thief.publicKey.bytes }, thief);
    },
    code: 'envelope.wrong_peer',
  },
  {
    does: 'sends no signature',
    frame: (world) => patched(aFrame(world), 140, new Uint8Array(64)),
    code: 'envelope.bad_signature',
  },
  {
    does: 'sends garbage in the name of a victim',
    frame: (world) => concat(aFrame(world).subarray(0, HEAD_BYTES), world.random.bytes(300)),
    code: 'envelope.too_large',
  },
  {
    does: 'redirects an envelope to another node',
    frame: (world) => aFrame(world),
    view: (world) => new TestNode(world.random).view(),
    code: 'envelope.misdirected',
  },
  {
    does: 'writes the new recipient into the head',
    frame: (world) => patched(aFrame(world), 8, generateKeyPair(world.random).publicKey.bytes),
    code: 'envelope.misdirected',
  },
  {
    does: 'replays after a restart, which drew another epoch and knows no session',
    frame: (world) => aFrame(world),
    view: (world) => new TestNode(world.random, world.b.pair).view(),
    code: 'envelope.unknown_session',
  },
  {
    does: 'replays to a replica with the same key and a session of its own',
    frame: (world) => aFrame(world),
    view: (world) => {
      const replica = new TestNode(world.random, world.b.pair);
      meet(world.a, replica);
      return replica.view();
    },
    code: 'envelope.unknown_session',
  },
  {
    does: 'restores the session, but not the epoch',
    frame: (world) => aFrame(world),
    view: (world) => ({ ...world.b.view(), epoch: new TestNode(world.random).epoch }),
    code: 'envelope.wrong_epoch',
  },
  {
    does: 'waits until the window is over',
    frame: (world) => aFrame(world),
    at: later(30_001),
    code: 'envelope.expired',
  },
  {
    does: 'seals for the future',
    frame: (world) => aFrame(world, aMessage(world), later(2_001)),
    code: 'envelope.future',
  },
  {
    does: 'seals for a year',
    frame: (world) => resigned(world, { expires: later(365 * 86_400_000) }),
    code: 'envelope.too_long',
  },
  {
    does: 'seals for less than no time',
    frame: (world) => resigned(world, { issued: later(1_000), expires: NOW }),
    code: 'envelope.too_long',
  },
  {
    does: 'goes on in a session that is over',
    frame: (world) => resigned(world, { issued: later(3_600_001), expires: later(3_600_002) }),
    at: later(3_600_001),
    code: 'envelope.session_over',
  },
  {
    does: 'counts, outside a session, to be taken for new each time',
    frame: (world) => resigned(world, { session: NO_SESSION, toEpoch: NO_EPOCH, sequence: 1 }),
    view: withoutSession,
    code: 'envelope.malformed',
  },
  {
    does: 'names an epoch outside a session',
    frame: (world) => resigned(world, { session: NO_SESSION, sequence: 0 }),
    view: withoutSession,
    code: 'envelope.malformed',
  },
  { does: 'writes another magic', frame: (world) => patched(aFrame(world), 0, [0x4a]), code: 'envelope.malformed' },
  {
    does: 'states a body of four gigabytes',
    frame: (world) => patched(aFrame(world), 132, [0xff, 0xff, 0xff, 0xff]),
    code: 'envelope.too_large',
  },
  {
    does: 'claims an older version',
    frame: (world) => patched(aFrame(world), 4, [0]),
    code: 'envelope.unsupported_version',
  },
  {
    does: 'claims a newer version',
    frame: (world) => patched(aFrame(world), 4, [2]),
    code: 'envelope.unsupported_version',
  },
  { does: 'uses a kind that is none', frame: (world) => patched(aFrame(world), 5, [99]), code: 'envelope.malformed' },
  { does: 'sets a reserved flag', frame: (world) => patched(aFrame(world), 6, [0x80]), code: 'envelope.malformed' },
  {
    does: 'claims encryption where there is none',
    frame: (world) => patched(aFrame(world), 7, [1]),
    code: 'envelope.wrong_suite',
  },
  {
    does: 'takes a path from another batch',
    frame: (world) => {
      const [one, other] = [aBatch(world, 4), aBatch(world, 4)];
      return patched(one, 204, other.subarray(204, 204 + 64));
    },
    code: 'envelope.bad_signature',
  },
  {
    does: 'claims another place in the batch',
    frame: (world) => patched(aBatch(world, 4), 137, [2]),
    code: 'envelope.bad_signature',
  },
  {
    does: 'claims a batch of another size with a path of the same length',
    frame: (world) => patched(aBatch(world, 3), 139, [4]),
    code: 'envelope.bad_signature',
  },
  { does: 'claims an empty batch', frame: (world) => patched(aFrame(world), 138, [0, 0]), code: 'envelope.malformed' },
  {
    does: 'changes one letter of the claims',
    frame: (world) => replaced(aFrame(world), '/quote/price', '/quote/prize'),
    code: 'envelope.bad_signature',
  },
  { does: 'sends too much', frame: () => new Uint8Array(2 ** 20), code: 'envelope.too_large' },
  { does: 'sends too little', frame: (world) => aFrame(world).subarray(0, 203), code: 'envelope.malformed' },
  { does: 'cuts the body', frame: (world) => aFrame(world).subarray(0, -1), code: 'envelope.malformed' },
  { does: 'appends a byte', frame: (world) => concat(aFrame(world), Uint8Array.of(0)), code: 'envelope.malformed' },
  {
    does: 'states claims of four gigabytes',
    frame: (world) => patched(aFrame(world), 128, [0xff, 0xff, 0xff, 0xff]),
    code: 'envelope.too_large',
  },
  {
    does: 'counts past what an integer can hold',
    frame: (world) => patched(aFrame(world), 104, [0xff]),
    code: 'envelope.malformed',
  },
  {
    does: 'reflects a node its own envelope',
    frame: (world) => aFrame(world),
    view: (world) => world.a.view(),
    code: 'envelope.misdirected',
  },
];

const AFTER_THE_SIGNATURE: readonly Attack[] = [
  {
    does: 'signs claims with a duplicate name',
    frame: (world) => signedClaims(world, (text) => text.replace('"chain":[]', '"chain":[],"chain":[]')),
    code: 'claims.malformed',
  },
  {
    does: 'signs claims with __proto__',
    frame: (world) => signedClaims(world, (text) => text.replace('{', '{"__proto__":{"isAdmin":true},')),
    code: 'claims.malformed',
  },
  {
    does: 'signs claims with a constructor',
    frame: (world) => signedClaims(world, (text) => text.replace('"command"', '"constructor":1,"command"')),
    code: 'claims.malformed',
  },
  {
    does: 'signs claims with CR LF in a name',
    frame: (world) => signedClaims(world, (text) => text.replace('/quote/price', '/quote\\r\\nPUB x')),
    code: 'claims.malformed',
  },
  {
    does: 'signs claims with white space',
    frame: (world) => signedClaims(world, (text) => text.replace(',', ', ')),
    code: 'claims.malformed',
  },
  {
    does: 'signs claims with names out of order',
    frame: (world) => signedClaims(world, (text) => `{"to":"x",${text.slice(1)}`),
    code: 'claims.malformed',
  },
  {
    does: 'signs claims with a float for a time',
    frame: (world) => signedClaims(world, (text) => text.replace(/"deadline":\d+/, '"deadline":1.5')),
    code: 'claims.malformed',
  },
  {
    does: 'signs claims with an unsafe integer',
    frame: (world) => signedClaims(world, (text) => text.replace(/"size":7/, '"size":9007199254740993')),
    code: 'claims.malformed',
  },
  {
    does: 'signs claims with a lone surrogate',
    frame: (world) => signedClaims(world, (text) => text.replace('/quote/price', '\\ud800')),
    code: 'claims.malformed',
  },
  {
    does: 'signs claims that are no UTF-8',
    frame: (world) => signedRaw(world, Uint8Array.of(0x7b, 0xff, 0x7d)),
    code: 'claims.malformed',
  },
  { does: 'signs no claims', frame: (world) => signedRaw(world, new Uint8Array()), code: 'claims.malformed' },
  {
    does: 'signs claims that nest a thousand deep',
    frame: (world) => signedRaw(world, utf8(`${'['.repeat(1_000)}${']'.repeat(1_000)}`)),
    code: 'claims.malformed',
  },
  {
    does: 'calls an ask a reply',
    frame: (world) => resignedAs(world, 'reply'),
    code: 'claims.malformed',
  },
  {
    does: 'fails without a reason',
    frame: (world) => resignedAs(world, 'failure', { answer: { request: digestText(sha256(utf8('x'))) } }),
    code: 'claims.malformed',
  },
  {
    does: 'replies with the code of a failure',
    frame: (world) => resignedAs(world, 'reply', { answer: { code: 'a.b', request: digestText(sha256(utf8('x'))) } }),
    code: 'claims.malformed',
  },
  {
    does: 'names an agent of whom nobody has heard',
    frame: (world) => claiming(world, { from: anAgent('nobody', world.random).did }),
    code: 'did.unknown',
  },
  {
    does: 'names a stolen agent, with no certificate',
    frame: (world) => claiming(world, { certificate: undefined }),
    code: 'certificate.missing',
  },
  {
    does: 'names a stolen agent, with the certificate of its own agent',
    frame: (world) => claiming(world, { from: world.quote.did }),
    code: 'certificate.other_agent',
  },
  {
    does: 'shows a certificate that a peer holds for its own node',
    frame: (world) => claiming(world, { from: world.quote.did, certificate: world.answering }),
    code: 'certificate.other_node',
  },
  {
    does: 'shows a certificate from an earlier life of the node',
    frame: (world) => {
      const earlier = new TestNode(world.random, world.a.pair);
      return claiming(world, { certificate: earlier.host(world.ask, [world.b]) });
    },
    code: 'certificate.other_epoch',
  },
  {
    does: 'shows a certificate that nobody presented',
    frame: (world) => claiming(world, { certificate: world.a.host(world.ask, [world.a], later(1)) }),
    code: 'certificate.unknown',
  },
  {
    does: 'shows a certificate that it signed with another key, which nobody takes in',
    frame: (world) => {
      const { ask, a, b, random } = world;
      const term = { agent: ask.did, node: a.did, epoch: a.epoch, issued: NOW, expires: later(60_000) };
      const statement = writeCertificate(term, generateKeyPair(random));
      expect(codeOf(b.directory.learn(statement, NOW))).toBe('certificate.wrong_key');
      const { cid } = unwrap(readCertificate(statement), 'a statement');
      return claiming(world, { certificate: cid });
    },
    code: 'certificate.unknown',
  },
  {
    does: 'shows a certificate that has expired',
    frame: (world) => {
      const certificate = world.a.host(world.ask, [world.b], later(-3_600_000));
      return aFrame(world, aMessage(world, { claims: { certificate } }), later(1));
    },
    at: later(1),
    code: 'certificate.expired',
  },
  {
    does: 'goes on after a rotation with the certificate of the old key',
    frame: (world) => {
      const { key, next, identity } = world.ask;
      const to = { from: key, to: next, next: generateKeyPair(world.random).publicKey, at: NOW };
      unwrap(world.b.directory.learn(writeRotation(identity, to), NOW), 'a rotation');
      return aFrame(world);
    },
    code: 'certificate.wrong_key',
  },
  {
    does: 'goes on after its sponsor revoked it',
    frame: (world) => {
      const revocation = writeRevocation(world.ask.did, { by: world.ask.sponsor, reason: 'gone rogue', at: NOW });
      unwrap(world.b.directory.learn(revocation, NOW), 'a revocation');
      return aFrame(world);
    },
    code: 'did.revoked',
  },
  {
    does: 'speaks for an agent without sponsor',
    frame: (world) => {
      const [key, next] = [generateKeyPair(world.random), generateKeyPair(world.random)];
      const agent = anAgent('stray', world.random);
      const inception = writeInception({ name: 'stray', key, next: next.publicKey, at: NOW });
      const learned = unwrap(world.b.directory.learn(inception, NOW), 'an inception without sponsor');
      const stray = { ...agent, key, did: learned.about, identity: { ...agent.identity, history: [inception] } };
      return claiming(world, { from: stray.did, certificate: world.a.host(stray, [world.b]) });
    },
    code: 'did.unsponsored',
  },
  {
    does: 'speaks to an agent that is hosted elsewhere',
    frame: (world) => claiming(world, { to: world.ask.did }),
    code: 'envelope.no_such_agent',
  },
  {
    does: 'swaps the body for one of the same length',
    frame: (world) => replaced(aFrame(world), '{"sku":"7"}', '{"sku":"8"}'),
    code: 'body.wrong_digest',
  },
  {
    does: 'swaps the salt',
    frame: (world) => {
      const frame = aFrame(world);
      return patched(frame, frame.length - 20, [1, 2, 3]);
    },
    code: 'body.wrong_digest',
  },
  {
    does: 'gives the body of one envelope to another',
    frame: (world) => {
      const [one, other] = [
        splitOf(aFrame(world)),
        splitOf(aFrame(world, aMessage(world, { content: utf8('shorter') }))),
      ];
      return rejoined(one.frame, other.body);
    },
    code: 'body.wrong_length',
  },
  {
    does: 'answers a question that nobody asked',
    frame: (world) => answering(world, digestText(sha256(utf8('no such request')))),
    code: 'answer.unexpected',
  },
  {
    does: 'answers for the node that was asked',
    frame: (world) => {
      const request = digestText(sha256(utf8('a request of B to C')));
      const node = generateKeyPair(world.random).publicKey;
      world.b.pending.await(request, { node, asked: world.ask.did, asker: world.quote.did, deadline: later(60_000) });
      return answering(world, request);
    },
    code: 'answer.wrong_peer',
  },
  {
    does: 'answers for another agent of the same node',
    frame: (world) => {
      const request = digestText(sha256(utf8('a request to another agent of A')));
      const asked = anAgent('other', world.random).did;
      const node = world.a.pair.publicKey;
      world.b.pending.await(request, { node, asked, asker: world.quote.did, deadline: later(60_000) });
      return answering(world, request);
    },
    code: 'answer.wrong_peer',
  },
  {
    does: 'wants an answer in a month',
    frame: (world) =>
      signedClaims(world, (text) => text.replace(/"deadline":\d+/, `"deadline":${NOW + 30 * 86_400_000}`)),
    code: 'claims.malformed',
  },
  {
    does: 'delivers after the deadline, within the window',
    frame: (world) => signedClaims(world, (text) => text.replace(/"deadline":\d+/, `"deadline":${NOW - 1}`)),
    code: 'envelope.past_deadline',
  },
];

describe.each([
  { when: 'before the signature', attacks: BEFORE_THE_SIGNATURE, authenticated: false },
  { when: 'after the signature', attacks: AFTER_THE_SIGNATURE, authenticated: true },
])('$when', ({ attacks, authenticated }) => {
  test.each(attacks)('an enemy $does: $code', ({ does, frame, at = NOW, view: viewOf, code }) => {
    const world = aWorld(does);

    const result = admit(frame(world), at, viewOf?.(world) ?? world.b.view());

    expect(codeOf(result)).toBe(code);
    expect(result).toMatchObject({ error: authenticated ? { authenticated, from: world.a.did } : { authenticated } });
  });
});

test('an enemy replays to the same node: refused, whatever it does to the proof', () => {
  const world = aWorld('replay');
  const frame = aFrame(world);
  expect(admit(frame, NOW, world.b.view()).ok).toBe(true);
  expect(codeOf(admit(frame, NOW, world.b.view()))).toBe('envelope.replayed');
  expect(codeOf(admit(patched(frame, 140, [1, 2, 3]), NOW, world.b.view()))).toBe('envelope.replayed');
});

test('an enemy cuts a frame anywhere: refused, never thrown at', () => {
  const world = aWorld('cut');
  const frame = aFrame(world);
  const view = world.b.view();
  for (let length = 0; length < frame.length; length++) {
    expect(admit(frame.subarray(0, length), NOW, view)).toMatchObject({ ok: false, error: { authenticated: false } });
  }
});

test('an enemy floods with forged sequence numbers: the honest one is still admitted, once', () => {
  const world = aWorld('poison');
  const honest = aFrame(world);
  for (let n = 0; n < 50; n++) admit(patched(honest, 108, world.random.bytes(4)), NOW, world.b.view());
  expect(admit(honest, NOW, world.b.view()).ok).toBe(true);
});

test('an encrypted body moved to another sequence number does not open', () => {
  const world = aWorld('move', 'required');
  const [one, other] = [splitOf(aFrame(world)), splitOf(aFrame(world))];
  expect(codeOf(admit(rejoined(one.frame, other.body), NOW, world.b.view()))).toBe('body.undecipherable');
});

test('nothing that was refused has reached a prototype', () => {
  expect(Object.hasOwn(Object.prototype, 'isAdmin')).toBe(false);
});

function patched(frame: Uint8Array, at: number, bytes: ArrayLike<number>): Uint8Array {
  const copy = Uint8Array.from(frame);
  copy.set(bytes, at);
  return copy;
}

function replaced(frame: Uint8Array, from: string, to: string): Uint8Array {
  return patched(frame, view(frame).indexOf(from), utf8(to));
}

function splitOf(frame: Uint8Array): { frame: Uint8Array; body: Uint8Array } {
  return { frame, body: unwrap(splitFrame(frame), 'a frame').body };
}

/** The frame with another body, lengths made to agree. */
function rejoined(frame: Uint8Array, body: Uint8Array): Uint8Array {
  const own = splitOf(frame).body.length;
  const length = new Uint8Array(4);
  view(length).writeUInt32BE(body.length);
  return concat(patched(frame, 132, length).subarray(0, frame.length - own), body);
}

/** The frame of a message, its head changed and signed again. */
function resigned(world: World, changes: Partial<Head>, pair = world.a.pair): Uint8Array {
  const parts = unwrap(splitFrame(aFrame(world)), 'a frame');
  return first(sealBatch([{ ...parts, head: encodeHead({ ...parts.head, ...changes }) }], pair));
}

function resignedAs(world: World, kind: Head['kind'], claims: Changes = {}): Uint8Array {
  const message = aMessage(world, { kind: claims.answer === undefined ? 'ask' : 'reply', claims });
  const parts = unwrap(splitFrame(aFrame(world, message)), 'a frame');
  return first(sealBatch([{ ...parts, head: encodeHead({ ...parts.head, kind }) }], world.a.pair));
}

function withoutSession(world: World): NodeView {
  return { ...world.b.view(), sessionless: new Sessionless(later(-10_000), [world.a.pair.publicKey]) };
}

function signedRaw(world: World, claims: Uint8Array): Uint8Array {
  const parts = unwrap(splitFrame(aFrame(world)), 'a frame');
  return first(sealBatch([{ head: encodeHead(parts.head), claims, body: parts.body }], world.a.pair));
}

function signedClaims(world: World, change: (text: string) => string): Uint8Array {
  return signedRaw(world, utf8(change(view(unwrap(splitFrame(aFrame(world)), 'a frame').claims).toString())));
}

function claiming(world: World, claims: Changes): Uint8Array {
  return aFrame(world, aMessage(world, { claims }));
}

function answering(world: World, request: ReturnType<typeof digestText>): Uint8Array {
  return aFrame(world, aMessage(world, { kind: 'reply', claims: { answer: { request } } }));
}

/** The second frame of a batch. */
function aBatch(world: World, size: number): Uint8Array {
  const route = { type: 'session', session: world.session.ofA } as const;
  const batch = Array.from({ length: size }, (): { message: Message; route: typeof route } => ({
    message: aMessage(world),
    route,
  }));
  return sealMessages(batch, world.a, NOW)[1] ?? new Uint8Array();
}

function first(frames: readonly Uint8Array[]): Uint8Array {
  return frames[0] ?? new Uint8Array();
}
