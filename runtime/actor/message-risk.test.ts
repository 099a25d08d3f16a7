/** What a message's contract says of its risk reaches the gates, whichever way the message goes. */
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { parseDid } from '../codec/did.ts';
import { sha256 } from '../codec/digest.ts';
import type { JsonValue } from '../codec/json.ts';
import { digestText, parseEventId } from '../codec/record.ts';
import { utf8 } from '../core/bytes.ts';
import { unwrap } from '../core/result.ts';
import type { Action } from '../kernel/action.ts';
import type { Gates } from '../kernel/gate.ts';
import { contract, riskOfMessage } from './contract.ts';
import { implement } from './implement.ts';
import { refTo } from './ref.ts';
import { TestNode } from './test-kit.ts';

const Till = contract('till', {
  messages: {
    look: { in: z.object({}), out: z.object({}) },
    pay: { in: z.object({}), out: z.object({}), risk: 3 },
    pass: { in: z.object({ to: z.string() }), out: z.object({ type: z.string() }) },
    leave: { in: z.object({ to: z.string() }) },
  },
  needs: { trust: 250, ring: 3 },
});
const till = implement(Till, {
  state: () => ({}),
  evolve: {},
  on: {
    look: () => ({}),
    pay: () => ({}),
    async pass({ to }, ctx) {
      return { type: (await ctx.ask(refTo(Till, to)).pay({})).type };
    },
    async leave({ to }, ctx) {
      ctx.tell(refTo(Till, to)).pay({});
    },
  },
});

/** A node whose gates let through what `mayPay` says, and who was asked about what. */
async function aNode(mayPay: (action: Action) => boolean = () => true) {
  const seen: string[] = [];
  const policy: Gates['policy'] = {
    check: ({ action }) => {
      const { verb, target, risk, needs, isArrival = false } = action;
      if (verb !== 'use') seen.push(`${isArrival ? 'arriving ' : ''}${verb} ${target} ${risk} ${needs?.trust}`);
      if (mayPay(action)) return { verdict: 'allow' };
      return { verdict: 'deny', code: 'trust.too_low', message: 'no' };
    },
  };
  const kit = new TestNode({ implementations: [till], gates: { policy } });
  await kit.open();
  await kit.node.spawn(Till, 'one');
  await kit.node.spawn(Till, 'two');
  return { kit, seen, [Symbol.asyncDispose]: () => kit[Symbol.asyncDispose]() };
}

const one = refTo(Till, 'one');

const riskJudged = (payload: JsonValue): readonly number[] => {
  const { judged } = (payload ?? {}) as { readonly judged?: { readonly risk: number } | null };
  return judged ? [judged.risk] : [];
};

describe('the risk class of a message', () => {
  test('is its contract’s, 0 where that says none, and 4 where there is no such message', () => {
    const names = ['look', 'pay', 'steal', 'toString', '__proto__'];
    expect(names.map((name) => riskOfMessage(Till, name))).toEqual([0, 3, 4, 4, 4]);
  });

  test('is part of what a contract is, and nothing else changed its digest', () => {
    const { pay, ...others } = Till.spec.messages;
    const same = contract('till', { ...Till.spec, messages: { ...others, pay: { ...pay } } });
    const other = contract('till', { ...Till.spec, messages: { ...others, pay: { ...pay, risk: 2 } } });
    expect([same.digest === Till.digest, other.digest === Till.digest]).toEqual([true, false]);
    expect(JSON.stringify(Till.form)).toContain('"risk":3');
  });

  test.each([
    ['a class beyond the worst', { messages: { a: { in: z.object({}), risk: 5 as 4 } } }],
    ['a class that is no number', { messages: { a: { in: z.object({}), risk: Number.NaN as 4 } } }],
    ['trust that nobody can have', { messages: {}, needs: { trust: 1001 } }],
    ['trust that is no number', { messages: {}, needs: { trust: Number.NaN } }],
    ['a ring that there is not', { messages: {}, needs: { ring: 4 } }],
  ])('cannot be declared with %s', (_, spec) => {
    expect(() => contract('odd', spec)).toThrow('expected 0 to');
  });

  test('is known to the gates when it is asked and told here, and when it arrives', async () => {
    await using node = await aNode();
    await node.kit.node.ask(one).pass({ to: 'two' });
    await node.kit.node.tell(one).leave({ to: 'two' });
    await node.kit.settle();
    const id = unwrap(parseEventId('0190a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2b'), 'an id');
    const did = unwrap(parseDid('did:example:far'), 'a DID');
    await node.kit.node.accept({
      ...{ message: id, kind: 'tell', from: { agent: 'far', did }, to: 'two', name: 'pay', body: {} },
      ...{ chain: [], deadline: node.kit.clock.now() + 60_000, correlation: id, delegation: [] },
      envelope: digestText(sha256(utf8('an envelope'))),
    });

    expect(node.seen).toEqual([
      'ask till.pay@two 3 250',
      'tell till.pay@two 3 250',
      'arriving tell till.pay@two 3 250',
    ]);
    const risks = node.kit.events.flatMap(({ type, payload }) =>
      type === 'action.decided' ? [(payload as { readonly risk: number }).risk] : riskJudged(payload),
    );
    expect(risks).toEqual([3, 3, 3]);
  });

  test('keeps what is refused for it from being done, and says so by a code on record', async () => {
    await using node = await aNode(({ risk }) => risk < 3);
    expect(await node.kit.node.ask(one).pass({ to: 'two' })).toMatchObject({ value: { type: 'denied' } });
    await node.kit.node.tell(one).leave({ to: 'two' });
    await node.kit.settle();

    const paid = node.kit.events.filter(
      ({ type, payload }) => type === 'message.accepted' && (payload as { readonly name: string }).name === 'pay',
    );
    expect(paid).toEqual([]);
    const refused = [...node.kit.log.read()].filter(({ decision }) => decision?.verdict === 'deny');
    expect(refused.map(({ type, decision }) => [type, decision?.code])).toEqual([
      ['action.decided', 'trust.too_low'],
      ['action.decided', 'trust.too_low'],
    ]);
  });
});
