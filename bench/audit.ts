/**
 * `npm run bench -- audit [--entries N] [--lock FILE] [--json]`: the whole dependency audit from its `swarm.yaml`, as a process,
 * with a generated lock of N / 10 entries and then of N (5,000) against a registry on this machine; or, with `--lock`, of that
 * lock against the registry that npm is configured with. Wall time is from the start of the process to its end, with the log
 * verified; memory is the peak of each process (VmHWM), looked up every 200 ms (Linux).
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';

const ROOT = resolve(import.meta.dirname, '..');
const SWARM = join(ROOT, 'examples/dependency-audit/swarm.yaml');
const ENTRIES = 5_000;
const LOOK_MS = 200;
const INTEGRITY = `sha512-${'A'.repeat(86)}==`;
/** So that the audit's own pace towards a registry is not what is measured. */
const UNPACED = ['rate=100000', 'burst=1000'];

type Run = {
  readonly entries: number;
  readonly seconds: number;
  readonly actions: number;
  readonly events: number;
  /** MiB, of the node and the largest of its hosts. */
  readonly nodeMiB: number;
  readonly hostMiB: number;
};

export async function benchAudit(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: { json: { type: 'boolean' }, entries: { type: 'string' }, lock: { type: 'string' } },
  });
  const most = Number(values.entries ?? ENTRIES);
  const runs =
    values.lock === undefined
      ? [await generated(Math.ceil(most / 10)), await generated(most)]
      : [await withFolder((folder) => audited(folder, resolve(values.lock ?? ''), []))];
  if (values.json === true) {
    console.log(JSON.stringify(runs));
    return;
  }
  for (const { entries, seconds, actions, events, nodeMiB, hostMiB } of runs) {
    const rates = `${(entries / seconds).toFixed(1)} entries/s, ${(actions / seconds).toFixed(1)} actions/s`;
    console.log(`${entries} entries: ${seconds.toFixed(1)} s, ${rates}, ${events} events`);
    console.log(`  peak memory: node ${nodeMiB} MiB, largest host ${hostMiB} MiB`);
  }
  const [few, many] = runs;
  if (few !== undefined && many !== undefined) {
    console.log(
      `${many.entries / few.entries} times the entries took ${(many.seconds / few.seconds).toFixed(2)} times as long`,
    );
  }
}

async function generated(entries: number): Promise<Run> {
  const names = Array.from({ length: entries }, (_, n) => `p${n}`);
  const server = createServer((request, response) => {
    const name = decodeURIComponent((request.url ?? '/').slice(1));
    const versions = { '1.0.0': { license: 'MIT', dist: { integrity: INTEGRITY } } };
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ name, 'dist-tags': { latest: '1.0.0' }, versions }));
  });
  const { promise, resolve: listening } = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', listening);
  await promise;
  try {
    return await withFolder(async (folder) => {
      const { port } = server.address() as AddressInfo;
      const packages = Object.fromEntries(
        names.map((name) => [`node_modules/${name}`, { version: '1.0.0', integrity: INTEGRITY, license: 'MIT' }]),
      );
      const lock = join(folder, 'package-lock.json');
      await writeFile(lock, JSON.stringify({ lockfileVersion: 3, packages }));
      await writeFile(join(folder, 'package.json'), '{}');
      await writeFile(join(folder, '.npmrc'), `${'registry'}=http://127.0.0.1:${port}/\n`);
      return audited(folder, lock, UNPACED);
    });
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

async function withFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'ringmesh-bench-audit-'));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function audited(folder: string, lock: string, settings: readonly string[]): Promise<Run> {
  const at = (name: string): string => join(folder, name);
  const places = ['--log', at('log'), '--anchor', at('anchors'), '--keys', at('keys')];
  const args = [join(ROOT, 'swarm/cli/main.ts'), 'up', SWARM, '--json', ...places];
  const told = ['--set', `lock=${lock}`, `out=${at('out')}`, ...settings];
  const begun = performance.now();
  const child = spawn(process.execPath, ['--conditions=source', ...args, ...told], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let stdout = '';
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
  });
  const { promise: ended, resolve: end } = Promise.withResolvers<number | null>();
  child.on('close', end);
  let code: number | null | undefined;
  void ended.then((found) => {
    code = found;
  });
  const peaks = new Map<number, number>();
  while (code === undefined) {
    for (const pid of familyOf(child.pid ?? 0)) peaks.set(pid, Math.max(peaks.get(pid) ?? 0, peakOf(pid)));
    await Promise.race([ended, pause(LOOK_MS)]);
  }
  const seconds = (performance.now() - begun) / 1_000;
  if (code !== 0) throw new Error(`expected an audit, found exit status ${code}`);
  const summary = JSON.parse(stdout) as {
    readonly fact: { readonly data: { readonly isComplete: boolean } };
    readonly actions: { readonly allowed: number; readonly denied: number };
    readonly log: { readonly size: number };
  };
  if (!summary.fact.data.isComplete) throw new Error('expected a complete audit');
  const report = JSON.parse(readFileSync(at('out/report.json'), 'utf8')) as { readonly packages: readonly unknown[] };
  const { [child.pid ?? 0]: node = 0, ...hosts } = Object.fromEntries(peaks);
  return {
    entries: report.packages.length,
    seconds,
    actions: summary.actions.allowed,
    events: summary.log.size,
    nodeMiB: Math.round(node / 1024),
    hostMiB: Math.round(Math.max(0, ...Object.values(hosts)) / 1024),
  };
}

/** A process and all below it. */
function familyOf(pid: number): readonly number[] {
  const children = textOf(`/proc/${pid}/task/${pid}/children`).split(' ').filter(Boolean).map(Number);
  return [pid, ...children.flatMap(familyOf)];
}

/** KiB. */
function peakOf(pid: number): number {
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(textOf(`/proc/${pid}/status`))?.[1] ?? 0);
}

/** Empty for what has ended meanwhile. */
function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH')) return '';
    throw error;
  }
}
