/** Three nodes, as processes of their own, on a broker that they reach through proxies. One world for all tests, in order. */
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { verifyLog } from '../../runtime/log/fsck.ts';
import { desk } from '../cli/command.fixture.ts';
import { NAMES, type Name, type NodeOfTest, RealmWorld, until } from './realm-world.fixture.ts';

let world: RealmWorld;
const others = (name: Name) => NAMES.filter((other) => other !== name).map((other) => world.nodes[other]);

beforeAll(async () => {
  world = await RealmWorld.open();
});
afterAll(async () => {
  await world?.[Symbol.asyncDispose]();
});

/** After each disturbance: nothing lost, nothing twice, in order, and the logs agree. */
async function checkWorld(): Promise<void> {
  const report = await world.quiet();
  const told = await world.told();
  const done = world.done();
  expect(report).toMatchObject({ inFlight: 0, faults: [] });
  expect(done.filter((deed) => deed.includes(' put ')).toSorted()).toEqual(told.toSorted());
  expect(new Set(done).size).toBe(done.length);
  for (const { deeds } of world.all) {
    for (const by of NAMES) {
      const numbers = deeds
        .filter((deed) => deed.startsWith(`put post/${by} `))
        .map((deed) => Number(deed.split(' ')[2]));
      expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
    }
  }
}

let asked = 0;
/** Everybody gets an answer from everybody else; whoever has just come back may have to be asked again. */
async function allAnswer(): Promise<void> {
  const pairs = NAMES.flatMap((name) => others(name).map((other) => ({ node: world.nodes[name], other })));
  await Promise.all(pairs.map(({ node, other }) => untilAnswered(node, other)));
}

async function untilAnswered(node: NodeOfTest, other: NodeOfTest): Promise<void> {
  await until(`${node.name} to be answered by ${other.name}`, async () => {
    const n = ++asked;
    const answer = await node.ask(other, n, 20_000);
    if ((answer as { readonly type: string }).type === 'busy') return false;
    expect(answer).toEqual({ type: 'ok', value: 2 * n });
    return true;
  });
}

describe('three nodes', () => {
  test('find one another, ask and tell both ways', async () => {
    await allAnswer();
    await world.talk(3);
    await checkWorld();
  });

  test.each(NAMES)('lose nothing when %s is killed in mid-traffic and started again', async (name) => {
    const node = world.nodes[name];
    const before = world.done().length;
    const talking = world.talk(5);
    await until('something to be done', () => world.done().length > before);
    await node.end('SIGKILL');
    await talking;
    if (name === 'bob') cpSync(node.log, olderCopy(), { recursive: true });
    await world.talk(2, others(name));
    await node.start();
    await allAnswer();
    await checkWorld();
  });

  test('go on when one was stopped for less time than anybody waits', async () => {
    const { ann, bob, cid } = world.nodes;
    bob.signal('SIGSTOP');
    const n = ++asked;
    const answer = ann.ask(bob, n);
    await world.talk(2, [cid]);
    bob.signal('SIGCONT');
    expect(await answer).toEqual({ type: 'ok', value: 2 * n });
    await checkWorld();
  });

  test('go on when one was stopped for longer than it was waited for', async () => {
    const { ann, bob, cid } = world.nodes;
    bob.signal('SIGSTOP');
    const late = ann.ask(bob, ++asked, 2_000);
    await world.talk(2, others('bob'));
    expect(await cid.ask(ann, ++asked)).toMatchObject({ type: 'ok' });
    expect(await late).toEqual({ type: 'timeout', value: null });
    bob.signal('SIGCONT');
    await allAnswer();
    await checkWorld();
  });

  test.each(['to_server', 'to_client'] as const)('go on when nothing of one gets %s for a while', async (way) => {
    const { ann, bob, cid } = world.nodes;
    const partition = cid.proxy.inject({ type: 'partition', way });
    const late = ann.ask(cid, ++asked, 2_000);
    await world.talk(2);
    expect(await bob.ask(ann, ++asked)).toMatchObject({ type: 'ok' });
    expect(await late).toEqual({ type: 'timeout', value: null });
    expect(partition.fired).toBeGreaterThan(0);
    cid.proxy.heal();
    await allAnswer();
    await checkWorld();
  });

  test('go on when one was cut off until it gave its connection up', async () => {
    const { bob } = world.nodes;
    const { connections } = bob.proxy.counts;
    const partition = bob.proxy.inject({ type: 'partition' });
    await world.talk(2);
    await until('another connection', () => bob.proxy.counts.connections > connections);
    expect(partition.fired).toBeGreaterThan(0);
    bob.proxy.heal();
    await allAnswer();
    await checkWorld();
  });

  test('go on when messages are lost, doubled and turned round', async () => {
    const faults = world.all.flatMap(({ proxy }) =>
      (['drop', 'duplicate', 'reorder'] as const).map((type) => proxy.inject({ type, perMille: 100 })),
    );
    await world.talk(4);
    await checkWorld();
    for (const { proxy } of world.all) proxy.heal();
    expect(faults.reduce((sum, { fired }) => sum + fired, 0)).toBeGreaterThan(0);
    await allAnswer();
    await checkWorld();
  });

  test.each([
    ['over its files', true],
    ['without them', false],
  ])('go on when the broker is killed in mid-traffic and started again %s', async (_, keepsData) => {
    const before = world.done().length;
    const talking = world.talk(4);
    await until('something to be done', () => world.done().length > before);
    await world.restartBroker(keepsData);
    await talking;
    await allAnswer();
    await checkWorld();
  });
});

/** The command line over logs of this world. */
function verify(...logs: readonly string[]) {
  using at = desk();
  const { status, stdout } = at.run(['log', 'verify', ...logs, '--anchor', world.anchors, '--json']);
  const {
    ok,
    agreement,
    logs: each,
  } = JSON.parse(stdout) as {
    readonly ok: boolean;
    readonly agreement: { readonly faults: readonly { readonly code: string; readonly about: object }[] };
    readonly logs: readonly { readonly problems: readonly { readonly code: string }[] }[];
  };
  return { status, ok, agreement, problems: each.flatMap(({ problems }) => problems.map(({ code }) => code)) };
}

function olderCopy(): string {
  return join(world.path, 'older');
}

describe('after all that', () => {
  test('they end in order, every log verifies, and all agree', async () => {
    expect(await Promise.all(world.all.map((node) => node.end('SIGTERM')))).toEqual(NAMES.map(() => 'in order'));
    for (const log of world.logs) {
      expect(await verifyLog(log, { anchors: world.anchors })).toMatchObject({ problems: [], anchor: 'agrees' });
    }

    expect(verify(...world.logs)).toMatchObject({ status: 0, ok: true, agreement: { inFlight: 0, faults: [] } });
  });

  test('an older copy of one of the logs is named, by what the others know of it', () => {
    const { ann, cid } = world.nodes;

    const { status, ok, agreement, problems } = verify(ann.log, olderCopy(), cid.log);

    expect({ status, ok, problems }).toEqual({ status: 5, ok: false, problems: ['log.rolled_back'] });
    const codes = new Set(agreement.faults.map(({ code }) => code));
    expect(codes).toContain('logs.not_accepted');
    expect(agreement.faults[0]).toMatchObject({ about: { log: 'post/bob/log/0' } });
  });
});
