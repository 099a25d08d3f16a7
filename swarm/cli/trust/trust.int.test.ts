import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Trail } from '../../../mesh/trust/trail.fixture.ts';
import { ManualClock } from '../../../runtime/core/simulation.ts';
import { systemRandom, thisProcess } from '../../../runtime/core/system.ts';
import { createLog, openLog } from '../../../runtime/log/log-directory.ts';
import { type Desk, desk, expectError, objects } from '../command.fixture.ts';

/** A log of a clerk that worked and a rogue that did not keep to the rules. */
async function lived({ path }: Desk): Promise<void> {
  const clock = new ManualClock(1_800_000_000_000);
  const [directory, anchors] = [join(path, 'log'), join(path, 'state/ringmesh/anchors')];
  await createLog(directory, { anchors }, systemRandom);
  const ports = { clock, random: systemRandom, identity: thisProcess() };
  await using log = await openLog(directory, { anchors, reserveBytes: 0 }, ports);
  const trail = new Trail(log, clock);
  await trail.endorsed('rogue', 650);
  await trail.worked('clerk', 30);
  await trail.denied('rogue', 'policy');
  await trail.denied('rogue', 'delegation', {}, 'delegation.args_denied');
}

describe('trust ls', () => {
  test('prints every agent, highest first, and the same on every run', async () => {
    using at = desk();
    await lived(at);

    const ran = at.run(['trust', 'ls', 'log']);
    const told = at.run(['trust', 'ls', 'log', '--json']);

    expect(ran.status).toBe(0);
    expect(ran.stdout.split('\n')[0]).toMatch(/^SCORE +OWN +FLOOR +LIMIT +STRIKES +PARTIES +TIER +AGENT +SPONSOR$/);
    expect(ran.stdout).toMatch(/^ +8\d\d .* trusted +clerk +did:key:.*\n +0 .* untrusted +rogue +did:key:/m);
    expect(JSON.parse(told.stdout)).toMatchObject({
      schema: 'ringmesh.trust-list/1',
      formula: 'beta-lower-bound/1',
      size: 63,
      agents: [
        { agent: 'clerk', tier: 'trusted', strikes: 0 },
        { agent: 'rogue', score: 0, strikes: 2 },
      ],
    });
    expect(at.run(['trust', 'ls', 'log', '--json']).stdout).toBe(told.stdout);
  });

  test('tells how a score fades when nothing more is shown', async () => {
    using at = desk();
    await lived(at);
    const [clerk] = (
      JSON.parse(at.run(['trust', 'ls', 'log', '--at', '2027-02-20T00:00:00Z', '--json']).stdout) as {
        agents: readonly { readonly score: number }[];
      }
    ).agents;
    expect(clerk?.score).toBeLessThan(300);
  });
});

describe('trust show', () => {
  test('explains a score event by event, and what it is in the end', async () => {
    using at = desk();
    await lived(at);

    const rows = objects(at.run(['trust', 'show', 'log', 'rogue', '--json']).stdout);
    const { stdout } = at.run(['trust', 'show', 'log', 'rogue']);

    expect(
      rows.map(({ schema, index, why, weight_quarters, from, score }) => [
        schema,
        index,
        why,
        weight_quarters,
        from,
        score,
      ]),
    ).toEqual([
      ['ringmesh.trust-change/1', 0, 'endorsed', 0, 21, 650],
      ['ringmesh.trust-change/1', 61, 'policy', 20, 650, 0],
      ['ringmesh.trust-change/1', 62, 'scope', 80, 0, 0],
      ['ringmesh.trust-score/1', undefined, undefined, undefined, undefined, 0],
    ]);
    expect(stdout).toMatch(/62 +2027-.*Z +exceeded its delegation +file +20 +0 +0 /);
    expect(stdout).toMatch(/\nrogue, sponsored by did:key:\S+: 0, untrusted, as of 2027-/);
    expect(stdout).toContain('bad 25.00 units');
  });

  test('knows a class of capability apart', async () => {
    using at = desk();
    await lived(at);
    const last = objects(at.run(['trust', 'show', 'log', 'clerk', '--class', 'money', '--json']).stdout).at(-1);
    expect(last).toMatchObject({ score: 21, good_grains: 0 });
  });

  test('names who is not there, and moments that are none', async () => {
    using at = desk();
    await lived(at);
    expectError(at.run(['trust', 'show', 'log', 'nobody']), 3, 'agent.not_found');
    expectError(at.run(['trust', 'show', 'log', 'did:key:nobody']), 3, 'agent.not_found');
    expectError(at.run(['trust', 'ls', 'log', '--at', 'yesterday']), 2, 'usage.invalid');
    expectError(at.run(['trust', 'ls', 'nowhere']), 3, 'log.not_found');
  });
});

test('the blocks of docs/cli.md about trust run as they stand', () => {
  using at = desk();
  const root = resolve(import.meta.dirname, '../../..');
  const [, block = ''] = /## `trust ls`.*?```sh\n(.*?)```/s.exec(readFileSync(join(root, 'docs/cli.md'), 'utf8')) ?? [];
  const script = `ringmesh() { "${process.execPath}" "${root}/swarm/cli/main.ts" "$@"; }\n${block}`;
  const env = { PATH: process.env['PATH'] ?? '', XDG_STATE_HOME: join(at.path, 'state') };
  const ran = spawnSync('bash', ['-euo', 'pipefail', '-c', script], { cwd: at.path, env, encoding: 'utf8' });
  expect({ status: ran.status, stdout: ran.stdout }).toMatchObject({
    status: 0,
    stdout: expect.stringContaining('650'),
  });
  expect(ran.stdout).toContain('"schema":"ringmesh.trust-list/1"');
});
