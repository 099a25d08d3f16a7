/**
 * Control groups: the rules for both versions on files of our own; the kernel's own where this machine lets us make groups.
 * Only groups at the top of a tree are tried: one that this process has been put into belongs to somebody else.
 */
import { fork } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempDisposableSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { hasCode } from '../core/errors.ts';
import { RING_LIMITS } from '../kernel/ring.ts';
import { childHosts } from './child-hosts.ts';
import { hasOomKill, limitGroup, openCgroups } from './host-limits-cgroup.ts';
import type { HostExit } from './hosts.ts';

const modules = { hostile: { module: import.meta.resolve('./hostile.fixture.ts'), name: 'hostile' } };

/** The trees of version 1 at whose top this process is, for what is asked. */
function ownTrees(...controllers: readonly string[]): readonly string[] | undefined {
  const lines = existsSync('/proc/self/cgroup') ? readFileSync('/proc/self/cgroup', 'utf8').split('\n') : [];
  const trees = controllers.flatMap((name) => (lines.some((line) => line.endsWith(`:${name}:/`)) ? [name] : []));
  const paths = trees.map((name) => join('/sys/fs/cgroup', name));
  try {
    for (const path of paths) {
      mkdirSync(join(path, 'ringmesh-test'));
      rmdirSync(join(path, 'ringmesh-test'));
    }
  } catch (error) {
    if (hasCode(error)) return undefined; // no rights, or a read-only mount
    throw error;
  }
  return paths.length === controllers.length ? paths : undefined;
}

describe('a group', () => {
  /** A directory with the files that the kernel would put there. */
  const groupOf = (files: Readonly<Record<string, string>>) => {
    const folder = mkdtempDisposableSync(join(tmpdir(), 'ringmesh-cgroup-'));
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder.path, name), text);
    const found = () =>
      Object.fromEntries(readdirSync(folder.path).map((name) => [name, readFileSync(join(folder.path, name), 'utf8')]));
    return { path: folder.path, found, [Symbol.dispose]: () => folder.remove() };
  };
  const second = {
    'memory.max': 'max',
    'memory.swap.max': 'max',
    'memory.oom.group': '0',
    'cpu.max': 'max',
    'pids.max': 'max',
  };
  const first = { 'memory.limit_in_bytes': '-1', 'cpu.cfs_quota_us': '-1', 'pids.max': 'max' };

  test('of version 2 gets the limits of its ring, and no swap', () => {
    using group = groupOf(second);

    limitGroup(group.path, RING_LIMITS[3]);

    expect(group.found()).toEqual({
      'memory.max': '134217728',
      'memory.swap.max': '0',
      'memory.oom.group': '1',
      'cpu.max': '20000 100000',
      'pids.max': '64',
    });
  });

  test('of version 1 gets them in its own files, and none that it has no file for', () => {
    using group = groupOf(first);

    limitGroup(group.path, RING_LIMITS[2]);

    expect(group.found()).toEqual({
      'memory.limit_in_bytes': '536870912',
      'cpu.cfs_quota_us': '50000',
      'pids.max': '64',
    });
  });

  test('of ring 0 is bounded in processes alone', () => {
    using group = groupOf(second);

    limitGroup(group.path, RING_LIMITS[0]);

    expect(group.found()).toEqual({ ...second, 'pids.max': '64' });
  });

  test.each([
    ['memory.events', 'low 0\nhigh 0\nmax 12\noom 1\noom_kill 1\noom_group_kill 0\n', true],
    ['memory.events', 'low 0\nhigh 0\nmax 12\noom 1\noom_kill 0\noom_group_kill 1\n', false],
    ['memory.oom_control', 'oom_kill_disable 0\nunder_oom 0\noom_kill 3\n', true],
    ['memory.oom_control', 'oom_kill_disable 0\nunder_oom 0\noom_kill 0\n', false],
  ])('says in %s whether its memory was the end of a process: %j', (name, text, isSo) => {
    using group = groupOf({ [name]: text });

    expect(hasOomKill(group.path)).toBe(isSo);
  });
});

