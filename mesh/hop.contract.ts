/**
 * All of it at once, over any carrier: two nodes that know nothing of each other shake hands, show each other their agents,
 * ask, and answer. Written as a node's loop would be, so it also shows how the pieces are meant to be put together.
 */
import { expect, test } from 'vitest';
import type { Did } from '../runtime/codec/did.ts';
import type { Millis } from '../runtime/core/brand.ts';
import { utf8, view } from '../runtime/core/bytes.ts';
import { unwrap } from '../runtime/core/result.ts';
import { systemClock } from '../runtime/core/system.ts';
import { type Admitted, admit, admitBundle } from './admit.ts';
import { isBundle } from './bundle.ts';
import { answerConfirm, answerHello, answerWelcome, sayHello, stepOf, type Welcoming } from './handshake.ts';
import { readCertificate, writeCertificate } from './hosting.ts';
import { composeMessage, sealMessages, sealMessagesAsBundle } from './message.ts';
import { learnPresentation, PRESENTATION_MEDIA, writePresentation } from './presentation.ts';
import type { Session } from './session.ts';
import { nodeToken } from './subject.ts';
import type { Arrival, Transport } from './transport.ts';
import { type Agent, aClaim, anAgent, type TestNode } from './world.fixture.ts';

export type Pair = AsyncDisposable & {
  readonly nodes: readonly [TestNode, TestNode];
  readonly transports: readonly [Transport, Transport];
};

export function hopContract(name: string, open: () => Promise<Pair>): void {
  test.each(['none', 'required'] as const)(
    `${name}: strangers become peers, ask and answer; encryption %s`,
    async (encryption) => {
      await using pair = await open();
      const [a, b] = pair.nodes;
      const [overA, overB] = pair.transports;
      for (const node of pair.nodes) node.terms = { ...node.terms, encryption };
      const [asker, answerer] = [anAgent('ask', a.random), anAgent('quote', b.random)];
      const [readA, readB] = [reader(overA), reader(overB)];
      const at = systemClock.now();

      const hello = sayHello(a, { to: b.did, terms: a.terms, at }, a.random);
      overA.send('hand', overB.self, hello.frame);
      const welcome = welcomed(b, await readB(), at);
      overB.send('hand', overA.self, welcome.frame);
      const confirm = unwrap(answerWelcome(a, hello.greeting, { frame: bytesOf(await readA()), at }), 'a welcome');
      overA.send('hand', overB.self, confirm.frame);
      const ofB = unwrap(answerConfirm(b, welcome.welcoming, { frame: bytesOf(await readB()), at }), 'a confirm');
      a.sessions.add(confirm.session, at);
      b.sessions.add(ofB, at);

      overA.send('hand', overB.self, present(a, asker, { session: confirm.session, to: b.did, at }));
      overB.send('hand', overA.self, present(b, answerer, { session: ofB, to: a.did, at }));
      for (const [node, read] of [
        [b, readB],
        [a, readA],
      ] as const) {
        const { content } = admitted(node, await read(), at)[0] as Admitted;
        expect(learnPresentation(content, node.directory, at).every(({ ok }) => ok)).toBe(true);
      }

      const questions = ['one', 'two', 'three'].map((word) =>
        composeMessage(
          { kind: 'ask', claims: aClaim(a, asker, answerer, at), media: 'text/plain', content: utf8(word) },
          a.random,
        ),
      );
      const route = { type: 'session', session: confirm.session } as const;
      const bundle = sealMessagesAsBundle(
        questions.map((message) => ({ message, route })),
        a,
        at,
      );
      overA.send('ask', overB.self, bundle);
      const asked = admitted(b, await readB(), at);
      for (const { message } of asked) {
        a.pending.await(message, {
          node: b.pair.publicKey,
          asked: answerer.did,
          asker: asker.did,
          deadline: later(at),
        });
      }
      const answers = asked.map(({ message, content }) =>
        composeMessage(
          {
            kind: 'reply',
            claims: { ...aClaim(b, answerer, asker, at), answer: { request: message } },
            media: 'text/plain',
            content: utf8(`${view(content)}!`),
          },
          b.random,
        ),
      );
      const back = { type: 'session', session: ofB } as const;
      for (const frame of sealMessages(
        answers.map((message) => ({ message, route: back })),
        b,
        at,
      )) {
        overB.send('answer', overA.self, frame);
      }
      const heard: string[] = [];
      while (heard.length < 3)
        for (const { content } of admitted(a, await readA(), at)) heard.push(view(content).toString());
      expect(heard).toEqual(['one!', 'two!', 'three!']);

      overA.send('ask', overB.self, bundle);
      const again = await readB();
      expect(admitBundle(bytesOf(again), at, b.view()).map((result) => !result.ok && result.error.code)).toEqual(
        Array(3).fill('envelope.replayed'),
      );
      expect(admit(bytesOf(again), at, b.view(), overB.self).ok).toBe(false);
    },
  );

  test(`${name}: what a third node sends on in the name of the first is refused before its signature`, async () => {
    await using pair = await open();
    const [a, b] = pair.nodes;
    const at = systemClock.now();
    const hello = sayHello(a, { to: b.did, terms: a.terms, at }, a.random);
    const { welcoming, frame } = unwrap(
      answerHello(b, { frame: hello.frame, terms: b.terms, at, mayMeet: () => true }, b.random),
      'a hello',
    );
    const confirm = unwrap(answerWelcome(a, hello.greeting, { frame, at }), 'a welcome');
    b.sessions.add(unwrap(answerConfirm(b, welcoming, { frame: confirm.frame, at }), 'a confirm'), at);
    const sealed = present(a, anAgent('ask', a.random), { session: confirm.session, to: b.did, at });
    expect(admit(sealed, at, b.view(), nodeToken(b.did))).toMatchObject({
      error: { code: 'envelope.wrong_carrier', authenticated: false },
    });
    expect(admit(sealed, at, b.view(), nodeToken(a.did)).ok).toBe(true);
  });
}

