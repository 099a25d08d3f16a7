/** Real child processes that do what they must not: each is ended by a code, and harms nobody else. */
import { existsSync } from 'node:fs';
import { describe, expect, test, vi } from 'vitest';
import { RING_LIMITS, type Ring, type RingLimits } from '../kernel/ring.ts';
import { type ChildOptions, childHosts } from './child-hosts.ts';
import { Hostile, hostile, strike } from './hostile.fixture.ts';
import type { Hosts } from './hosts.ts';
import { TestNode, type TestNodeOptions } from './test-kit.ts';
import { provide } from './tool.ts';

const modules = { hostile: { module: import.meta.resolve('./hostile.fixture.ts'), name: 'hostile' } };
const MIB = 1024 * 1024;

type Options = Pick<ChildOptions, 'limitsOf' | 'cgroups'> & Pick<TestNodeOptions, 'silenceMs'>;

/** A node with the agent that does harm and three that are none of its business: same contract, another process. */
async function setup({ silenceMs, ...options }: Options = {}) {
  const held: boolean[] = [];
  const strikes: string[] = [];
  let ringOfBad: Ring = 3;
  const gate = { open: (): void => undefined, passed: Promise.resolve() };
  const kit = new TestNode({
    implementations: [hostile],
    hosts: noting(childHosts({ modules, ...options }), held),
    standingOf: (agent) => ({
      ring: agent === 'bad' ? ringOfBad : agent === 'inner' ? 2 : 3,
      sponsor: agent === 'stranger' ? 'alice' : 'mallory',
    }),
    tools: [
      provide(strike, async (_, { key }) => {
        strikes.push(key);
        await gate.passed;
        return strikes.length;
      }),
    ],
    ...(silenceMs === undefined ? {} : { silenceMs }),
  });
  const node = await kit.open();
  const [bad, inner, stranger] = await Promise.all(
    ['bad', 'inner', 'stranger'].map((name) => node.spawn(Hostile, name)),
  );
  if (bad === undefined || inner === undefined || stranger === undefined) throw new Error('three agents');
  const others = async () => [await node.ask(inner).where({}), await node.ask(stranger).where({})];
  return { kit, node, bad, inner, stranger, others, strikes, held, gate, moveBad: (to: Ring) => (ringOfBad = to) };
}

/** Hears when hosts are held. */
function noting(hosts: Hosts, held: boolean[]): Hosts {
  return {
    start: (profile, listener) =>
      hosts.start(profile, {
        ...listener,
        held(isHeld) {
          held.push(isHeld);
          listener.held?.(isHeld);
        },
      }),
  };
}

type World = Awaited<ReturnType<typeof setup>>;

/** The answer, in the end; time passes only as supervisors need it. */
async function inTheEnd<T>({ kit }: World, asked: Promise<T>): Promise<T> {
  let isOver = false;
  const over = asked.finally(() => {
    isOver = true;
  });
  const decided = (): number => kit.count('supervisor.decided');
  for (let before = decided(); !isOver; before = decided()) {
    await kit.until('an answer or a decision', () => isOver || decided() > before);
    await kit.settle();
    await kit.advance('1s');
  }
  return over;
}

function exits({ kit }: World): readonly unknown[] {
  return kit.events
    .filter(({ type }) => type === 'host.exited')
    .map(({ payload }) => (payload as { code: string }).code);
}

