/** Agents of two nodes over the seam, with the wire between them losing requests and answers. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseDid } from '../codec/did.ts';
import { sha256 } from '../codec/digest.ts';
import { digestText, parseEventId } from '../codec/record.ts';
import { utf8 } from '../core/bytes.ts';
import { unwrap } from '../core/result.ts';
import type { Gate } from '../kernel/gate.ts';
import { add, Counter, counter, hold, pay } from './agents.fixture.ts';
import { refTo } from './ref.ts';
import type { Incoming } from './remote.ts';
import { TestNode } from './test-kit.ts';
import { TestMesh, type WireFaults } from './test-mesh.ts';
import { provide } from './tool.ts';

const did = (name: string) => unwrap(parseDid(`did:example:${name}`), 'a DID');
const tools = [
  provide(add, ({ a, b }) => a + b),
  provide(pay, () => 'paid'),
  provide(hold, { run: () => 'held', probe: () => 'absent' }),
];

/** One node with the agent `one`, another with `two`. */
async function pair(faults?: WireFaults, seed = 1) {
  const mesh = new TestMesh({ nodes: 2, seed, implementations: [counter], tools, ...(faults && { faults }) });
  await mesh.open();
  const [here, there] = mesh.nodes as readonly [TestNode, TestNode];
  await here.node.spawn(Counter, 'one');
  await there.node.spawn(Counter, 'two');
  return { mesh, here, there, [Symbol.asyncDispose]: () => mesh[Symbol.asyncDispose]() };
}

const ID = unwrap(parseEventId('0190a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2b'), 'an id');
function arrivalAt(kit: TestNode, agent: string): Incoming {
  return {
    ...{ message: ID, kind: 'tell', from: { agent, did: did(agent) }, to: 'two', name: 'add', body: { n: 1 } },
    ...{ chain: [], deadline: kit.clock.now() + 60_000, correlation: ID, delegation: [] },
    envelope: digestText(sha256(utf8('an envelope'))),
  };
}

const one = refTo(Counter, 'one');
const two = refTo(Counter, 'two');

