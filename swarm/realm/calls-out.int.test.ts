/** That nodes find and prove one another by what peers present, and call nobody but the broker: by their system calls. */
import { spawnSync } from 'node:child_process';
import { mkdtempDisposableSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { expect, test } from 'vitest';
import { describeWith } from '../../runtime/core/program.fixture.ts';
import { CALLS_TRACED, calledIn } from './calls-out.fixture.ts';
import { NAMES, RealmWorld, until } from './realm-world.fixture.ts';

describeWith('strace', 'a node', () => {
  test('calls the broker and nobody else, whoever it meets, asks and tells', async () => {
    using folder = mkdtempDisposableSync(join(tmpdir(), 'ringmesh-calls-'));
    const recordOf = (name: string) => join(folder.path, name);
    await using world = await RealmWorld.open((name) => [...CALLS_TRACED, '-o', recordOf(name)]);
    for (const node of world.all) {
      for (const other of world.all.filter((one) => one !== node)) {
        await until(`${node.name} to be answered by ${other.name}`, async () => {
          const answer = await node.ask(other, 21);
          return JSON.stringify(answer) === JSON.stringify({ type: 'ok', value: 42 });
        });
      }
    }
    await world.talk(3);
    expect(await world.quiet()).toMatchObject({ inFlight: 0, faults: [] });
    await Promise.all(world.all.map((node) => node.hangUp()));

    const called = NAMES.map((name) => calledIn(readFileSync(recordOf(name), 'utf8')));
    expect(called).toEqual(world.all.map(({ proxy }) => [proxy.url]));
  });

  test.each([
    [
      'another port of this machine',
      `require('node:net').connect(9, '127.0.0.1').on('error', () => {})`,
      /127\.0\.0\.1:9$/,
    ],
    ['another port over IPv6', `require('node:net').connect(9, '::1').on('error', () => {})`, /\[::1\]:9$/],
    ['a name server', `require('node:dns').resolve4('example.invalid', () => {})`, /:53$/],
    ['a service by its socket', `require('node:net').connect('/run/none').on('error', () => {})`, /\/run\/none/],
  ])('that calls %s would be seen', (_, code, address) => {
    using folder = mkdtempDisposableSync(join(tmpdir(), 'ringmesh-calls-'));
    const record = join(folder.path, 'record');
    const [strace = '', ...options] = CALLS_TRACED;
    spawnSync(strace, [...options, '-o', record, process.execPath, '-e', code], { timeout: 30_000 });

    const called = calledIn(readFileSync(record, 'utf8'));
    expect(called.length).toBeGreaterThan(0); // a machine may have several name servers
    for (const one of called) expect(one).toMatch(address);
  });
});