describe('a host', () => {
  test.each([
    ['fills buffers outside the heap', 'buffers', 'host.memory_exceeded'],
    ['fills the heap', 'heap', 'host.memory_exceeded'],
    ['prints without end', 'print', 'host.flooded'],
    ['ends itself', 'exit', 'host.exited'],
    ['aborts', 'abort', 'host.exited'],
    ['kills itself', 'kill', 'host.exited'],
    ['says what is no message', 'babble', 'host.malformed'],
    ['says nothing, literally', 'null', 'host.malformed'],
  ])('of ring 3 that %s is ended by a code, and harms nobody else', async (_, how, code) => {
    const world = await setup();
    await using _kit = world.kit;
    const before = await world.others();

    const answer = await inTheEnd(world, world.node.ask(world.bad).harm({ how }));

    expect(answer).toMatchObject({ type: 'failed', code });
    expect(exits(world)).toEqual([code, code, code]);
    expect(world.strikes).toHaveLength(1); // three attempts, one effect
    expect(await world.others()).toMatchObject(
      before.map((one) => ({ type: 'ok', value: one.type === 'ok' && one.value })),
    );
    await world.kit.advance('1m');
    expect(await world.node.ask(world.bad).where({})).toMatchObject({ type: 'ok', value: { harmed: 0 } });
  });

  test('P3: of ring 3 that spins is ended when its step time is over, and the rest of the node goes on', async () => {
    const world = await setup({ silenceMs: 700 });
    await using _kit = world.kit;
    const before = await world.others();
    let answer: unknown;

    void world.node
      .ask(world.bad)
      .harm({ how: 'spin' })
      .then((outcome) => {
        answer = outcome;
      });
    await world.kit.until('it spins', () => world.kit.count('action.settled') === 1);
    while (answer === undefined) {
      await world.kit.advance('1s');
      expect((await world.others()).map(({ type }) => type)).toEqual(['ok', 'ok']);
    }

    expect(answer).toMatchObject({ type: 'failed', code: 'host.silent' });
    expect(world.strikes).toHaveLength(1);
    expect(await world.others()).toMatchObject(before.map((one) => ({ value: one.type === 'ok' && one.value })));
    await world.kit.advance('1m');
    expect(await world.node.ask(world.bad).where({})).toMatchObject({ type: 'ok', value: { harmed: 0 } });
  });

  test('that burns CPU between turns is ended, without a turn to blame', async () => {
    const limitsOf = (ring: Ring): RingLimits => ({
      ...RING_LIMITS[ring],
      ...(ring === 3 ? { cpuPercentMax: 2 } : {}),
    });
    const world = await setup({ limitsOf });
    await using _kit = world.kit;

    expect(await world.node.ask(world.bad).harm({ how: 'burn between turns' })).toMatchObject({ type: 'ok' });
    await vi.waitFor(() => expect(world.kit.count('host.exited')).toBe(1), { timeout: 120_000, interval: 100 });

    expect(exits(world)).toEqual(['host.cpu_exceeded']);
    expect(world.held).toContain(true);
    expect(await world.node.ask(world.bad).where({})).toMatchObject({ type: 'ok', value: { harmed: 1 } });
    expect(world.strikes).toHaveLength(1);
  });

  test('that is asked for more than its share of CPU is slowed, not ended', async () => {
    const limitsOf = (ring: Ring): RingLimits => ({ ...RING_LIMITS[ring], cpuPercentMax: 10 });
    const world = await setup({ limitsOf });
    await using _kit = world.kit;

    for (let n = 0; n < 40 && !world.held.includes(false); n++) {
      expect(await world.node.ask(world.bad).burn({ rounds: 3 })).toMatchObject({ type: 'ok', value: { rounds: 3 } });
    }

    expect(world.held.slice(0, 2)).toEqual([true, false]);
    expect(exits(world)).toEqual([]);
  });

  test.each([
    ['a process', 'fork'],
    ['a thread', 'thread'],
  ])('cannot start %s', async (_, how) => {
    const world = await setup();
    await using _kit = world.kit;

    const answer = await world.node.ask(world.bad).harm({ how });

    expect(answer).toMatchObject({ type: 'ok', value: { found: expect.stringContaining('Access to this API') } });
    expect(exits(world)).toEqual([]);
  });

  test('says by what its limits are enforced', () => {
    const looks = existsSync('/proc/self/status') ? 'watchdog' : 'none';

    expect(childHosts({ modules }).describeIsolation()).toEqual({
      memory: looks,
      cpu: looks,
      processes: 'permissions',
    });
  });
});

describe('an agent that is moved to an outer ring', () => {
  test('goes on in a tighter host in the middle of its turn, and does nothing twice', async () => {
    const world = await setup();
    await using _kit = world.kit;
    const { kit, node, bad, gate, moveBad } = world;
    moveBad(2);
    const at = (mib: number): Promise<unknown> => node.ask(bad).hold({ mib });
    expect(await at(160)).toMatchObject({ type: 'ok' });
    const first = await node.ask(bad).where({});
    gate.passed = new Promise((resolve) => {
      gate.open = resolve;
    });

    const working = node.ask(bad).work({});
    await kit.until('the tool is under way', () => world.strikes.length === 1);
    moveBad(3);
    node.moved('bad');
    await kit.settle();
    gate.open();

    const second = await working;
    expect(first.type === 'ok' && second.type === 'ok' && second.value.after !== first.value.pid).toBe(true);
    expect(second).toMatchObject({ type: 'ok', value: { before: expect.any(Number) } });
    expect(world.strikes).toHaveLength(1);
    expect(kit.count('action.settled')).toBe(1);
    expect(exits(world)).toEqual([]);
    expect(await node.ask(bad).where({})).toMatchObject({ type: 'ok', value: { harmed: 1 } });

    await inTheEnd(world, at(160)); // answered, if it is faster than the watchdog looks
    await vi.waitFor(() => expect(exits(world)).toContain('host.memory_exceeded'), { timeout: 30_000, interval: 100 });
    expect(160 * MIB).toBeGreaterThan(RING_LIMITS[3].memoryBytesMax ?? 0);
  });
});
