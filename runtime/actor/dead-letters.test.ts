import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { parseDid } from '../codec/did.ts';
import { sha256 } from '../codec/digest.ts';
import { digestText } from '../codec/record.ts';
import { utf8 } from '../core/bytes.ts';
import { unwrap } from '../core/result.ts';
import { allowList } from '../kernel/allow-list.ts';
import { eventIdOf } from '../kernel/event-id.ts';
import type { Gate } from '../kernel/gate.ts';
import { add, Counter, counter, hold, pay } from './agents.fixture.ts';
import { contract } from './contract.ts';
import { implement } from './implement.ts';
import { refTo } from './ref.ts';
import { TestNode } from './test-kit.ts';
import { provide } from './tool.ts';

const Desk = contract('desk', {
  messages: { book: { in: z.object({ cents: z.int() }) }, pass: { in: z.object({ cents: z.int() }) } },
  events: { Booked: z.object({ cents: z.int() }) },
});

/** An agent that fails until its world is mended, and a world that can be opened again mended or not. */
function world(gate?: Gate) {
  const state = { isBroken: true };
  const desk = implement(Desk, {
    state: () => ({ cents: 0 }),
    evolve: { Booked: (before, { cents }) => ({ cents: before.cents + cents }) },
    on: {
      book({ cents }, ctx) {
        if (state.isBroken) throw new Error('no ink');
        ctx.emit('Booked', { cents });
      },
      async pass({ cents }, ctx) {
        await ctx.tell(refTo(Desk, 'two')).book({ cents }, { retryFor: '1s' });
      },
    },
  });
  const gates = gate === undefined ? {} : { gates: { policy: gate } };
  return { state, kit: new TestNode({ implementations: [desk], ...gates }) };
}

const one = refTo(Desk, 'one');
const two = refTo(Desk, 'two');

describe('a dead letter', () => {
  test('of another node is put back as what its sender says, not as what a namesake here or the node would', async () => {
    const far = unwrap(parseDid('did:example:far'), 'a DID');
    const judged: unknown[] = [];
    const gate: Gate = {
      check: ({ action: { agent, actor, stream, isArrival } }) => {
        judged.push({ agent, actor, stream, isArrival });
        return { verdict: 'allow' };
      },
    };
    const { state, kit } = world(gate);
    await using _kit = kit;
    const node = await kit.open();
    await node.spawn(Desk, 'one');
    await node.spawn(Desk, 'two');
    const message = eventIdOf('a message');
    await node.accept({
      ...{ message, kind: 'tell', from: { agent: 'two', did: far }, to: 'one', name: 'book', body: { cents: 5 } },
      ...{ chain: [], deadline: kit.clock.now() + 60_000, correlation: message, delegation: [] },
      envelope: digestText(sha256(utf8('an envelope'))),
    });
    await kit.settle();
    const [letter] = node.deadLetters();
    expect(letter).toMatchObject({ from: 'two', did: far });

    state.isBroken = false;
    expect(await node.retry(letter?.message ?? '')).toMatchObject({ type: 'ok' });

    const asItArrived = { agent: 'two', actor: far, stream: 'sender/two', isArrival: true };
    expect(judged).toEqual([asItArrived, asItArrived]);
    const accepted = [...kit.log.read()].filter(({ type }) => type === 'message.accepted');
    expect(accepted.map(({ principal }) => principal)).toEqual([far, far]);
  });

  test('is listed with what it said and why it was given up, for its agent and for all', async () => {
    const { kit } = world();
    await using _kit = kit;
    const node = await kit.open();
    await node.spawn(Desk, 'one');
    const told = await node.tell(one).book({ cents: 5 });
    await kit.settle();

    expect(node.deadLetters('one')).toMatchObject([
      {
        message: told.type === 'ok' ? told.value.message : '',
        agent: 'one',
        from: null,
        kind: 'tell',
        name: 'book',
        body: { cents: 5 },
        code: 'turn.threw',
        detail: 'no ink',
        attempts: 3,
        retried: null,
      },
    ]);
    expect(node.deadLetters()).toEqual(node.deadLetters('one'));
    expect(node.deadLetters('two')).toEqual([]);
  });

  test('that nobody accepted is listed for whom it was for, and can be put back once somebody is there', async () => {
    const { kit, state } = world();
    await using _kit = kit;
    state.isBroken = false;
    const node = await kit.open();
    await node.spawn(Desk, 'one');
    await node.tell(one).pass({ cents: 5 });
    await kit.settle();
    const sent = kit.events.find(({ type }) => type === 'message.sent')?.payload as { readonly message: string };
    expect(await node.retry(sent.message)).toMatchObject({ type: 'failed', code: 'message.not_dead' });
    await kit.advance('1m');

    const [letter] = node.deadLetters('two');
    expect(letter).toMatchObject({ from: 'one', body: { cents: 5 }, code: 'message.undeliverable', attempts: 0 });
    expect(await node.retry(letter?.message ?? '')).toMatchObject({ type: 'died' });

    await node.spawn(Desk, 'two');
    expect(await node.retry(letter?.message ?? '')).toMatchObject({ type: 'ok' });
    await kit.settle();
    expect(kit.stateOf(two)).toEqual({ cents: 5 });
  });
});

