import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openReader, systemClock, systemRandom, thisProcess } from 'ringmesh/runtime';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type AuditPorts, runAudit } from './audit.ts';
import { Coordinator, Reporter, Researcher } from './contracts.ts';
import { parseOptions } from './options.ts';
import { payloadOf } from './progress.ts';
import { RegistryDouble } from './registry-double.fixture.ts';
import { Report } from './report.ts';
import type { Summary } from './summary.ts';

const NAMES = 24;
const integrity = `sha512-${'A'.repeat(86)}==`;

let double: RegistryDouble;
let folder: string;
/** Runs that ended by a signal. */
let kills: number;

beforeEach(async () => {
  kills = 0;
  double = await RegistryDouble.start();
  folder = await mkdtemp(join(tmpdir(), 'audit-'));
  await project(names());
});

afterEach(async () => {
  await double[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

describe('an audit', () => {
  test('reports on every package, and the log is verified', async () => {
    const { summary } = await run({ fresh: true });

    expect(summary).toMatchObject({
      isNew: true,
      isComplete: true,
      packages: NAMES,
      names: { total: NAMES, judged: NAMES, failed: 0 },
      findings: { critical: 1, medium: 1 },
      actions: { deny: 0 },
      isVerified: true,
    });
    const report = await reportOf();
    expect(report.packages[0]).toMatchObject({ name: 'p0', findings: [{ rule: 'integrity.mismatch' }] });
    expect(report.packages).toHaveLength(NAMES);
    expect(await readFile(join(folder, 'out/report.md'), 'utf8')).toContain('integrity.mismatch');
    expect(counts()).toEqual(names().map((name) => [name, 1]));
  });

  test('a finished audit is not gone on with: a second run begins another', async () => {
    const first = await run({ fresh: true });
    const second = await run({});

    expect(second.summary?.isNew).toBe(true);
    expect(second.summary?.audit).not.toBe(first.summary?.audit);
    expect(counts()).toEqual(names().map((name) => [name, 2]));
  });

  test('what cannot be fetched is named, and the next run fetches only that', async () => {
    const [lost = '', refused = ''] = names().slice(5);
    double.reply(lost, 'cut');
    double.reply(refused, { status: 403 });
    const first = await run({ fresh: true });
    const before = counts();
    publish(names());
    const second = await run({});

    expect(first.summary).toMatchObject({
      isComplete: false,
      names: { judged: NAMES - 2, failed: 2 },
      failures: expect.arrayContaining([
        { name: lost, code: 'registry.unreachable' },
        { name: refused, code: 'registry.refused' },
      ]),
    });
    expect(second.summary).toMatchObject({ isNew: false, isComplete: true, audit: first.summary?.audit });
    const again = counts().flatMap(([name, count], n) => (count === before[n]?.[1] ? [] : [name]));
    expect(again.toSorted()).toEqual([lost, refused].toSorted());
    expect((await reportOf()).isComplete).toBe(true);
  });

  test('with no registry at all it ends, names everything as missing, and goes on when there is one', async () => {
    for (const name of names()) double.reply(name, 'cut');
    const first = await run({ fresh: true });
    publish(names());
    const second = await run({});

    expect(first.summary).toMatchObject({ isComplete: false, packages: 0, names: { failed: NAMES }, isVerified: true });
    expect(second.summary).toMatchObject({ isNew: false, isComplete: true, packages: NAMES });
  });

  test('another lock is another audit', async () => {
    double.reply('p3', 'cut');
    await run({ fresh: true });
    await project(names().slice(0, 6));

    expect((await run({})).summary).toMatchObject({ isNew: true, isComplete: true, packages: 6 });
  });
});

// Where the blow falls is drawn from the seed; every run that it ends is followed by another, until one ends by itself.
describe.each([1, 2])('killed at random, seed %i', (seed) => {
  test.each(['node', Coordinator.name, Researcher.name, Reporter.name])(
    '%s: the report is the same, nothing is fetched twice',
    async (victim) => {
      const whole = await run({ fresh: true });
      const expected = await reportOf();
      const bound = (whole.messages[victim] ?? 0) / (victim === 'node' ? 2 : 1);
      double.asked.length = 0;
      const draw = drawer(`${seed} ${victim}`);
      let blows = 0;
      let last: Run | undefined;
      for (let fresh = true; last?.summary === undefined; fresh = false) {
        const settledBefore = fresh ? [] : await settledNames();
        const countedBefore = new Map(counts());
        last = await run({
          fresh,
          victim: blows < 4 ? victim : null,
          after: 1 + draw(bound),
        });
        blows += 1;
        const twice = settledBefore.filter((name) => double.count(name) !== countedBefore.get(name));
        expect(twice).toEqual([]);
      }

      expect(await fallen(victim)).toBeGreaterThan(0);
      expect(last.summary).toMatchObject({ isComplete: true, isVerified: true, packages: NAMES });
      expect({ ...(await reportOf()), at: '' }).toEqual({ ...expected, at: '' });
      if (victim !== 'node') expect(counts()).toEqual(names().map((name) => [name, 1]));
    },
  );
});

describe('an audit with a rogue', () => {
  test('gives the same report; the rogue is refused by code, and demoted at its first violation', async () => {
    await run({ fresh: true });
    const expected = await reportOf();
    double.asked.length = 0;
    const { summary } = await run({ fresh: true, more: ['--with-rogue'] });

    expect({ ...(await reportOf()), at: '' }).toEqual({ ...expected, at: '' });
    expect(summary).toMatchObject({
      isComplete: true,
      isVerified: true,
      packages: NAMES,
      rules: { 'audit/write-report': 2 },
    });
    expect(summary?.refused.every(({ agent }) => agent === 'rogue')).toBe(true);
    expect(summary?.refused.map(({ code }) => code).toSorted()).toEqual([
      'budget.too_fast',
      'delegation.args_denied',
      'delegation.revoked',
      'delegation.wider',
      'ring.too_far_out',
      'tool.unknown',
    ]);
    expect(summary?.rings.filter(({ from, to }) => to > from)).toEqual([{ agent: 'rogue', from: 2, to: 3 }]);
    expect(await ringEventsOf('rogue')).toEqual(['agent.endorsed', 'ring.promoted', 'ring.demoted']);
    expect(summary?.trust).toEqual([{ agent: 'rogue', from: 650, to: expect.any(Number), tier: 'untrusted' }]);
    expect(summary?.trust[0]?.to).toBeLessThan(20);
    expect((await readdir(folder)).toSorted()).toEqual(
      ['.npmrc', 'anchors', 'log', 'log-realm', 'out', 'package-lock.json', 'package.json'].toSorted(),
    );
    expect((await readdir(join(folder, 'out'))).toSorted()).toEqual(['report.json', 'report.md']);
    expect(counts()).toEqual(names().map((name) => [name, 1]));
    expect(double.asked).toHaveLength(NAMES); // and of nothing else
  });

  test('stays demoted after a restart, for the log says what it did', async () => {
    double.reply('p3', 'cut');
    const first = await run({ fresh: true, more: ['--with-rogue'] });
    publish(names());
    const second = await run({ more: ['--with-rogue'] });

    expect(first.summary?.rings).toContainEqual({ agent: 'rogue', from: 2, to: 3 });
    expect(second.summary).toMatchObject({ isNew: false, isComplete: true, rings: [] });
    expect(new Set(second.summary?.refused.map(({ agent, code }) => `${agent} ${code}`))).toEqual(
      new Set(['rogue ring.too_far_out', 'rogue tool.unknown']),
    );
    const events = await ringEventsOf('rogue');
    // Endorsed anew, and voided all the same.
    expect(events).toEqual(['agent.endorsed', 'ring.promoted', 'ring.demoted', 'agent.endorsed']);
  });

  test('killed with the rogue at work: it is demoted once, and nothing brings it back', async () => {
    const whole = await run({ fresh: true, more: ['--with-rogue'] });
    const after = Math.floor((whole.messages['node'] ?? 0) / 2);
    let last = await run({ fresh: true, more: ['--with-rogue'], victim: 'node', after });
    while (last.summary === undefined) last = await run({ more: ['--with-rogue'] });

    expect(kills).toBe(1);
    expect(last.summary).toMatchObject({ isComplete: true, isVerified: true, packages: NAMES });
    const moves = (await ringEventsOf('rogue')).filter((type) => type !== 'agent.endorsed');
    expect(moves).toEqual(['ring.promoted', 'ring.demoted']);
  });
});

describe('an audit without a policy', () => {
  test('does nothing, and leaves nothing behind', async () => {
    const started: string[] = [];
    const args = ['--lock', 'package-lock.json', '--out', 'out', '--log', 'log', '--anchor', 'anchors'];
    const options = parseOptions(args, { cwd: folder, home: folder, env: {} });
    if (options === 'help') throw new Error('expected a task');
    const ports: AuditPorts = {
      clock: systemClock,
      random: systemRandom,
      identity: thisProcess(),
      searchPath: undefined,
      execArgv: [],
      startHosts: ({ modules }) => {
        started.push(...Object.keys(modules));
        throw new Error('expected no host to be started');
      },
      printed: () => undefined,
      onProgress: () => undefined,
      policy: join(folder, 'policy.yaml'),
    };
    const { signal } = new AbortController();

    await expect(runAudit(options, ports, signal)).rejects.toMatchObject({ code: 'swarm.policy_unusable' });
    await writeFile(join(folder, 'policy.yaml'), 'apiVersion: ringmesh.policy/v1\nname: a\nlayer: org\nruls: []\n');
    await expect(runAudit(options, ports, signal)).rejects.toMatchObject({
      code: 'swarm.policy_unusable',
      message: expect.stringContaining('policy.yaml:4:1: document.unknown_key'),
    });
    expect([started, double.asked]).toEqual([[], []]);
    expect((await readdir(folder)).filter((name) => ['out', 'log', 'anchors'].includes(name))).toEqual([]);
  });
});

type Run = { readonly summary: Summary | undefined; readonly messages: { readonly [victim: string]: number } };

async function run({
  fresh = false,
  victim = null,
  after = 0,
  more = [],
}: {
  fresh?: boolean;
  victim?: string | null;
  after?: number;
  /** More of the command line. */
  more?: readonly string[];
}): Promise<Run> {
  if (fresh)
    await Promise.all(
      ['out', 'log', 'anchors'].map((name) => rm(join(folder, name), { recursive: true, force: true })),
    );
  const at = (name: string): string => join(folder, name);
  const places = ['--lock', at('package-lock.json'), '--out', at('out'), '--log', at('log'), '--anchor', at('anchors')];
  const args = [...places, ...more];
  const task = JSON.stringify({ args, victim, after });
  const file = new URL('./audit-process.fixture.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, ['--conditions=source', file, task], { stdio: ['ignore', 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  const { promise, resolve } = Promise.withResolvers<string | null>();
  child.on('close', (_, signal) => resolve(signal));
  const signal = await promise;
  if (signal !== null) kills += 1;
  const line = stdout.trim().split('\n').at(-1) ?? '';
  if (line === '' && signal === null) throw new Error(`expected a summary or a kill, found: ${stderr}`);
  return line === '' ? { summary: undefined, messages: {} } : (JSON.parse(line) as Run);
}

/** How often the log says that a host of the contract has ended; the node itself cannot say so, but its log was reopened. */
async function fallen(victim: string): Promise<number> {
  if (victim === 'node') return kills;
  await using log = await openReader(join(folder, 'log'), systemClock);
  return [...log.read()].filter(({ type, stream }) => type === 'host.exited' && stream === `host/${victim}`).length;
}

/** What the log says of an agent's standing. */
async function ringEventsOf(agent: string): Promise<readonly string[]> {
  await using log = await openReader(join(folder, 'log'), systemClock);
  return [...log.read()].filter(({ stream }) => stream === `ring/${agent}`).map(({ type }) => type);
}

/** Names whose document the log has an outcome for. */
async function settledNames(): Promise<readonly string[]> {
  await using log = await openReader(join(folder, 'log'), systemClock);
  return [...log.read()].flatMap((record) => {
    if (record.type !== 'action.settled') return [];
    const { outcome } = payloadOf(log, record) as { outcome: { value?: { type?: string; facts?: { name: string } } } };
    return outcome.value?.facts === undefined ? [] : [outcome.value.facts.name];
  });
}

async function project(locked: readonly string[]): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'package.json'), '{}');
  await writeFile(join(folder, '.npmrc'), `${'registry'}=${double.url.href}\n`);
  const packages = Object.fromEntries(
    locked.map((name) => [`node_modules/${name}`, { version: '1.0.0', integrity, license: 'MIT' }]),
  );
  await writeFile(join(folder, 'package-lock.json'), JSON.stringify({ lockfileVersion: 3, packages }));
  publish(locked);
}

function publish(published: readonly string[]): void {
  for (const name of published) {
    const manifest = {
      license: 'MIT',
      dist: { integrity: name === 'p0' ? integrity.replaceAll('A', 'B') : integrity },
      ...(name === 'p1' ? { deprecated: 'use p2' } : {}),
    };
    double.publish(name, { 'dist-tags': { latest: '1.0.0' }, versions: { '1.0.0': manifest } });
  }
}

function names(): readonly string[] {
  return Array.from({ length: NAMES }, (_, n) => `p${n}`);
}

function counts(): readonly (readonly [string, number])[] {
  return names().map((name) => [name, double.count(name)]);
}

async function reportOf(): Promise<Report> {
  return Report.parse(JSON.parse(await readFile(join(folder, 'out/report.json'), 'utf8')));
}

/** Repeatable draws: a linear congruential generator over a hash of the name. */
function drawer(name: string): (bound: number) => number {
  let state = [...name].reduce((hash, letter) => (Math.imul(hash, 31) + letter.charCodeAt(0)) >>> 0, 7);
  return (bound) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * bound);
  };
}
