/** What compiles is half of the authoring API: lines under `@ts-expect-error` are checked by `npm run check`. */
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { Context, Terminated } from './context.ts';
import { contract } from './contract.ts';
import { implement } from './implement.ts';
import { refTo } from './ref.ts';
import { provide, tool } from './tool.ts';

const lookup = tool('catalog.lookup', {
  in: z.object({ sku: z.string() }),
  out: z.int(),
  effect: 'pure',
  scope: 'catalog:read',
  within: '1s',
});
const pay = tool('bank.pay', { in: z.object({ cents: z.int() }), out: z.string(), effect: 'reconcile' });

const Quote = contract('quote', {
  messages: {
    price: { in: z.object({ sku: z.string() }), out: z.object({ cents: z.int() }), within: '2s' },
    forget: { in: z.object({}) },
    gone: { in: z.object({ agent: z.string(), instance: z.int(), why: z.string() }) },
  },
  events: { Priced: z.object({ sku: z.string(), cents: z.int() }), Forgotten: z.object({}) },
  uses: { lookup },
  needs: { trust: 300 },
});

const evolve = { Priced: (s: { seen: number }) => ({ seen: s.seen + 1 }), Forgotten: () => ({ seen: 0 }) };
const on = { forget: () => undefined, gone: () => undefined };

test('a need that no gate judges is refused: it would only seem to protect', () => {
  const declare = () => contract('shy', { messages: {}, needs: { trust: 300, scope: 'desk:read' } });

  expect(declare).toThrow(/needs of trust and ring in shy.*"scope"/);
});

describe('an implementation', () => {
  test('compiles when it answers every message and evolves by every event', () => {
    const quote = implement(Quote, {
      state: () => ({ seen: 0 }),
      evolve,
      on: {
        ...on,
        async price({ sku }, ctx) {
          const found = await ctx.use.lookup({ sku });
          if (found.type !== 'ok') return found;
          ctx.emit('Priced', { sku, cents: found.value });
          const seen: number = ctx.state().seen + ctx.before.seen;
          ctx.watch('other', 'gone');
          ctx.after('later', '1h', 'forget', {});
          const other = await ctx.ask(refTo(Quote, 'quote/b')).price({ sku }, { within: '1s' });
          return other.type === 'ok' ? { cents: other.value.cents + seen } : other;
        },
      },
    });

    expect(Object.keys(quote.on)).toEqual(['forget', 'gone', 'price']);
  });

  test('does not compile with a handler that the contract does not name', () => {
    const state = () => ({ seen: 0 });
    const price = () => ({ cents: 1 });
    // @ts-expect-error prize is no message
    implement(Quote, { state, evolve, on: { ...on, prize: price } });
    implement(Quote, {
      state,
      evolve,
      on: {
        forget: () => undefined,
        gone: () => undefined,
        price,
        // @ts-expect-error prize is no message, even beside all that are
        prize: price,
      },
    });

    expect(Quote.spec.messages).not.toHaveProperty('prize');
  });

  test('does not compile without a case for every event', () => {
    const price = () => ({ cents: 1 });
    // @ts-expect-error Forgotten is missing
    const made = implement(Quote, { state: () => ({ seen: 0 }), evolve: { Priced: (s) => s }, on: { ...on, price } });

    expect(made.contract).toBe(Quote);
  });

  test('does not compile with a reply of another type, nor without one', () => {
    const state = () => ({ seen: 0 });
    // @ts-expect-error cents is a number
    implement(Quote, { state, evolve, on: { ...on, price: () => ({ cents: 'ten' }) } });
    // @ts-expect-error a caller waits for an answer
    implement(Quote, { state, evolve, on: { ...on, price: () => undefined } });

    expect(Quote.form).toHaveProperty('messages.price.out.properties.cents.type', 'integer');
  });

  test('does not compile with a tool or an event that the contract does not name, nor with other input', () => {
    const check = (ctx: Context<(typeof Quote)['spec'], { seen: number }>) => {
      // @ts-expect-error bank.pay is not among what it uses
      void ctx.use.pay({ cents: 1 });
      // @ts-expect-error a number is no sku
      void ctx.use.lookup({ sku: 1 });
      // @ts-expect-error no such event
      ctx.emit('Sold', {});
      // @ts-expect-error Priced has cents
      ctx.emit('Priced', { sku: 'a' });
      // @ts-expect-error price does not take a Terminated
      ctx.watch('other', 'price');
      // @ts-expect-error no such message
      void ctx.tell(refTo(Quote, 'quote/b')).buy({});
      // @ts-expect-error the state is given, never changed by hand in another shape
      const wrong: { seen: string } = ctx.state();
      return wrong;
    };

    expect(check).toBeTypeOf('function');
  });

  test('a handler may take what a watch delivers', () => {
    const gone: Terminated = { agent: 'a', instance: 1, why: 'failed' };

    expect(Quote.spec.messages.gone.in.safeParse(gone).success).toBe(true);
  });
});

describe('a tool', () => {
  test('that can be asked what happened must be', () => {
    const run = () => 'receipt';
    // @ts-expect-error reconcile needs a probe
    provide(pay, { run });
    // @ts-expect-error nor is a bare function enough
    provide(pay, run);

    expect(provide(pay, { run, probe: () => 'absent' }).executor.probe).toBeTypeOf('function');
  });

  test('has code that returns what it says', () => {
    // @ts-expect-error a price is a number
    provide(lookup, () => 'ten');

    expect(provide(lookup, ({ sku }) => sku.length).tool).toBe(lookup);
  });

  test.each(['', 'Catalog', 'a..b', '1a', 'a.b-c'])('is not named %j', (name) => {
    expect(() => tool(name, { in: z.string(), out: z.string(), effect: 'pure' })).toThrow("a tool's name");
  });
});

describe('a contract', () => {
  test('has a digest that changes with what it says and with nothing else', () => {
    const same = contract('quote', {
      needs: { trust: 300 },
      uses: { lookup },
      events: { Forgotten: z.object({}), Priced: z.object({ sku: z.string(), cents: z.int() }) },
      messages: {
        gone: { in: z.object({ agent: z.string(), instance: z.int(), why: z.string() }) },
        forget: { in: z.object({}) },
        price: { in: z.object({ sku: z.string() }), out: z.object({ cents: z.int() }), within: 2_000 },
      },
    });

    expect(same.digest).toBe(Quote.digest);
    expect(contract('quote', { ...Quote.spec, needs: { trust: 301 } }).digest).not.toBe(Quote.digest);
    expect(contract('quotes', Quote.spec).digest).not.toBe(Quote.digest);
    expect(contract('quote', { ...Quote.spec, uses: { lookup: { ...lookup, risk: 4 } } }).digest).not.toBe(
      Quote.digest,
    );
  });

  test('refuses what no JSON Schema says', () => {
    expect(() => contract('clock', { messages: { tick: { in: z.date() } } })).toThrow('JSON data at clock.tick in');
  });

  test.each([['Quote'], ['1'], [''], ['a b']])('is not named %j', (name) => {
    expect(() => contract(name, { messages: {} })).toThrow("a contract's name");
  });
});