describe('a retry', () => {
  test('after a restart is a new message caused by the end of the old one, and a second retry adds nothing', async () => {
    const { kit, state } = world();
    await using _kit = kit;
    const before = await kit.open();
    await before.spawn(Desk, 'one');
    await before.tell(one).book({ cents: 5 });
    await kit.settle();
    await kit.crash();
    const node = await kit.open();
    state.isBroken = false;
    const [letter] = node.deadLetters('one');
    const id = letter?.message ?? '';

    const [first, meanwhile] = await Promise.all([node.retry(id), node.retry(id)]);
    await kit.settle();

    expect(first).toMatchObject({ type: 'ok' });
    expect(meanwhile).toEqual(first);
    expect(first.type === 'ok' && first.value.message).not.toBe(id);
    expect(kit.stateOf(one)).toEqual({ cents: 5 });
    const accepted = [...kit.log.read(0)].filter(({ type }) => type === 'message.accepted');
    expect(accepted).toHaveLength(2);
    expect(accepted[1]).toMatchObject({ correlation: letter?.correlation, cause: { index: letter?.index } });
    expect(kit.events.filter(({ type }) => type === 'message.retried')).toMatchObject([
      { stream: 'agent/one', payload: { message: id, retry: first.type === 'ok' ? first.value.message : '' } },
    ]);

    const size = kit.log.size;
    expect(await node.retry(id)).toEqual(first);
    await kit.crash();
    expect(await (await kit.open()).retry(id)).toEqual(first);
    expect(kit.log.size).toBe(size);
    expect(kit.node.deadLetters()).toMatchObject([{ message: id, retried: expect.any(String) }]);
  });

  test('that fails again is a dead letter of its own, which can be retried in its turn', async () => {
    const { kit, state } = world();
    await using _kit = kit;
    const node = await kit.open();
    await node.spawn(Desk, 'one');
    await node.tell(one).book({ cents: 5 });
    await kit.settle();
    await node.retry(node.deadLetters()[0]?.message ?? '');
    await kit.settle();
    state.isBroken = false;

    const [old, again] = node.deadLetters();
    expect(old?.retried).toBe(again?.message);
    expect(await node.retry(again?.message ?? '')).toMatchObject({ type: 'ok' });
    await kit.settle();
    expect(kit.stateOf(one)).toEqual({ cents: 5 });
  });

  test.each(['lost', 'reply_lost'] as const)('whose record meets a loss of power (%s) happens once', async (fault) => {
    const { kit, state } = world();
    await using _kit = kit;
    const node = await kit.open();
    await node.spawn(Desk, 'one');
    await node.tell(one).book({ cents: 5 });
    await kit.settle();
    state.isBroken = false;
    const id = node.deadLetters()[0]?.message ?? '';
    kit.crashAt({ index: kit.log.size, fault });

    await Promise.race([node.retry(id).catch(() => undefined), node.ended]);
    await kit.crash();
    expect(await (await kit.open()).retry(id)).toMatchObject({ type: 'ok' });
    await kit.settle();

    expect(kit.stateOf(one)).toEqual({ cents: 5 });
    expect(kit.count('message.retried')).toBe(1);
  });

  test('of what an agent sent is decided by the gates of now, on record either way', async () => {
    const may = { send: true };
    const { policy } = allowList({ '*': ['*'] });
    const gate: Gate = {
      ...(policy === undefined ? {} : { policy }),
      check: () =>
        may.send ? { verdict: 'allow' } : { verdict: 'deny', code: 'policy.revoked', message: 'no more of it' },
    };
    const { kit, state } = world(gate);
    await using _kit = kit;
    const node = await kit.open();
    await node.spawn(Desk, 'one');
    await node.spawn(Desk, 'two');
    await node.tell(one).pass({ cents: 5 });
    await kit.settle();
    const id = node.deadLetters('two')[0]?.message ?? '';
    state.isBroken = false;
    may.send = false;

    const refused = await node.retry(id);
    expect(refused).toMatchObject({ type: 'denied', code: 'policy.revoked' });
    expect(kit.events.at(-1)).toMatchObject({ stream: 'agent/one', type: 'action.decided' });
    expect(kit.count('message.retried')).toBe(0);

    may.send = true;
    expect(await node.retry(id)).toMatchObject({ type: 'ok' });
    await kit.settle();
    const [retried] = [...kit.log.read(0)].filter(({ type }) => type === 'message.retried');
    expect(retried?.decision).toMatchObject({ verdict: 'allow' });
    expect(kit.stateOf(two)).toEqual({ cents: 5 });
  });

  test('of what is no dead letter is refused by a code and leaves nothing', async () => {
    await using kit = new TestNode({
      implementations: [counter],
      tools: [
        provide(add, ({ a, b }) => a + b),
        provide(pay, () => 'paid'),
        provide(hold, { run: () => 'held', probe: () => 'absent' }),
      ],
    });
    const node = await kit.open();
    const ref = await node.spawn(Counter, 'one');
    await node.spawn(Counter, 'two');
    const told = await node.tell(ref).say({ to: 'two', n: 1 });
    await kit.settle();
    const size = kit.log.size;
    const sent = kit.events.find(({ type }) => type === 'message.sent')?.payload as { readonly message: string };

    for (const id of [told.type === 'ok' ? told.value.message : '', sent.message]) {
      expect(await node.retry(id)).toMatchObject({ type: 'failed', code: 'message.not_dead' });
    }
    for (const id of ['', 'nonsense', '0190a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2b']) {
      expect(await node.retry(id)).toMatchObject({ type: 'failed', code: 'message.not_found' });
    }
    expect(kit.log.size).toBe(size);
  });
});