describe('a directory that is no control group', () => {
  test('is refused, and so is one that is not there', () => {
    using folder = mkdtempDisposableSync(join(tmpdir(), 'ringmesh-cgroup-'));
    const unusable = expect.objectContaining({ code: 'cgroup.unusable' });

    expect(() => openCgroups([folder.path], 1)).toThrow(unusable);
    expect(() => openCgroups([join(folder.path, 'nowhere')], 1)).toThrow(unusable);
    expect(() => childHosts({ modules, cgroups: [folder.path] })).toThrow(unusable);
    expect(readdirSync(folder.path)).toEqual([]);
  });
});

const trees = ownTrees('cpu', 'pids');
const kernel = trees === undefined ? 'the kernel (skipped: no tree of version 1 whose top is ours)' : 'the kernel';
describe.runIf(trees !== undefined)(kernel, () => {
  test('puts a host under its limits before it runs anything, says so, and is left clean', async () => {
    const paths = trees ?? [];
    const hosts = childHosts({ modules, cgroups: paths });
    const { promise, resolve } = Promise.withResolvers<HostExit>();
    const ready = Promise.withResolvers<void>();
    const host = hosts.start(
      { contract: 'hostile', ring: 3, sponsor: '' },
      { heard: () => ready.resolve(), exited: resolve },
    );
    const pid = /pid (\d+)$/.exec(host.id)?.[1] ?? '';
    const groups = paths.map((path) =>
      join(path, readdirSync(path).find((name) => name.startsWith('ringmesh-')) ?? ''),
    );

    expect(hosts.describeIsolation()).toMatchObject({ cpu: 'cgroup1', processes: 'cgroup1' });
    expect(groups.map((path) => readFileSync(join(path, 'cgroup.procs'), 'utf8').trim())).toEqual([pid, pid]);
    expect(readFileSync(join(groups[0] ?? '', 'cpu.cfs_quota_us'), 'utf8').trim()).toBe('20000');
    expect(readFileSync(join(groups[1] ?? '', 'pids.max'), 'utf8').trim()).toBe('64');
    await ready.promise; // at a fifth of a core
    host.kill({ code: 'host.idle', message: 'done' });
    expect(await promise).toMatchObject({ code: 'host.idle' });
    await vi.waitFor(() => expect(groups.filter((path) => existsSync(path))).toEqual([]));
  });

  test('a fork bomb meets the number of processes, and ends with its host', async () => {
    const paths = trees ?? [];
    const groups = openCgroups(paths, process.pid);
    using folder = mkdtempDisposableSync(join(tmpdir(), 'ringmesh-bomb-'));
    const bomb = join(folder.path, 'bomb.mjs');
    // Without Node's permissions, as a native addon would be: it starts processes until it may not, and says how many it could.
    writeFileSync(
      bomb,
      `import { spawn } from 'node:child_process';
       process.once('message', async () => {
         const all = [];
         for (let n = 0; n < 200; n++) {
           const one = spawn('/bin/sleep', ['60']);
           const failed = await new Promise((done) => { one.once('error', () => done(true)); one.once('spawn', () => done(false)); });
           if (failed) break;
           all.push(one);
         }
         for (const one of all) one.kill('SIGKILL');
         process.send(all.length);
       });`,
    );
    const child = fork(bomb, [], { execArgv: [], stdio: 'ignore' });
    const group = groups.add(child.pid ?? 0, RING_LIMITS[3]);
    const started = await new Promise((resolve) => {
      child.once('message', resolve);
      child.send('go');
    });
    child.kill('SIGKILL');
    await new Promise((resolve) => void child.once('exit', resolve));

    expect(started).toBeGreaterThan(0);
    expect(started).toBeLessThan(64);
    await vi.waitFor(() => {
      group.remove();
      const left = paths.flatMap((path) =>
        readdirSync(path).filter((name) => name.startsWith(`ringmesh-${process.pid}-`)),
      );
      expect(left).toEqual([]);
    });
  });

  test('groups of a node that was killed are removed by the next', () => {
    const paths = trees ?? [];
    const stale = paths.map((path) => join(path, 'ringmesh-4194999-1')); // beyond the largest pid
    for (const path of stale) mkdirSync(path);

    openCgroups(paths, process.pid);

    expect(stale.filter((path) => existsSync(path))).toEqual([]);
  });
});
