/** `compose/compose.yaml` as it stands, over a registry double: that it works, what holds it, and what it survives. */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { DockerComposeEnvironment, type StartedDockerComposeEnvironment, Wait } from 'testcontainers';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { decodeBundle, encodeBundle } from '../runtime/codec/tile.ts';
import { unwrap } from '../runtime/core/result.ts';
import { editTables, rowsOf } from '../runtime/log/directory.fixture.ts';
import { missingEngine } from './engine.ts';

const missing = missingEngine();
const PROJECT = 'ringmesh-e2e';
const PACKAGES = 180;
const RESEARCHERS = 3;

type Ended = { readonly code: number; readonly stdout: string; readonly stderr: string };
type Inspected = {
  readonly State: { readonly Status: string; readonly ExitCode: number; readonly Health?: { readonly Status: string } };
  readonly Config: { readonly User: string; readonly Env: readonly string[] };
  readonly HostConfig: Readonly<Record<string, unknown>>;
  readonly NetworkSettings: { readonly Networks: Readonly<Record<string, unknown>> };
};

describe.skipIf(missing !== undefined)(`the audit as containers${missing ? ` (skipped: ${missing})` : ''}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'ringmesh-e2e-'));
  const lock = join(folder, 'package-lock.json');
  const env = { ...process.env, AUDIT_LOCK: lock, AUDIT_REGISTRY: 'http://packages:4873/' };
  let swarm: StartedDockerComposeEnvironment | undefined;

  beforeAll(async () => {
    writeFileSync(lock, lockOf(PACKAGES));
    await compose('down', '--volumes', '--remove-orphans'); // what a run that was killed has left
    await compose('build', 'init', 'broker');
  });
  afterEach(async () => {
    await swarm?.down({ removeVolumes: true, timeout: 10_000 });
    swarm = undefined;
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test('it starts, every part of it healthy and held; it completes; its logs verify, and a missing event is named', async () => {
    swarm = await up();
    const nodes = [...['coordinator-1', 'reporter-1', 'broker-1'], ...researchers()];
    for (const name of nodes) expect([name, (await inspect(name)).State.Health?.Status]).toEqual([name, 'healthy']);
    for (const name of [...nodes, 'init-1']) {
      const { Config, HostConfig } = await inspect(name);
      expect({ name, user: Config.User, ...HostConfig }).toMatchObject({
        ...{ user: '1000:1000', ReadonlyRootfs: true, Privileged: false, CapAdd: null, CapDrop: ['ALL'] },
        ...{ SecurityOpt: ['no-new-privileges:true'], PidsLimit: 128, Memory: 768 * 1024 ** 2, NanoCpus: 1e9 },
        ...{
          PidMode: '',
          IpcMode: 'private',
          Binds: expect.not.arrayContaining([expect.stringContaining('docker.sock')]),
        },
      });
      expect(Config.Env.filter((one) => /key|secret|token|password/i.test(one.split('=', 1)[0] ?? ''))).toEqual([
        ...(name === 'init-1' || name === 'broker-1' ? [] : ['RINGMESH_KEYS=/var/lib/ringmesh/keys']),
      ]);
    }
    const networksOf = async (name: string) => Object.keys((await inspect(name)).NetworkSettings.Networks).toSorted();
    expect(await networksOf('coordinator-1')).toEqual([`${PROJECT}_coordinator`]);
    expect(await networksOf('reporter-1')).toEqual([`${PROJECT}_reporter`]);
    expect(await networksOf('researcher-1')).toEqual([`${PROJECT}_egress`, `${PROJECT}_researcher`]);
    const seen = async (name: string, host: string) =>
      (await docker('exec', of(name), 'bash', '-c', `: < /dev/tcp/${host}`)).code === 0;
    expect(await seen('coordinator-1', 'broker/4222')).toBe(true);
    expect(await seen('coordinator-1', 'researcher/9464')).toBe(false);
    expect(await seen('coordinator-1', 'packages/4873')).toBe(false);
    expect((await docker('exec', of('researcher-1'), 'ls', '/var/lib/ringmesh/keys/nodes')).stdout).not.toMatch(
      /coord|rep/,
    );
    expect((await docker('exec', of('coordinator-1'), 'touch', '/srv/swarm/x')).code).not.toBe(0);

    await completes();
    await verifies();
    const copies = await copiesOfLogs();
    const [damaged = ''] = copies.filter((path) => path.includes('researcher'));
    const index = await removeOneEvent(damaged);
    const { code, stdout, stderr } = await ringmesh('log', 'verify', '--anchor', join(folder, 'anchors'), ...copies);
    expect(code).toBe(5);
    expect(`${stdout}${stderr}`).toMatch(new RegExp(`researcher[^]*\\b${index}\\b`));
  });

  const FAULTS: readonly [string, (name: string) => Promise<unknown>, (name: string) => Promise<unknown>][] = [
    ['killed', (name) => docker('kill', '--signal', 'KILL', of(name)), (name) => docker('start', of(name))],
    ['paused', (name) => docker('pause', of(name)), (name) => docker('unpause', of(name))],
    [
      'cut from the network',
      (name) => docker('network', 'disconnect', '--force', `${PROJECT}_researcher`, of(name)),
      (name) => docker('network', 'connect', '--alias', 'researcher', `${PROJECT}_researcher`, of(name)),
    ],
  ];

  test.each(FAULTS)(
    'a researcher is %s: the audit completes without it, it comes back, and all logs verify',
    async (_how, harm, heal) => {
      swarm = await up();
      await until(async () => (await asked()) >= PACKAGES / 6);
      await harm('researcher-2');

      await completes();
      await heal('researcher-2');
      await until(async () => (await inspect('researcher-2')).State.Health?.Status === 'healthy');
      const slots = (await docker('exec', of('researcher-2'), 'ls', '/var/lib/ringmesh/log')).stdout.trim().split('\n');
      expect(slots).toHaveLength(RESEARCHERS); // it took its own again
      await verifies();
    },
  );

  test('the commands of compose/README.md work as they stand', async () => {
    const text = readFileSync('compose/README.md', 'utf8');
    const commands = [...text.matchAll(/^```sh\n(.*?)^```$/gms)].flatMap(([, block = '']) => block.trim().split('\n'));
    expect(commands.length).toBeGreaterThan(8);
    try {
      for (const command of commands) {
        const [, args = ''] = /^docker compose -f compose\/compose\.yaml (.*)$/.exec(command) ?? [];
        const { code, stdout, stderr } = await tried(...args.split(' '));
        expect({ command, code, end: (stdout + stderr).slice(-2_000) }).toMatchObject({ command, code: 0 });
      }
    } finally {
      await compose('down', '--volumes');
    }
  });

  function up(): Promise<StartedDockerComposeEnvironment> {
    return new DockerComposeEnvironment('compose', ['compose.yaml', 'e2e.yaml'])
      .withProjectName(PROJECT)
      .withEnvironment({ AUDIT_LOCK: lock, AUDIT_REGISTRY: env.AUDIT_REGISTRY })
      .withClientOptions({ commandOptions: ['--wait', '--scale', `researcher=${RESEARCHERS}`] })
      .withWaitStrategy('init-1', Wait.forOneShotStartup())
      .up();
  }

  /** The coordinator ends when the report is written, and everything is in it. */
  async function completes(): Promise<void> {
    const { stdout } = await docker('wait', of('coordinator-1'));
    const tail = await docker('logs', '--tail', '40', of('coordinator-1'));
    expect({ code: stdout.trim(), tail: tail.stdout + tail.stderr }).toMatchObject({ code: '0' });
    const { stdout: report } = await docker('exec', of('reporter-1'), 'cat', '/var/lib/ringmesh/out/report.json');
    expect(JSON.parse(report)).toMatchObject({ isComplete: true });
  }

  /** All logs, once their nodes have stopped, as the README says. */
  async function verifies(): Promise<void> {
    await compose('stop');
    const { code, stdout, stderr } = await tried('run', '--rm', 'verify');
    expect({ code, stdout, stderr }).toMatchObject({ code: 0, stdout: expect.stringMatching(/^agree +yes/m) });
  }

  async function copiesOfLogs(): Promise<readonly string[]> {
    const into = (name: string): string => join(folder, name);
    mkdirSync(into('anchors'));
    for (const role of ['coordinator', 'reporter', 'researcher']) {
      await docker('cp', `${of(`${role}-1`)}:/var/lib/ringmesh/log`, into(role));
      await docker('cp', `${of(`${role}-1`)}:/var/lib/ringmesh/anchors`, into(`anchors-${role}`));
      for (const file of readdirSync(into(`anchors-${role}`), { recursive: true, encoding: 'utf8' })) {
        if (!file.endsWith('.checkpoint')) continue;
        writeFileSync(
          join(into('anchors'), file.split('/').at(-1) ?? ''),
          readFileSync(join(into(`anchors-${role}`), file)),
        );
      }
    }
    const slots = readdirSync(into('researcher')).map((slot) => join(into('researcher'), slot));
    return [into('coordinator'), into('reporter'), ...slots];
  }

  /** From the middle of a log, with nothing else changed. Returns which it was. */
  async function removeOneEvent(log: string): Promise<number> {
    let removed = -1;
    await editTables(join(log, 'epoch-0'), ({ entries }) => {
      const [row] = rowsOf(entries);
      const records = [...unwrap(decodeBundle(row?.value ?? Buffer.alloc(0)), 'a run of records')];
      removed = Math.floor(records.length / 2);
      records.splice(removed, 1);
      entries.putSync(row?.key ?? Buffer.alloc(0), encodeBundle(records) as Buffer);
    });
    return removed;
  }

  async function asked(): Promise<number> {
    return (await docker('logs', of('packages-1'))).stdout.split('\nasked ').length;
  }

  const inspect = async (name: string): Promise<Inspected> => JSON.parse((await docker('inspect', of(name))).stdout)[0];
  const docker = (...args: readonly string[]): Promise<Ended> => run('docker', args);
  const tried = (...args: readonly string[]): Promise<Ended> =>
    run('docker', ['compose', '-p', PROJECT, '-f', 'compose/compose.yaml', '-f', 'compose/e2e.yaml', ...args], {
      ...env,
      AUDIT_RATE: '30',
    });
  const compose = async (...args: readonly string[]): Promise<void> => {
    const { code, stderr } = await tried(...args);
    if (code !== 0) throw new Error(`compose ${args[0]}: ${stderr}`);
  };
  const ringmesh = (...args: readonly string[]): Promise<Ended> =>
    run('node', ['--conditions=source', 'swarm/cli/main.ts', ...args]);
});

const of = (name: string): string => `${PROJECT}-${name}`;
const researchers = (): readonly string[] => Array.from({ length: RESEARCHERS }, (_, n) => `researcher-${n + 1}`);

function lockOf(count: number): string {
  const integrity = `sha512-${'A'.repeat(86)}==`;
  const entries = Array.from({ length: count }, (_, n) => [
    `node_modules/package-${n}`,
    { version: '1.0.0', integrity, license: 'MIT' },
  ]);
  return JSON.stringify({ lockfileVersion: 3, packages: Object.fromEntries(entries) });
}

async function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<Ended> {
  try {
    const { stdout, stderr } = await promisify(execFile)(command, args, { env, maxBuffer: 64 * 1024 ** 2 });
    return { code: 0, stdout, stderr };
  } catch (error) {
    const { code, stdout = '', stderr = '' } = error as Partial<Ended>;
    if (typeof code !== 'number') throw error;
    return { code, stdout, stderr };
  }
}

/** Asks again and again, and not for ever. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  const deadline = AbortSignal.timeout(120_000);
  while (!(await isSo())) deadline.throwIfAborted();
}
