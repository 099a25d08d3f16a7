/** `swarm.yaml` as anybody runs it: `ringmesh up`, whole and in roles. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { crossCheckLogs } from 'ringmesh';
import { openReader, systemClock, verifyLog } from 'ringmesh/runtime';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { payloadOf } from './progress.ts';
import { RegistryDouble } from './registry-double.fixture.ts';
import { Report } from './report.ts';

const NAMES = 24;
const COMMAND = new URL('../../swarm/cli/main.ts', import.meta.url).pathname;
const SWARM = new URL('./swarm.yaml', import.meta.url).pathname;

const TELLS_PEAKS = process.platform === 'linux';
const MEMORY = TELLS_PEAKS
  ? 'and no process has taken more than 512 MiB when the report is written'
  : 'their memory not looked at, for only Linux tells the peak of another process';

let double: RegistryDouble;
let folder: string;
const running = new Set<ChildProcess>();

beforeEach(async () => {
  double = await RegistryDouble.start();
  folder = await mkdtemp(join(tmpdir(), 'audit-swarm-'));
  await writeFile(join(folder, 'package.json'), '{}');
  await writeFile(join(folder, '.npmrc'), `${'registry'}=${double.url.href}\n`);
  await lockOf(NAMES);
});

afterEach(async () => {
  for (const child of running) child.kill('SIGKILL');
  await double[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true, maxRetries: 50, retryDelay: 200 });
});

/** A lock of so many packages, which the registry has. */
async function lockOf(count: number): Promise<void> {
  const integrity = `sha512-${'A'.repeat(86)}==`;
  const packages: Record<string, object> = {};
  const versions = { '1.0.0': { license: 'MIT', dist: { integrity } } };
  for (const name of Array.from({ length: count }, (_, n) => `p${n}`)) {
    packages[`node_modules/${name}`] = { version: '1.0.0', integrity, license: 'MIT' };
    double.publish(name, { 'dist-tags': { latest: '1.0.0' }, versions });
  }
  await writeFile(join(folder, 'package-lock.json'), JSON.stringify({ lockfileVersion: 3, packages }));
}

type Ended = { readonly code: number | null; readonly signal: string | null; readonly stdout: string };
type Up = {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  readonly says: (beginning: string) => Promise<string>;
};

function up(log: string, ...args: readonly string[]): Up {
  const places = ['--log', log, '--anchor', 'anchors', '--keys', 'keys'];
  const settings = ['--set', 'lock=package-lock.json', 'out=out', 'rate=500'];
  const child = spawn(
    process.execPath,
    ['--conditions=source', COMMAND, 'up', SWARM, ...places, ...args, ...settings],
    {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  running.add(child);
  let stdout = '';
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
  });
  const lines: string[] = [];
  const heard: (() => void)[] = [];
  createInterface({ input: child.stderr }).on('line', (line) => {
    lines.push(line);
    for (const tell of heard.splice(0)) tell();
  });
  const { promise: ended, resolve } = Promise.withResolvers<Ended>();
  child.on('close', (code, signal) => {
    running.delete(child);
    resolve({ code, signal, stdout });
    for (const tell of heard.splice(0)) tell();
  });
  const says = async (beginning: string): Promise<string> => {
    for (;;) {
      const line = lines.find((one) => one.startsWith(beginning));
      if (line !== undefined) return line.slice(beginning.length).trim();
      if (!running.has(child)) throw new Error(`expected "${beginning}", found only: ${lines.join('\n')}`);
      await new Promise<void>((tell) => heard.push(tell));
    }
  };
  return { child, ended, says };
}

