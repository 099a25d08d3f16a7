import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { add, Counter } from '../../../runtime/actor/agents.fixture.ts';
import { childHosts } from '../../../runtime/actor/child-hosts.ts';
import { AgentNode } from '../../../runtime/actor/node.ts';
import { provide } from '../../../runtime/actor/tool.ts';
import { systemClock, systemRandom, thisProcess } from '../../../runtime/core/system.ts';
import { allowList } from '../../../runtime/kernel/allow-list.ts';
import { createLog, openLog } from '../../../runtime/log/log-directory.ts';
import { type Desk, desk } from '../command.fixture.ts';

const AGENTS = resolve(import.meta.dirname, '../../../runtime/actor/agents.fixture.ts');

/** A log on disk that agents in child processes have written. */
async function played({ path }: Desk): Promise<void> {
  const ports = { clock: systemClock, random: systemRandom, identity: thisProcess() };
  const [directory, anchors] = [join(path, 'log'), join(path, 'state/ringmesh/anchors')];
  await createLog(directory, { anchors }, systemRandom);
  await using log = await openLog(directory, { anchors, reserveBytes: 0 }, ports);
  const modules = { counter: { module: AGENTS, name: 'counter' } };
  await using node = AgentNode.open({
    ...ports,
    log,
    contracts: [Counter],
    hosts: childHosts({ modules }),
    tools: [provide(add, ({ a, b }) => a + b)],
    gates: { policy: allowList({ '*': ['sum.*'] }) },
  });
  const one = await node.spawn(Counter, 'one');
  expect(await node.ask(one).sum({ n: 3 })).toMatchObject({ type: 'ok', value: { count: 6 } });
  expect(await node.ask(one).add({ n: 4 })).toMatchObject({ type: 'ok', value: { count: 10 } });
}

describe('log replay', () => {
  test('folds what agents wrote, compares states, and says the same twice', async () => {
    using at = desk();
    await played(at);

    const ran = at.run(['log', 'replay', 'log', '--agents', AGENTS, '--json']);
    const again = at.run(['log', 'replay', 'log', '--agents', AGENTS, '--json']);

    expect(ran).toMatchObject({ status: 0, stderr: '' });
    expect(JSON.parse(ran.stdout)).toMatchObject({
      ...{ agents: 1, compared: 2, diverged: 0 },
      trust: expect.stringMatching(/^[\w-]{43}$/),
    });
    expect(again.stdout).toBe(ran.stdout);
  });

  test('shows the state of an agent at an index', async () => {
    using at = desk();
    await played(at);

    const now = at.run(['log', 'replay', 'log', '--agents', AGENTS, '--agent', 'one']);
    const then = at.run(['log', 'replay', 'log', '--agents', AGENTS, '--agent', 'one', '--at', '8']);

    expect(now.stdout).toContain('"count":10');
    expect(then.stdout).toContain('"count":6');
  });
});

describe('log why', () => {
  test('prints what led to an event, each cause under what it caused', async () => {
    using at = desk();
    await played(at);

    const { stdout, status } = at.run(['log', 'why', 'log', '3']);

    expect(status).toBe(0);
    expect(stdout).toBe(
      [
        'one: the attempt ended ok  (3)',
        '└ because one wanted to use sum.add (allow: policy.allowed)  (2)',
        '  └ because one accepted ask sum from outside  (1)',
        '',
      ].join('\n'),
    );
  });

  test('an event that is not there is not found', async () => {
    using at = desk();
    await played(at);

    expect(at.run(['log', 'why', 'log', '999']).status).toBe(3);
  });
});
