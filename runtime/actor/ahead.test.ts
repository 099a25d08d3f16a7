/** N9: a turn begins while the acceptance of its message is on its way to the disk, and nothing of it is seen before. */
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { ManualClock, seededRandom } from '../core/simulation.ts';
import { allowList } from '../kernel/allow-list.ts';
import { MemoryWorld } from '../log/memory-log.ts';
import type { CommitFault } from '../log/memory-store.ts';
import { contract } from './contract.ts';
import { inlineHosts } from './hosts.ts';
import { implement } from './implement.ts';
import { AgentNode } from './node.ts';
import { refTo } from './ref.ts';
import { endOfTick } from './tick.ts';
import { provide, tool } from './tool.ts';

const press = tool('button.press', { in: z.string(), out: z.string(), effect: 'unsafe' });
const Work = z.object({ how: z.enum(['answer', 'use', 'tell', 'pass']) });
const Worker = contract('worker', {
  messages: { work: { in: Work, out: z.string(), within: '1h' }, note: { in: z.object({}) } },
  uses: { press },
});
const worker = refTo(Worker, 'worker');
const other = refTo(Worker, 'other');

/** A node whose disk takes nothing more, or fails, from the moment in which `fault` says so. */
async function node(world = new MemoryWorld(seededRandom(1))) {
  const clock = new ManualClock();
  const { log, store } = await world.open(clock);
  const begun: string[] = [];
  const pressed: string[] = [];
  const implementation = implement(Worker, {
    state: () => ({}),
    evolve: {},
    on: {
      async work({ how }, ctx) {
        begun.push(how);
        if (how === 'use') return ctx.must.press('now');
        if (how === 'tell') ctx.tell(other).note({});
        if (how === 'pass') await ctx.ask(other).work({ how: 'answer' });
        return 'done';
      },
      note: () => {
        begun.push('note');
      },
    },
  });
  const agents = AgentNode.open({
    ...{ log, clock, contracts: [Worker], random: seededRandom(2), hosts: inlineHosts([implementation]) },
    tools: [provide(press, (what) => `pressed ${pressed.push(what)}`)],
    gates: { policy: allowList({ '*': ['*'] }) },
  });
  await agents.spawn(Worker, 'worker');
  await agents.spawn(Worker, 'other');
  const failWith = (fault: CommitFault): void => {
    store.faultOf = () => fault;
  };
  const rest = async (): Promise<void> => {
    for (let n = 0; n < 60; n++) await endOfTick();
  };
  return { agents, log, begun, pressed, failWith, rest };
}

describe('while the acceptance is not on disk', () => {
  test.each(['answer', 'use', 'tell', 'pass'] as const)(
    'a turn begins; what it does (%s) is seen by nobody',
    async (how) => {
      const { agents, log, begun, pressed, failWith, rest } = await node();
      const size = log.size;
      failWith('hang');

      const answers: unknown[] = [];
      void agents
        .ask(worker)
        .work({ how })
        .then((answer) => answers.push(answer));
      await rest();

      expect(begun).toEqual([how]);
      expect([pressed, answers, log.size - size]).toEqual([[], [], 0]);
    },
  );

  test('a message that is only left is not said to be accepted', async () => {
    const { agents, begun, failWith, rest } = await node();
    failWith('hang');

    const answers: unknown[] = [];
    void agents
      .tell(worker)
      .work({ how: 'answer' })
      .then((answer) => answers.push(answer));
    await rest();

    expect([begun, answers]).toEqual([['answer'], []]);
  });
});

test.each<[CommitFault, number]>([
  ['lost', 0],
  ['reply_lost', 1],
])(
  'when the disk fails under a turn that has begun, its write %s, the node ends and the log alone says what was',
  async (fault, accepted) => {
    const world = new MemoryWorld(seededRandom(1));
    const { agents, log, begun, pressed, failWith, rest } = await node(world);
    failWith(fault);

    const asked = expect(agents.ask(worker).work({ how: 'use' })).rejects.toMatchObject({ code: 'log.stopped' });
    await rest();

    expect([begun, pressed]).toEqual([['use'], []]);
    await asked;
    expect(await agents.ended).toMatchObject({ code: 'log.stopped' });
    await log[Symbol.asyncDispose]();
    const again = await world.open(new ManualClock());
    expect([...again.log.read()].filter(({ type }) => type === 'message.accepted')).toHaveLength(accepted);
  },
);

test('the outcome of an act is on record before the end of the turn that was told it', async () => {
  const { agents, log } = await node();

  await agents.ask(worker).work({ how: 'use' });

  const types = [...log.read()].map(({ type }) => type).slice(-4);
  expect(types).toEqual(['message.accepted', 'action.decided', 'action.settled', 'turn.committed']);
});

test('a disk that fails under an outcome ends the node, though its turn waits for something else (N8)', async () => {
  const world = new MemoryWorld(seededRandom(1));
  const clock = new ManualClock();
  const { log, store } = await world.open(clock);
  const pressed = Promise.withResolvers<string>();
  const implementation = implement(Worker, {
    state: () => ({}),
    evolve: {},
    on: {
      work: async (_, ctx) => (await Promise.all([ctx.must.press('now'), ctx.must.press('never')])).join(),
      note: () => undefined,
    },
  });
  const agents = AgentNode.open({
    ...{ log, clock, contracts: [Worker], random: seededRandom(2), hosts: inlineHosts([implementation]) },
    tools: [provide(press, (what) => (what === 'now' ? pressed.promise : new Promise(() => undefined)))],
    gates: { policy: allowList({ '*': ['*'] }) },
  });
  await agents.spawn(Worker, 'worker');
  await agents.tell(worker).work({ how: 'use' });
  const rest = async (): Promise<void> => {
    for (let n = 0; n < 60; n++) await endOfTick();
  };
  await rest();
  store.faultOf = () => 'lost';

  pressed.resolve('pressed');

  expect(await agents.ended).toMatchObject({ code: 'log.stopped' });
});
