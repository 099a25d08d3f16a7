import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { RegistryDouble } from '../registry-double.fixture.ts';

const EXPERIMENT = 'examples/dependency-audit/chaos/kill-researcher.yaml';
const NAMES = 160; // so many that both nodes get some, whoever starts first

let double: RegistryDouble;
let folder: string;

beforeEach(async () => {
  double = await RegistryDouble.start();
  folder = await mkdtemp(join(tmpdir(), 'audit-chaos-'));
  const integrity = `sha512-${'A'.repeat(86)}==`;
  const packages: Record<string, object> = {};
  for (const name of Array.from({ length: NAMES }, (_, n) => `p${n}`)) {
    packages[`node_modules/${name}`] = { version: '1.0.0', integrity, license: 'MIT' };
    const versions = { '1.0.0': { license: 'MIT', dist: { integrity } } };
    double.publish(name, { 'dist-tags': { latest: '1.0.0' }, versions });
  }
  await writeFile(join(folder, 'package.json'), '{}');
  await writeFile(join(folder, '.npmrc'), `${'registry'}=${double.url.href}\n`);
  await writeFile(join(folder, 'package-lock.json'), JSON.stringify({ lockfileVersion: 3, packages }));
});

afterEach(async () => {
  await double[Symbol.asyncDispose]();
  // Of an audit whose first node was killed, the others may just be closing their logs.
  await rm(folder, { recursive: true, force: true, maxRetries: 50, retryDelay: 200 });
});

describe('the loss of a node that researches', () => {
  test('is survived: the audit completes, and all three logs verify and agree', async () => {
    const { status, stdout, stderr, journal } = await run(EXPERIMENT);

    expect({ status, stderr }).toMatchObject({ status: 0 });
    expect(stdout).toContain('(fired)');
    const [, audit, verified] = (journal as Journal).run;
    expect(audit?.output.stderr).toContain('researcher-1: ended with SIGKILL; starting it again');
    expect(audit?.output.stdout).toContain(`packages   ${NAMES} audited under ${NAMES} of ${NAMES} names`);
    expect(verified?.output.stdout).toMatch(/^agree +yes$/m);
    expect(verified?.output.stdout.match(/ yes$/gm)).toHaveLength(4); // each log, and all of them
  });

  test('a log that was tampered with is found first, and nothing is done', async () => {
    await run(EXPERIMENT);
    const asked = double.asked.length;
    const file = join(folder, 'c/log-nodes/researcher-2/epoch-0/data.mdb');
    const bytes = await readFile(file);
    bytes.write('semt', bytes.indexOf('"message.sent"') + '"message.'.length);
    await writeFile(file, bytes);
    const { status, stderr, journal } = await run(EXPERIMENT);

    expect(status).toBe(6);
    expect(stderr).toContain('ringmesh: chaos.aborted: ');
    expect(journal).toMatchObject({ status: 'aborted', run: [] });
    expect(double.asked).toHaveLength(asked);
  });

  test('the loss of the first node, which nobody starts again, is not survived, and is seen not to be', async () => {
    const text = await readFile(EXPERIMENT, 'utf8');
    const place = join(folder, 'kill-coordinator.yaml');
    await writeFile(place, text.replace(/(action: kill_node\n +log: .*\/log)-nodes\/researcher-1/, '$1'));
    const { status, stderr, journal } = await run(place);

    expect(status).toBe(6);
    expect(stderr).toContain('ringmesh: chaos.deviated: expected all to be well afterwards: the audit completes');
    expect(journal).toMatchObject({
      deviated: true,
      run: [{ status: 'succeeded' }, { tolerance_met: false, output: { status: 137 } }, {}],
      faults: [{ fired: true }],
    });
  });
});

type Journal = { readonly run: readonly { readonly output: { readonly stdout: string; readonly stderr: string } }[] };

async function run(experiment: string) {
  const journal = join(folder, 'journal.json');
  const args = ['swarm/cli/main.ts', 'chaos', 'run', experiment, '--journal', journal];
  const env = {
    PATH: process.env['PATH'],
    CHAOS_AUDIT: join(folder, 'c'),
    CHAOS_LOCK: join(folder, 'package-lock.json'),
    XDG_STATE_HOME: join(folder, 'state'),
    HOME: folder,
  };
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  const { promise, resolve } = Promise.withResolvers<number | null>();
  child.on('close', resolve);
  const status = await promise;
  return { status, stdout, stderr, journal: JSON.parse(await readFile(journal, 'utf8')) as object };
}