describe('agents of two nodes', () => {
  test('ask and tell as on one, and the record says who it was by DID', async () => {
    await using nodes = await pair();
    const asked = await nodes.here.node.ask(one).askOther({ to: 'two', via: 'get' });
    await nodes.here.node.ask(one).say({ to: 'two', n: 7 });
    await nodes.mesh.advance('40s');

    expect(asked).toMatchObject({ type: 'ok', value: { type: 'ok' } });
    expect(nodes.there.stateOf(two)).toMatchObject({ count: 7 });
    const accepted = [...nodes.there.log.read()].filter(({ type }) => type === 'message.accepted');
    expect(accepted.map(({ principal, envelope }) => [principal, typeof envelope])).toEqual([
      ['did:example:one', 'string'],
      ['did:example:one', 'string'],
    ]);
  });

  test('a circle of calls across nodes is refused with its path', async () => {
    await using nodes = await pair();
    const asked = await nodes.here.node.ask(one).askOther({ to: 'two', via: 'one' });

    expect(JSON.stringify(asked)).toMatch(/one → two → one/);
  });

  test.each([
    ['no request', { lost: 50, replyLost: 0, lateMs: 0 }],
    ['no answer', { lost: 0, replyLost: 50, lateMs: 0 }],
    ['neither', { lost: 30, replyLost: 30, lateMs: 3_000 }],
  ])('over a wire on which %s is safe, a tell arrives once and in order, power losses included', async (_, faults) => {
    const property = fc.asyncProperty(fc.nat(), fc.array(fc.nat(3), { maxLength: 6 }), async (seed, moves) => {
      await using nodes = await pair(faults, seed);
      const said: number[] = [];
      for (const move of [0, ...moves, 0]) {
        if (move <= 1) {
          said.push(said.length + 1);
          expect(await nodes.here.node.tell(one).say({ to: 'two', n: said.length })).toMatchObject({ type: 'ok' });
        } else {
          const kit = move === 2 ? nodes.here : nodes.there;
          await kit.crash();
          await kit.open();
        }
        await nodes.mesh.advance('1s');
      }
      nodes.mesh.faults = { lost: 0, replyLost: 0, lateMs: 0 };
      await nodes.mesh.advance('2m');

      const added = nodes.there.events.filter(({ type }) => type === 'agent.emitted').map(({ payload }) => payload);
      expect(added).toMatchObject(said.map((n) => ({ data: { n } })));
      expect(nodes.here.count('message.delivered')).toBe(said.length);
    });
    await expect(fc.assert(property, { numRuns: 15 })).resolves.toBeUndefined();
  });

  test('two senders that choose the same id are two senders', async () => {
    await using nodes = await pair();
    const id = ID;
    const message: Incoming = {
      message: id,
      kind: 'tell',
      from: { agent: 'one', did: did('one') },
      to: 'two',
      name: 'add',
      body: { n: 1 },
      chain: [],
      deadline: nodes.there.clock.now() + 60_000,
      correlation: id,
      envelope: digestText(sha256(utf8('an envelope'))),
      delegation: [],
    };
    const impostor = { ...message, from: { agent: 'one', did: did('mallory') }, body: { n: 1_000 } };

    for (const each of [impostor, message, message, impostor]) {
      expect(await nodes.there.node.accept(each)).toMatchObject({ type: 'ok' });
    }
    await nodes.mesh.advance('40s');

    expect(nodes.there.stateOf(two)).toMatchObject({ count: 1_001 });
  });

  test('what another node has let its agent say is decided here, too: a refusal is on record, a yes in the acceptance', async () => {
    const policy: Gate = {
      check: ({ action }) =>
        action.isArrival === true && action.target === 'counter.add@two' && action.agent !== 'friend'
          ? { verdict: 'deny', code: 'policy.denied', message: 'not from there' }
          : { verdict: 'allow' },
    };
    await using kit = new TestNode({ implementations: [counter], tools, gates: { policy } });
    const node = await kit.open();
    await node.spawn(Counter, 'two');
    const from = (agent: string): Incoming => arrivalAt(kit, agent);

    expect(await node.accept(from('stranger'))).toMatchObject({ type: 'denied', code: 'policy.denied' });
    expect(await node.answer(from('stranger'))).toMatchObject({ type: 'denied', code: 'policy.denied' });
    expect(await node.accept(from('friend'))).toMatchObject({ type: 'ok' });
    await kit.settle();

    expect(kit.stateOf(two)).toMatchObject({ count: 1 });
    const verdicts = [...kit.log.read()].filter(({ decision }) => decision !== undefined);
    expect(verdicts.map(({ type, decision, actor }) => [type, decision?.verdict, actor])).toEqual([
      ['action.decided', 'deny', did('stranger')],
      ['action.decided', 'deny', did('stranger')],
      ['message.accepted', 'allow', kit.log.did],
    ]);
  });

  test('what another node floods with is refused each time, and on record ten times and in one count', async () => {
    const policy: Gate = { check: () => ({ verdict: 'deny', code: 'policy.denied', message: 'no' }) };
    await using kit = new TestNode({ implementations: [counter], tools, gates: { policy } });
    const node = await kit.open();
    await node.spawn(Counter, 'two');
    for (let n = 0; n < 200; n++) {
      expect(await node.accept(arrivalAt(kit, 'stranger'))).toMatchObject({ type: 'denied', code: 'policy.denied' });
    }
    await kit.advance('2s');
    expect(kit.count('action.decided')).toBe(10);
    const many = kit.events.filter(({ type }) => type === 'action.refused_many').map(({ payload }) => payload);
    expect(many).toEqual([{ agent: 'stranger', counts: { 'policy.denied': 190 } }]);
  });

  test.each(['ask', 'tell'] as const)(
    'an %s of which something is to be redacted is not let in whole',
    async (kind) => {
      const obligations = [{ kind: 'redact', path: '/n', with: 0 }];
      const policy: Gate = { check: () => ({ verdict: 'allow', obligations }) };
      await using kit = new TestNode({ implementations: [counter], tools, gates: { policy } });
      const node = await kit.open();
      await node.spawn(Counter, 'two');
      const arrival = { ...arrivalAt(kit, 'stranger'), kind };
      const answer = kind === 'ask' ? node.answer(arrival) : node.accept(arrival);
      expect(await answer).toMatchObject({ type: 'denied', code: 'gate.obligation_unmet' });
      expect(kit.count('message.accepted')).toBe(0);
    },
  );

  test('an agent that nobody has is asked for as one that is not there', async () => {
    await using nodes = await pair();
    expect(await nodes.here.node.ask(one).askOther({ to: 'three', via: 'get' })).toMatchObject({
      value: { type: 'died' },
    });
  });

  test('whoever watches an agent elsewhere hears of it when it is gone, and not before', async () => {
    await using nodes = await pair();
    await nodes.here.node.ask(one).watch({ name: 'two' });
    await nodes.mesh.advance('40s');
    expect(nodes.here.stateOf(one)).toMatchObject({ gone: [] });
    await nodes.here.crash(); // and a restart is no end of anybody else
    await nodes.here.open();
    await nodes.mesh.advance('40s');
    expect(nodes.here.stateOf(one)).toMatchObject({ gone: [] });

    nodes.here.node.gone('two');
    await nodes.mesh.advance('40s');
    expect(nodes.here.stateOf(one)).toMatchObject({ gone: ['two unknown'] });
  });
});