function welcomed(node: TestNode, arrival: Arrival, at: Millis): { welcoming: Welcoming; frame: Uint8Array } {
  const frame = bytesOf(arrival);
  expect(stepOf(frame)).toBe(1);
  return unwrap(answerHello(node, { frame, terms: node.terms, at, mayMeet: () => true }, node.random), 'a hello');
}

/** A node shows the agent that it hosts. */
function present(
  node: TestNode,
  agent: Agent,
  { session, to, at }: { readonly session: Session; readonly to: Did; readonly at: Millis },
): Uint8Array {
  const term = { agent: agent.did, node: node.did, epoch: node.epoch, issued: at, expires: later(at) };
  const certificate = writeCertificate(term, agent.key);
  node.hosted.add(agent.did);
  node.certificates.set(agent.did, unwrap(readCertificate(certificate), 'a certificate').cid);
  const { certificate: _, ...claims } = aClaim(node, agent, agent, at);
  const message = composeMessage(
    {
      kind: 'present',
      claims: { ...claims, command: '/mesh/present', from: node.did, to },
      media: PRESENTATION_MEDIA,
      content: writePresentation([...agent.identity.history, certificate]),
    },
    node.random,
  );
  return sealMessages([{ message, route: { type: 'session', session } }], node, at)[0] ?? new Uint8Array();
}

function admitted(node: TestNode, arrival: Arrival, at: Millis): readonly Admitted[] {
  if (arrival.type !== 'message') throw new Error(`expected a message, found ${arrival.type}`);
  const { bytes, from } = arrival;
  const results = isBundle(bytes) ? admitBundle(bytes, at, node.view(), from) : [admit(bytes, at, node.view(), from)];
  return results.map((result) => unwrap(result, 'an honest envelope'));
}

function bytesOf(arrival: Arrival): Uint8Array {
  if (arrival.type !== 'message') throw new Error(`expected a message, found ${arrival.type}`);
  return arrival.bytes;
}

function later(at: Millis): Millis {
  return (at + 600_000) as Millis;
}

/** Arrivals one by one. */
function reader(transport: Transport): () => Promise<Arrival> {
  const ended = new AbortController();
  systemClock.after(10_000, () => ended.abort());
  const groups = transport.arrivals(ended.signal)[Symbol.asyncIterator]();
  let rest: readonly Arrival[] = [];
  return async () => {
    if (rest.length === 0) rest = (await groups.next()).value ?? [];
    const [first, ...others] = rest;
    rest = others;
    if (first === undefined) throw new Error('expected an arrival within 10 s');
    return first;
  };
}
