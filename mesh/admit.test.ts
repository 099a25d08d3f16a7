import { expect, test } from 'vitest';
import { equalBytes, utf8, view } from '../runtime/core/bytes.ts';
import { unwrap } from '../runtime/core/result.ts';
import { admit } from './admit.ts';
import { writeWithdrawal } from './hosting.ts';
import { sealMessages } from './message.ts';
import { Sessionless } from './sessionless.ts';
import { aFrame, aMessage, aWorld, codeOf, later, NOW } from './world.fixture.ts';

test('an envelope is admitted with its claims, its content and the node that signed', () => {
  const world = aWorld('admit');

  const admitted = unwrap(admit(aFrame(world), NOW, world.b.view()), 'an honest frame');

  expect(admitted.claims.from).toBe(world.ask.did);
  expect(view(admitted.content).toString()).toBe('{"sku":"7"}');
  expect(equalBytes(admitted.node.bytes, world.a.pair.publicKey.bytes)).toBe(true);
  expect(admitted.session).toBe(world.session.ofB);
});

test('a batch of any size from 1 to 20 has one frame per message, all admitted, in any order', () => {
  const world = aWorld('batches');
  for (let size = 1; size <= 20; size++) {
    const batch = Array.from({ length: size }, () => ({
      message: aMessage(world),
      route: { type: 'session', session: world.session.ofA } as const,
    }));
    const frames = sealMessages(batch, world.a, NOW).toReversed();
    expect(frames.map((frame) => admit(frame, NOW, world.b.view()).ok)).toEqual(frames.map(() => true));
  }
});

test('a node may fail, and do nothing else, in the place of an agent that was asked', () => {
  const world = aWorld('a node fails');
  const { message: request } = unwrap(admit(aFrame(world), NOW, world.b.view()), 'a request');
  world.a.pending.await(request, {
    node: world.b.pair.publicKey,
    asked: world.quote.did,
    asker: world.ask.did,
    deadline: later(60_000),
  });
  const say = (kind: 'failure' | 'reply' | 'accepted') => {
    const answer = kind === 'failure' ? { code: 'answer.busy', request } : { request };
    const claims = { answer, certificate: undefined, from: world.b.did, to: world.ask.did };
    const message = aMessage(world, { kind, claims });
    const route = { type: 'session', session: world.session.ofB } as const;
    const [frame = new Uint8Array()] = sealMessages([{ message, route }], world.b, NOW);
    return admit(frame, NOW, world.a.view());
  };
  expect(say('failure').ok).toBe(true);
  expect([say('reply'), say('accepted')].map(codeOf)).toEqual(['answer.wrong_peer', 'answer.wrong_peer']);
});

test('a message sealed again is another envelope of the same message', () => {
  const world = aWorld('again');
  const message = aMessage(world);

  const first = unwrap(admit(aFrame(world, message, NOW), NOW, world.b.view()), 'first');
  const second = unwrap(admit(aFrame(world, message, later(40_000)), later(40_000), world.b.view()), 'second');

  expect(second.message).toBe(first.message);
  expect(second.envelope).not.toBe(first.envelope);
});

test('an encrypted body arrives whole and is not readable on the way', () => {
  const world = aWorld('encrypted', 'required');
  const secret = utf8('a word that is nowhere else');

  const frame = aFrame(world, aMessage(world, { content: secret }));

  expect(view(frame).includes(secret)).toBe(false);
  expect(unwrap(admit(frame, NOW, world.b.view()), 'decrypted').content).toEqual(view(secret));
});

test('an answer is admitted from whom it is awaited, and binds the digest of the request', () => {
  const world = aWorld('answer');
  const request = unwrap(admit(aFrame(world), NOW, world.b.view()), 'a request');
  world.a.pending.await(request.message, {
    node: world.b.pair.publicKey,
    asked: world.quote.did,
    asker: world.ask.did,
    deadline: later(60_000),
  });

  const reply = aMessage(world, {
    kind: 'reply',
    claims: {
      answer: { request: request.message },
      certificate: world.answering,
      from: world.quote.did,
      to: world.ask.did,
    },
  });
  const route = { type: 'session', session: world.session.ofB } as const;
  const [frame = new Uint8Array()] = sealMessages([{ message: reply, route }], world.b, NOW);

  expect(unwrap(admit(frame, NOW, world.a.view()), 'a reply').claims.answer?.request).toBe(request.message);
});

test('a node speaks for itself without a certificate', () => {
  const world = aWorld('self');
  const claims = { certificate: undefined, from: world.a.did, to: world.b.did, command: '/mesh/present' };
  const frame = aFrame(world, aMessage(world, { kind: 'present', claims }));

  expect(admit(frame, NOW, world.b.view())).toMatchObject({ ok: true, value: { certificate: undefined } });
});

test('a certificate that is withdrawn stops the next envelope', () => {
  const world = aWorld('withdrawn');
  const { ask, certificate } = world;
  world.b.directory.learn(writeWithdrawal({ agent: ask.did, certificate, at: NOW }, ask.sponsor), NOW);

  expect(codeOf(admit(aFrame(world), NOW, world.b.view()))).toBe('certificate.withdrawn');
});

test('checks of higher floors are asked in order and the first refusal is authenticated', () => {
  const world = aWorld('checks');
  const asked: string[] = [];
  world.b.checks.push(
    () => void asked.push('revocation'),
    () => ({ code: 'trust.too_low', message: 'expected 300, found 21' }),
    () => void asked.push('never'),
  );

  const result = admit(aFrame(world), NOW, world.b.view());

  expect(result).toMatchObject({ ok: false, error: { code: 'trust.too_low', authenticated: true, from: world.a.did } });
  expect(asked).toEqual(['revocation']);
});

test('without a session only known nodes are heard, once, and nothing from before this life of the node', () => {
  const world = aWorld('sessionless');
  const seal = (at = NOW): Uint8Array => {
    const route = { type: 'sessionless', to: world.b.pair.publicKey } as const;
    return sealMessages([{ message: aMessage(world, { kind: 'tell' }), route }], world.a, at)[0] ?? new Uint8Array();
  };
  const frame = seal();
  expect(codeOf(admit(frame, NOW, world.b.view()))).toBe('envelope.unknown_sender');

  world.b.sessionless = new Sessionless(later(-10_000), [world.a.pair.publicKey]);
  expect(admit(frame, NOW, world.b.view())).toMatchObject({ ok: true, value: { session: undefined } });
  expect(admit(frame, NOW, world.b.view())).toMatchObject({
    error: { code: 'envelope.replayed', authenticated: false },
  });

  world.b.sessionless = new Sessionless(later(1), [world.a.pair.publicKey]);
  expect(codeOf(admit(frame, later(2), world.b.view()))).toBe('envelope.too_old');
  expect(codeOf(admit(seal(later(1_000)), later(2), world.b.view()))).toBe('envelope.too_old');
});
