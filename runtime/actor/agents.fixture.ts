/** The agents of the actor suite: loaded by tests and, as a module, by child hosts. */
import { z } from 'zod';
import { contract } from './contract.ts';
import { implement } from './implement.ts';
import { fail } from './not-ok.ts';
import { refTo } from './ref.ts';
import { tool } from './tool.ts';

export const add = tool('sum.add', {
  in: z.object({ a: z.int(), b: z.int() }),
  out: z.int(),
  effect: 'idempotent',
});
export const pay = tool('bank.pay', { in: z.object({ cents: z.int() }), out: z.string(), effect: 'unsafe' });
export const hold = tool('bank.hold', { in: z.object({ cents: z.int() }), out: z.string(), effect: 'reconcile' });

const Count = z.object({ count: z.int() });
const Nothing = z.object({});

export const Counter = contract('counter', {
  messages: {
    add: { in: z.object({ n: z.int() }), out: Count },
    get: { in: Nothing, out: Count },
    /** Adds by way of the tool, twice, so that there is a journal. */
    sum: { in: z.object({ n: z.int() }), out: Count },
    /** Pays and then counts. */
    pay: { in: z.object({ cents: z.int() }), out: z.object({ type: z.string(), count: z.int() }) },
    hold: { in: z.object({ cents: z.int() }), out: z.object({ type: z.string() }) },
    race: { in: Nothing, out: z.object({ winner: z.int() }) },
    denied: { in: Nothing, out: z.object({ type: z.string(), code: z.string() }) },
    /** What went wrong. */
    wrong: { in: z.object({ how: z.string() }), out: Count },
    say: { in: z.object({ to: z.string(), n: z.int() }) },
    askOther: {
      in: z.object({ to: z.string(), via: z.string() }),
      out: z.object({ type: z.string(), text: z.string() }),
    },
    remind: { in: z.object({ after: z.int(), n: z.int() }) },
    repeat: { in: z.object({ every: z.int() }) },
    quiet: { in: Nothing },
    nap: {
      in: z.object({ ms: z.int() }),
      out: z.object({ slept: z.int(), count: z.int() }),
      concurrent: true,
      within: '1h',
    },
    order: { in: Nothing, out: z.object({ type: z.string(), by: z.string(), count: z.int() }), within: '1h' },
    times: { in: Nothing, out: z.object({ now: z.int(), draw: z.int(), id: z.string(), caller: z.string() }) },
    child: { in: z.object({ name: z.string() }), out: z.object({ type: z.string() }) },
    watch: { in: z.object({ name: z.string() }) },
    gone: { in: z.object({ agent: z.string(), instance: z.int(), why: z.string() }) },
    leave: { in: Nothing },
  },
  events: { Added: z.object({ n: z.int() }), Gone: z.object({ agent: z.string(), why: z.string() }) },
  uses: { add, pay, hold },
});

export type CounterState = { readonly count: number; readonly gone: readonly string[] };

export const counter = implement(Counter, {
  state: (): CounterState => ({ count: 0, gone: [] }),
  evolve: {
    Added: (state, { n }) => ({ ...state, count: state.count + n }),
    Gone: (state, { agent, why }) => ({ ...state, gone: [...state.gone, `${agent} ${why}`] }),
  },
  on: {
    add({ n }, ctx) {
      ctx.emit('Added', { n });
      return { count: ctx.state().count };
    },
    get: (_, ctx) => ({ count: ctx.state().count }),
    async sum({ n }, ctx) {
      const once = await ctx.must.add({ a: ctx.state().count, b: n });
      const twice = await ctx.use.add({ a: once, b: n });
      if (twice.type !== 'ok') return twice;
      ctx.emit('Added', { n: twice.value - ctx.before.count });
      return { count: ctx.state().count };
    },
    async pay({ cents }, ctx) {
      const paid = await ctx.use.pay({ cents });
      ctx.emit('Added', { n: 1 });
      return { type: paid.type, count: ctx.state().count };
    },
    async hold({ cents }, ctx) {
      return { type: (await ctx.use.hold({ cents })).type };
    },
    async race(_, ctx) {
      const legs = [1, 2, 3].map((n) => ctx.use.add({ a: n, b: 0 }));
      const first = await ctx.race(legs);
      await ctx.all(legs);
      return first.type === 'ok' ? { winner: first.value } : first;
    },
    async denied(_, ctx) {
      const answer = await ctx.use.pay({ cents: -1 });
      return answer.type === 'denied' ? { type: answer.type, code: answer.code } : fail('counter.odd', answer.type);
    },
    async wrong({ how }, ctx) {
      ctx.emit('Added', { n: 1_000 });
      switch (how) {
        case 'throw':
          throw new Error('broken on purpose');
        case 'refuse':
          return fail('counter.full', 'no more');
        case 'nothing':
          return undefined as never;
        case 'garbage':
          return { count: 'many' } as never;
        case 'ambient':
          // biome-ignore lint/style/noRestrictedGlobals: strict mode is to catch it.
          return { count: Date.now() };
        case 'exit':
          // biome-ignore lint/style/noRestrictedGlobals: a host that ends itself.
          return process.exit(3);
        case 'spin':
          while (how === 'spin') ctx.now();
          break;
        case 'flood':
          for (let n = 0; n < 20_000; n++) void ctx.use.add({ a: n, b: n });
          break;
        case 'many':
          for (let n = 0; n < 500; n++) ctx.emit('Added', { n: 0 });
          break;
        default:
          await new Promise(() => undefined);
      }
      return { count: 0 };
    },
    async say({ to, n }, ctx) {
      await ctx.tell(refTo(Counter, to)).add({ n });
      ctx.emit('Added', { n });
    },
    async askOther({ to, via }, ctx) {
      const other = refTo(Counter, to);
      const answer =
        via === 'get' ? await ctx.ask(other).get({}) : await ctx.ask(other).askOther({ to: via, via: 'get' });
      const text = answer.type === 'ok' ? JSON.stringify(answer.value) : 'message' in answer ? answer.message : '';
      return { type: answer.type, text };
    },
    remind({ after, n }, ctx) {
      ctx.after('reminder', after, 'add', { n });
    },
    repeat({ every }, ctx) {
      ctx.every('tick', every, 'add', { n: 1 });
    },
    quiet(_, ctx) {
      ctx.cancel('tick');
    },
    async nap({ ms }, ctx) {
      const before = ctx.now();
      ctx.emit('Added', { n: 1 });
      await ctx.sleep(ms);
      ctx.emit('Added', { n: 10 });
      return { slept: ctx.now() - before, count: ctx.state().count };
    },
    async order(_, ctx) {
      ctx.emit('Added', { n: 1 });
      const paid = await ctx.wait('paid', z.object({ by: z.string() }), { within: '1m' });
      return { type: paid.type, by: paid.type === 'ok' ? paid.value.by : '', count: ctx.state().count };
    },
    times: (_, ctx) => ({ now: ctx.now(), draw: ctx.random(1_000_000), id: ctx.id(), caller: ctx.caller.agent ?? '' }),
    async child({ name }, ctx) {
      return { type: (await ctx.spawn(Counter, name)).type };
    },
    watch({ name }, ctx) {
      ctx.watch(name, 'gone');
    },
    gone({ agent, why }, ctx) {
      ctx.emit('Gone', { agent, why });
    },
    async leave(_, ctx) {
      await ctx.stop();
    },
  },
});
