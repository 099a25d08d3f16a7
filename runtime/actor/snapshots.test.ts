/** Snapshots save the way and change nothing: with them, without them, or with those of other code, an agent is the same. */
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { streamOf } from './agent-stream.ts';
import { contract } from './contract.ts';
import type { Hosts } from './hosts.ts';
import { inlineHosts } from './hosts.ts';
import { implement } from './implement.ts';
import type { History } from './protocol.ts';
import { refTo } from './ref.ts';
import { keptState, keptView, SNAPSHOT_EVENTS } from './snapshots.ts';
import { TestNode } from './test-kit.ts';

const Tally = contract('tally', {
  messages: {
    add: { in: z.object({ n: z.int() }), out: z.int() },
    sum: { in: z.object({}), out: z.int() },
    nap: { in: z.object({}), out: z.int(), within: '1h' },
  },
  events: { Added: z.object({ n: z.int() }) },
});
const tallyThat = (fold: (sum: number, n: number) => number) =>
  implement(Tally, {
    state: () => ({ sum: 0 }),
    evolve: { Added: ({ sum }, { n }) => ({ sum: fold(sum, n) }) },
    on: {
      add({ n }, ctx) {
        ctx.emit('Added', { n });
        return ctx.state().sum;
      },
      sum: (_, ctx) => ctx.state().sum,
      async nap(_, ctx) {
        ctx.emit('Added', { n: 1 });
        await ctx.sleep('1m');
        return ctx.state().sum;
      },
    },
  });
const adds = tallyThat((sum, n) => sum + n);
const one = refTo(Tally, 'one');
const FACTS = 600;

/** Hosts whose implementation can be exchanged between lives, and what they are given to fold from. */
function watchedHosts() {
  const given: History[] = [];
  let [implementation, code] = [adds, 'adds'];
  let lie: object | undefined;
  const hosts: Hosts = {
    start(profile, listener) {
      const host = inlineHosts([implementation], { code }).start(profile, {
        ...listener,
        heard: (message) =>
          listener.heard(lie === undefined || message.type === 'ready' ? message : { ...message, ...lie }),
      });
      return {
        ...host,
        send(message) {
          if (message.type === 'enter' && message.history !== undefined) given.push(message.history);
          host.send(message);
        },
      };
    },
  };
  return {
    hosts,
    given,
    run: (other: typeof adds, itsCode: string) => {
      [implementation, code] = [other, itsCode];
    },
    lie: (said: object) => {
      lie = said;
    },
  };
}

async function counted(hosts: Hosts): Promise<TestNode> {
  const kit = new TestNode({ implementations: [adds], hosts, idleMs: 1_000 });
  const node = await kit.open();
  await node.spawn(Tally, 'one');
  for (let n = 1; n <= FACTS; n++) await node.ask(one).add({ n });
  return kit;
}

const SUM = (FACTS * (FACTS + 1)) / 2;

describe('an agent with a long history', () => {
  test('comes back by folding the state that was kept and the facts after it', async () => {
    const watched = watchedHosts();
    await using kit = await counted(watched.hosts);
    await kit.advance('1s');
    await kit.advance('1s');
    expect(kit.node.census.awake).toBe(0);

    expect(await kit.node.ask(one).sum({})).toMatchObject({ value: SUM });
    expect(watched.given.at(-1)?.base).toMatchObject({ emitted: 512 });
    expect(watched.given.at(-1)?.facts).toHaveLength(FACTS - 512);
    expect(keptView(kit.log, 'one').version).toBeGreaterThan(SNAPSHOT_EVENTS);
  });

  test('is the same for code that folds otherwise: what other code has kept does not count, and costs no attempt', async () => {
    const watched = watchedHosts();
    await using kit = await counted(watched.hosts);
    await kit.crash();
    watched.run(
      tallyThat((sum, n) => sum - n),
      'subtracts',
    );
    await kit.open();

    expect(await kit.node.ask(one).sum({})).toMatchObject({ value: -SUM });
    expect(watched.given.slice(-2).map(({ base }) => base?.emitted)).toEqual([512, undefined]);
    expect(kit.count('turn.failed')).toBe(0);
  });

  test('is the same whether it is put away, crashes or drains, in whatever state its turns are', async () => {
    const watched = watchedHosts();
    await using kit = await counted(watched.hosts);
    await kit.node.tell(one).nap({});
    await kit.until('it sleeps', () => kit.count('turn.parked') === 1);
    for (const end of [() => kit.crash(), () => kit.node.drain().then(() => kit.crash())]) {
      await end();
      await kit.open();
      expect(await kit.node.ask(one).add({ n: 0 })).toMatchObject({ value: SUM + 1 });
    }
    await kit.advance('1m');
    await kit.until('it woke', () => kit.count('turn.woken') === 1);
    await kit.settle();

    const committed = kit.events.filter(({ type }) => type === 'turn.committed').at(-1)?.payload;
    expect(committed).toMatchObject({ reply: { value: SUM + 1 } });
    expect(keptView(kit.log, 'one').version).toBeLessThanOrEqual(
      [...kit.log.readStream(streamOf('one'))].at(-1)?.version ?? -1,
    );
  });

  test('a host that says for ever that it needs more fails its turns like any other', async () => {
    const watched = watchedHosts();
    await using kit = await counted(watched.hosts);
    await kit.crash();
    watched.lie({ type: 'stale' });
    await kit.open();

    expect(await kit.node.ask(one).sum({})).toMatchObject({ type: 'failed', code: 'host.stale' });
    expect(kit.count('turn.failed')).toBe(3);
    expect(keptState(kit.log, 'one', FACTS)?.emitted).toBe(512);
  });
});