describe('ringmesh up swarm.yaml', () => {
  test('is the whole audit, which ends by itself; each researcher was given exactly its packages', async () => {
    const { code, stdout } = await up('log', '--json').ended;

    expect({ code, stdout }).toMatchObject({ code: 0 });
    const summary = JSON.parse(stdout) as object;
    expect(summary).toMatchObject({ fact: { data: { isComplete: true } }, actions: { denied: 0 }, isVerified: true });
    const report = Report.parse(JSON.parse(await readFile(join(folder, 'out/report.json'), 'utf8')));
    expect(report.packages).toHaveLength(NAMES);
    expect(double.asked).toHaveLength(NAMES);
    await using log = await openReader(join(folder, 'log'), systemClock);
    const shared = new Map<string, string[]>();
    const given = new Map<string, string[]>();
    for (const record of log.read()) {
      const payload = (payloadOf(log, record) ?? {}) as {
        readonly name?: string;
        readonly data?: { readonly researcher: string; readonly names: readonly string[] };
        readonly input?: {
          readonly to: string;
          readonly command: string;
          readonly where: readonly { readonly value: string[] }[];
        };
      };
      const { name, data, input } = payload;
      if (record.type === 'agent.emitted' && name === 'Shared' && data !== undefined) {
        shared.set(data.researcher, [...(shared.get(data.researcher) ?? []), ...data.names]);
      }
      if (record.type === 'action.decided' && input?.command === '/tool/registry/facts') {
        given.set(input.to, [...(given.get(input.to) ?? []), ...(input.where[0]?.value ?? [])]);
      }
    }
    expect([...given]).toEqual([...shared]);
    expect([...given.values()].flat().toSorted()).toEqual(double.asked.toSorted());
  });

  test(`of five hundred packages: complete, ${MEMORY}`, async () => {
    await lockOf(500);
    const { child, ended, says } = up('log', '--json');
    await says('recorded audit.Written');
    const peaks = TELLS_PEAKS ? familyOf(child.pid ?? 0).map(peakOf) : [];

    expect((peaks[0] ?? 0) > 0).toBe(TELLS_PEAKS);
    for (const peak of peaks) expect(peak).toBeLessThan(512);
    expect(await ended).toMatchObject({ code: 0 });
    const { isComplete, missing } = Report.parse(JSON.parse(await readFile(join(folder, 'out/report.json'), 'utf8')));
    expect({ isComplete, missing }).toEqual({ isComplete: true, missing: [] });
    expect(double.asked).toHaveLength(500);
  });

  test('in roles, with two of the seven replicas, one of which is killed: the others do its work, and all logs agree', async () => {
    const first = up('log', '--only', 'coordinator', '--broker', 'spawn', '--json');
    const [broker = ''] = (await first.says('started  broker')).split(',');
    const role = (only: string): Up => up(`log-${only}`, '--only', only, '--broker', broker);
    const reporter = role('reporter');
    const one = role('researcher');
    await one.says('ready');
    one.child.kill('SIGKILL');
    await one.ended;
    const others = [role('researcher'), role('researcher')];
    const { code, stdout } = await first.ended;

    expect({ code, stdout }).toMatchObject({ code: 0 });
    expect(JSON.parse(stdout)).toMatchObject({ fact: { data: { isComplete: true } }, isVerified: true });
    for (const { child, ended } of [reporter, ...others]) {
      child.kill('SIGTERM');
      expect(await ended).toMatchObject({ stdout: expect.stringMatching(/^verified {2}yes: /m) });
    }
    const report = Report.parse(JSON.parse(await readFile(join(folder, 'out/report.json'), 'utf8')));
    expect(report.packages).toHaveLength(NAMES);
    const logs = ['log', 'log-reporter', 'log-researcher/researcher-1', 'log-researcher/researcher-2'].map((name) =>
      join(folder, name),
    );
    for (const log of logs)
      expect(await verifyLog(log, { anchors: join(folder, 'anchors') })).toMatchObject({ problemCount: 0 });
    expect(await crossCheckLogs(logs, systemClock)).toMatchObject({ faultCount: 0 });
  });
});

/** A process and all below it. */
function familyOf(pid: number): readonly number[] {
  const children = textOf(`/proc/${pid}/task/${pid}/children`).split(' ').filter(Boolean).map(Number);
  return [pid, ...children.flatMap(familyOf)];
}

/** The most memory that a process has had, in MiB; 0 for one that has ended. */
function peakOf(pid: number): number {
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(textOf(`/proc/${pid}/status`))?.[1] ?? 0) / 1024;
}

function textOf(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}