describe('control', () => {
  test('a suspended agent takes no turn, in this life or the next, and loses nothing', async () => {
    await using kit = new TestNode({ implementations: [counter], tools: [provide(add, ({ a, b }) => a + b)] });
    const node = await kit.open();
    await node.spawn(Counter, 'one');
    await node.suspend('one', 'an operator looks into it');
    await node.tell(one).add({ n: 1 });
    await kit.settle();
    expect(kit.stateOf(one)).toMatchObject({ count: 0 });

    await kit.crash();
    const again = await kit.open();
    await kit.settle();
    expect(kit.stateOf(one)).toMatchObject({ count: 0 });

    await again.resume('one');
    await kit.until('it took its turn', () => kit.count('turn.committed') === 1);
    expect(kit.stateOf(one)).toMatchObject({ count: 1 });
  });

  test.each(['suspended', 'moved'] as const)(
    'an agent that is %s in mid-turn goes on with what was recorded',
    async (how) => {
      const keys: string[] = [];
      const slow = Promise.withResolvers<undefined>();
      let ring: 2 | 3 = 2;
      await using kit = new TestNode({
        implementations: [counter],
        standingOf: () => ({ ring, sponsor: 'ann' }),
        tools: [
          provide(add, async ({ a, b }, { key }) => {
            keys.push(key);
            if (keys.length === 2) await slow.promise;
            return a + b;
          }),
        ],
      });
      const node = await kit.open();
      await node.spawn(Counter, 'one');
      const asked = node.ask(one).sum({ n: 4 });
      await kit.until('the second effect is under way', () => keys.length === 2);

      if (how === 'suspended') await node.suspend('one', 'look');
      else {
        ring = 3;
        node.moved('one');
      }
      slow.resolve(undefined);
      await kit.settle();
      if (how === 'suspended') {
        expect(kit.count('turn.committed')).toBe(0);
        await node.resume('one');
      }

      expect(await asked).toMatchObject({ type: 'ok', value: { count: 8 } });
      expect(new Set(keys).size).toBe(keys.length);
      expect(kit.count('turn.failed')).toBe(0);
    },
  );
});
