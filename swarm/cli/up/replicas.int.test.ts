/** A role of several replicas: whoever comes takes a slot, and takes it over from whoever was killed. */
import { spawn } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { expect, test } from 'vitest';
import { liveness, systemClock, thisProcess } from '../../../runtime/core/system.ts';
import { openReader, writerOf } from '../../../runtime/log/log-directory.ts';
import { soundEventsOf } from '../../../runtime/log/sound-events.fixture.ts';
import { APART, testApart } from '../../realm/apart.fixture.ts';
import { ended } from '../command.fixture.ts';
import { AS_SOURCE, lineOf, project } from './project.fixture.ts';

test('replicas claim slots, each with a log of its own; a slot whose process was killed is claimed again, with its log', async () => {
  using at = project((text) =>
    text
      .replace('count: 1', 'count: 3')
      .replace('tools: [notes] }', 'tools: [notes], replicas: 2 }')
      .replace('until: answered', 'until: stopped'),
  );
  const front = at.start(['up', 'swarm.yaml', '--only', 'front', '--broker', 'spawn'], AS_SOURCE);
  const [url = ''] = (await lineOf(front, 'started  broker')).split(',');
  const flags = ['--broker', url, '--log', 'logs', '--anchor', 'anchors'];
  const start = (only: string) => at.start(['up', 'swarm.yaml', '--only', only, ...flags], AS_SOURCE);
  const slotOf = async (child: ReturnType<typeof start>) =>
    (await lineOf(child, 'started  identity')).split(' ').find((word) => word.startsWith('back'));

  const first = start('back');
  expect(await slotOf(first)).toBe('back-1');
  const second = start('back');
  expect(await slotOf(second)).toBe('back-2');
  expect((await ended(start('back'))).stderr).toMatch(/ringmesh: realm\.slots_taken: .*back-1 to back-2/);
  expect((await ended(start('back-2'))).stderr).toMatch(/ringmesh: realm\.slots_taken: /);
  expect((await ended(start('front'))).stderr).toMatch(/ringmesh: realm\.slots_taken: .*one of front/);
  expect(await lineOf(second, 'answer   clerk/2.visit')).toContain('"said":"ann 30 t0ken"');

  first.kill('SIGKILL');
  await ended(first);
  const again = start('back');
  expect(await slotOf(again)).toBe('back-1');
  const answers = [await lineOf(again, 'answer   clerk/'), await lineOf(again, 'answer   clerk/')];
  expect(answers.map((text) => text.slice(0, 7)).toSorted()).toEqual(['1.visit', '3.visit']);
  for (const child of [again, second, front]) {
    // the broker last
    child.kill('SIGTERM');
    expect(await ended(child)).toMatchObject({ stdout: expect.stringMatching(/^verified {2}yes: /m) });
  }
  for (const slot of ['back-1', 'back-2']) expect(existsSync(join(at.path, 'logs', slot, 'log.key'))).toBe(true);
  const { stdout } = at.run(['log', 'show', 'logs/back-1', '--type', 'agent.started', '--json']);
  expect(
    stdout
      .match(/agent\/clerk\/[123]/g)
      ?.toSorted()
      .at(0),
  ).toBe('agent/clerk/1');

  rmSync(join(at.path, '.ringmesh/office-keys/nodes/back-1'), { recursive: true });
  rmSync(join(at.path, '.ringmesh/office-keys/nodes/back-2'), { recursive: true });
  expect((await ended(start('back'))).stderr).toMatch(/ringmesh: realm\.no_keys: .*back-1 to back-2/);
});

test('an agent that the realm does not know, or knows elsewhere, runs nowhere', async () => {
  using at = project((text) => text.replace('until: answered', 'until: stopped'));
  const front = at.start(['up', 'swarm.yaml', '--only', 'front', '--broker', 'spawn'], AS_SOURCE);
  await lineOf(front, 'ready');
  front.kill('SIGTERM');
  await ended(front);
  using more = project((text) => text.replace('count: 1', 'count: 2'));
  const keys = join(at.path, '.ringmesh/office-keys');
  const { stderr } = more.run(
    ['up', 'swarm.yaml', '--only', 'back', '--broker', '127.0.0.1:1', '--keys', keys],
    AS_SOURCE,
  );
  expect(stderr).toMatch(/ringmesh: realm\.outdated: .*clerk\/2/);
  using moved = project((text) =>
    text
      .replace('front: { agents: [desk]', 'front: { agents: [clerk/*]')
      .replace('back: { agents: [clerk/*]', 'back: { agents: [desk]'),
  );
  const elsewhere = moved.run(
    ['up', 'swarm.yaml', '--only', 'back', '--broker', '127.0.0.1:1', '--keys', keys],
    AS_SOURCE,
  );
  expect(elsewhere.stderr).toMatch(/ringmesh: realm\.outdated: expected desk at back, found it at front/);
});

const MAIN = resolve(import.meta.dirname, '../main.ts');

testApart(
  'killed as process 1 of a pid namespace, as in a container, its slot and log are taken over from another',
  async () => {
    using at = project((text) => text.replace('until: answered', 'until: stopped'));
    const front = at.start(['up', 'swarm.yaml', '--only', 'front', '--broker', 'spawn'], AS_SOURCE);
    const [url = ''] = (await lineOf(front, 'started  broker')).split(',');
    const start = () => {
      const args = ['up', 'swarm.yaml', '--only', 'back', '--broker', url, '--anchor', 'anchors'];
      const [unshare, ...apart] = APART;
      const program = [process.execPath, ...AS_SOURCE.nodeArgs, MAIN, ...args];
      return spawn(unshare, [...apart, ...program], { cwd: at.path, timeout: 60_000, killSignal: 'SIGKILL' });
    };
    for (let life = 0; life < 2; life++) {
      const back = start();
      expect(await lineOf(back, 'answer   clerk/1.visit')).toContain('"type":"ok"');
      back.kill('SIGKILL');
      await ended(back);
    }
    const log = join(at.path, '.ringmesh/office-back');
    await using reader = await openReader(log, systemClock);
    expect(liveness((await writerOf(log)) ?? thisProcess(), thisProcess())).toBe('unknown');
    expect(soundEventsOf(reader)).toHaveLength(reader.size);
    front.kill('SIGTERM');
    await ended(front);
  },
);
