import { expect, test } from 'vitest';
import { z } from 'zod';
import { contract } from './contract.ts';
import { type HostListener, type Hosts, inlineHosts } from './hosts.ts';
import { implement } from './implement.ts';
import { TestNode, type TestNodeOptions } from './test-kit.ts';
import { provide, tool } from './tool.ts';

const fetch = tool('slow.fetch', { in: z.object({}), out: z.int(), effect: 'pure', within: '1m' });
const Slow = contract('slow', {
  messages: { run: { in: z.object({}), out: z.int(), within: '1h' } },
  events: {},
  uses: { fetch },
});

/** A node whose tool and whose agent answer when they are let go. */
async function setup(limits: Pick<TestNodeOptions, 'silenceMs' | 'standingOf'> = { silenceMs: 1_000 }) {
  const fetched = Promise.withResolvers<number>();
  const finished = Promise.withResolvers<void>();
  const slow = implement(Slow, {
    state: () => ({}),
    evolve: {},
    on: {
      async run(_, ctx) {
        const found = await ctx.must.fetch({});
        await finished.promise; // computing, as far as the node can see
        return found;
      },
    },
  });
  const listeners: HostListener[] = [];
  const inline = inlineHosts([slow]);
  const hosts: Hosts = {
    start(profile, listener) {
      listeners.push(listener);
      return inline.start(profile, listener);
    },
  };
  const kit = new TestNode({
    implementations: [slow],
    hosts,
    ...limits,
    tools: [provide(fetch, () => fetched.promise)],
  });
  const node = await kit.open();
  const ref = await node.spawn(Slow, 'one');
  const asked = node.ask(ref).run({});
  await kit.until('the tool is under way', () => kit.count('action.decided') === 1);
  return { kit, asked, fetched, finished, host: () => listeners[0] };
}

test('P3: a host has its whole step time from the answer that it waited for', async () => {
  const { kit, asked, fetched, finished } = await setup();
  await using _kit = kit;

  await kit.advance(1_500); // the tool takes longer than a step may
  fetched.resolve(7);
  await kit.until('the tool has answered', () => kit.count('action.settled') === 1);
  await kit.advance(900);
  finished.resolve();

  expect(await asked).toMatchObject({ type: 'ok', value: 7 });
  expect(kit.count('host.exited')).toBe(0);
});

test('P3: and not longer', async () => {
  const { kit, fetched } = await setup();
  await using _kit = kit;
  fetched.resolve(7);
  await kit.until('the tool has answered', () => kit.count('action.settled') === 1);

  await kit.advance(1_000);
  await kit.advance(1_000);

  expect(kit.events.find(({ type }) => type === 'host.exited')?.payload).toMatchObject({ code: 'host.silent' });
});

test('P3: what a held host was sent does not count against it, until it has it', async () => {
  const { kit, asked, fetched, finished, host } = await setup();
  await using _kit = kit;
  host()?.held?.(true);
  fetched.resolve(7);
  await kit.until('the tool has answered', () => kit.count('action.settled') === 1);

  await kit.advance('10m');
  host()?.held?.(false);
  await kit.advance(900);
  expect(kit.count('host.exited')).toBe(0);
  finished.resolve();

  expect(await asked).toMatchObject({ type: 'ok', value: 7 });
});

test.each([
  [3, 5_000],
  [2, 60_000],
  [1, 300_000],
] as const)('P3: in ring %i a step may take %i ms, and not one more', async (ring, stepMs) => {
  const { kit, asked, fetched, finished } = await setup({ standingOf: () => ({ ring, sponsor: 'ann' }) });
  await using _kit = kit;
  fetched.resolve(7);
  await kit.until('the tool has answered', () => kit.count('action.settled') === 1);
  await kit.settle();

  for (let leftMs = stepMs - 1; leftMs > 0; leftMs -= 1_000) await kit.advance(Math.min(leftMs, 1_000));
  expect(kit.count('host.exited')).toBe(0);
  for (let n = 0; n < 5; n++) await kit.advance(1);
  expect(kit.count('host.exited')).toBe(1);
  finished.resolve();
  await kit.advance('1s'); // its supervisor starts it again
  expect(await asked).toMatchObject({ type: 'ok' });
});

test('P3: in ring 0 a step has no end', async () => {
  const { kit, asked, fetched, finished } = await setup({ standingOf: () => ({ ring: 0, sponsor: 'ann' }) });
  await using _kit = kit;
  fetched.resolve(7);
  await kit.until('the tool has answered', () => kit.count('action.settled') === 1);
  await kit.settle();

  for (let n = 0; n < 50; n++) await kit.advance('1m');
  expect(kit.count('host.exited')).toBe(0);
  finished.resolve();
  expect(await asked).toMatchObject({ type: 'ok', value: 7 });
});
