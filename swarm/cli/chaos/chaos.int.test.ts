import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Journal } from '../../../sre/chaos/journal.ts';
import { type Desk, desk, ended, expectError, lines, type Ran, withLog } from '../command.fixture.ts';

/** A program of one line of JavaScript. */
function script(code: string): object {
  return { type: 'process', path: 'node', arguments: ['-e', code], timeout: 60 };
}

function action(name: string, provider: object, more: object = {}): object {
  return { type: 'action', name, provider, ...more };
}

function killWhen(count: number, within: number): object {
  const when = { event: 'import.recorded', count, within };
  return action('kill the writer', { type: 'mesh', action: 'kill_node', log: 'log', when });
}

function write(at: Desk, experiment: object): void {
  writeFileSync(join(at.path, 'x.json'), JSON.stringify({ title: 'a title', description: 'why', ...experiment }));
}

/** A writer of the log that goes on until it is killed, beside a run. */
async function beside(at: Desk, log: string, running: ChildProcessWithoutNullStreams) {
  const victim = at.start(['log', 'append', log]);
  let n = 0;
  const writing = setInterval(() => victim.stdin.write(lines(1, n++)), 20);
  victim.stdin.on('error', () => clearInterval(writing)); // nobody reads any more
  const [killed, ran] = await Promise.all([ended(victim), ended(running)]);
  clearInterval(writing);
  return { victim, killed, ran };
}

/** The journal on stdout. */
function journalOf({ stdout }: Ran): Journal {
  return JSON.parse(stdout) as Journal;
}

/** How an experiment asks for it. */
const TOKEN = `$\{token}`;

/** Once the process has: the signal to its group is sent before the leader's end is told, and not before its own. */
async function hasEnded(pid: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const isRunning = (): boolean =>
    existsSync(`/proc/${pid}/stat`) && !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  const look = setInterval(() => isRunning() || resolve(), 20);
  await promise.finally(() => clearInterval(look));
  return true;
}

const RUN = ['chaos', 'run', 'x.json', '--json'];

describe('chaos run', () => {
  test('kills the process that writes a log after so many events, and sees that the log is sound', async () => {
    using at = desk();
    await withLog(at, 0);
    const verify = {
      type: 'process',
      path: 'node',
      arguments: [join(import.meta.dirname, '../main.ts'), 'log', 'verify', 'log'],
    };
    const sound = { type: 'probe', name: 'sound', tolerance: 0, provider: verify };
    write(at, { 'steady-state-hypothesis': { title: 'sound', probes: [sound] }, method: [killWhen(3, 60)] });
    const { victim, killed, ran } = await beside(
      at,
      'log',
      at.start(['chaos', 'run', 'x.json', '--journal', 'journal.json']),
    );

    expect(killed.signal).toBe('SIGKILL');
    expect(ran).toMatchObject({ status: 0, stdout: expect.stringContaining('verdict     completed') });
    expect(ran.stderr).toMatch(new RegExp(`method +kill the writer {2}ok after .* s, process ${victim.pid}\n`));
    expect(JSON.parse(readFileSync(join(at.path, 'journal.json'), 'utf8'))).toMatchObject({
      status: 'completed',
      steady_states: { before: { steady_state_met: true }, after: { steady_state_met: true } },
      run: [{ status: 'succeeded', output: { pid: victim.pid } }],
      faults: [{ name: 'kill the writer', fired: true }],
    });
  });

  test('a fault that was not seen to fire is exit 6', async () => {
    using at = desk();
    await withLog(at, 1);
    write(at, { method: [killWhen(1, 0.2)] });
    const ran = at.run(RUN);

    expect(ran.status).toBe(6);
    expect(journalOf(ran)).toMatchObject({ status: 'failed', faults: [{ fired: false }] });
    expect(JSON.parse(ran.stderr.trim().split('\n').at(-1) ?? '')).toEqual({
      error: { code: 'chaos.failed', message: 'expected every fault to be seen: kill the writer', exit: 6 },
    });
  });

  test.each([
    ['chaos.aborted', 'process.exit(1)', [] as const],
    ['chaos.deviated', "process.exit(require('fs').existsSync('done') ? 1 : 0)", ['done'] as const],
  ])('%s is exit 6, too', (code, probe, made) => {
    using at = desk();
    write(at, {
      'steady-state-hypothesis': {
        title: 'well',
        probes: [{ type: 'probe', name: 'well', tolerance: 0, provider: script(probe) }],
      },
      method: [action('do', script("require('fs').writeFileSync('done', '')"))],
    });
    const ran = at.run(['chaos', 'run', 'x.json']);

    expect(ran.status).toBe(6);
    expect(ran.stderr).toContain(`ringmesh: ${code}: `);
    expect(existsSync(join(at.path, 'done'))).toBe(made.length > 0);
  });

  test('a bad file is exit 2, with each fault where it stands', () => {
    using at = desk();
    const yaml =
      'title: a\ndescription: b\nmethod:\n  - type: action\n    name: c\n    provider: { type: python, module: os }\n';
    writeFileSync(join(at.path, 'x.yaml'), yaml);
    const ran = at.run(['chaos', 'run', 'x.yaml']);

    expect(ran).toMatchObject({ status: 2, stdout: '' });
    expect(ran.stderr).toContain(
      [
        'x.yaml:6:23: document.malformed: expected process or mesh: nothing else is supported here, found "python"',
        ' 6 |     provider: { type: python, module: os }',
        '   |                       ^^^^^^',
      ].join('\n'),
    );
    expect(ran.stderr).toContain('ringmesh: input.malformed: expected an experiment without faults, found one fault\n');
  });

  test('the example of docs/cli.md does what it says there', async () => {
    using at = desk();
    const page = readFileSync(join(import.meta.dirname, '../../../docs/cli.md'), 'utf8');
    const [, example = ''] = /^## `chaos run`[\s\S]*?^```yaml\n([\s\S]*?)^```$/m.exec(page) ?? [];
    writeFileSync(join(at.path, 'x.yaml'), example);
    mkdirSync(join(at.path, 'bin'));
    const launcher = `#!/bin/sh\nexec '${process.execPath}' '${join(import.meta.dirname, '../main.ts')}' "$@"\n`;
    writeFileSync(join(at.path, 'bin/ringmesh'), launcher, { mode: 0o755 });
    at.run(['log', 'init', 'ledger']);
    const PATH = `${join(at.path, 'bin')}:${process.env['PATH'] ?? ''}`;
    const { killed, ran } = await beside(at, 'ledger', at.start(['chaos', 'run', 'x.yaml'], { env: { PATH } }));

    expect(killed.signal).toBe('SIGKILL');
    expect(ran).toMatchObject({ status: 0, stdout: expect.stringContaining('(fired)') });
  });

  test('no file is exit 3', () => {
    using at = desk();

    expectError(at.run(['chaos', 'run', 'none.yaml']), 3, 'file.not_found');
  });

  test('an interrupt ends the program and all it has started, and what is to be rolled back is', async () => {
    using at = desk();
    const child = "const c = require('child_process').spawn(process.execPath, ['-e', 'setInterval(() => 0, 1e6)']);";
    const work = `${child} require('fs').writeFileSync('pid', String(c.pid)); setInterval(() => 0, 1e6)`;
    write(at, {
      method: [action('work', script(work))],
      rollbacks: [action('undo', script("require('fs').writeFileSync('undone', '')"))],
    });
    const running = at.start(RUN);
    const all = ended(running);
    const looking = setInterval(() => {
      if (!existsSync(join(at.path, 'pid')) || readFileSync(join(at.path, 'pid'), 'utf8') === '') return;
      clearInterval(looking);
      running.kill('SIGINT');
    }, 20);
    const ran = await all.finally(() => clearInterval(looking));

    expect(ran.signal).toBe('SIGINT');
    expect(journalOf(ran)).toMatchObject({
      status: 'interrupted',
      run: [{ status: 'failed', exception: [expect.stringContaining('SIGINT')] }],
      rollbacks: [{ status: 'succeeded' }],
    });
    expect(existsSync(join(at.path, 'undone'))).toBe(true);
    const pid = Number(readFileSync(join(at.path, 'pid'), 'utf8'));
    expect(await hasEnded(pid)).toBe(true);
  });

  test('a program that is not there, and one that takes too long, are told as such', () => {
    using at = desk();
    const late = { ...script('setInterval(() => 0, 1e6)'), timeout: 0.5 };
    for (const [provider, code] of [
      [{ type: 'process', path: './none' }, 'chaos.no_program'],
      [late, 'chaos.timeout'],
    ] as const) {
      write(at, { method: [action('a', provider)] });
      const ran = at.run(RUN);

      expect(ran.status).toBe(6);
      expect(journalOf(ran).run).toMatchObject([{ status: 'failed', exception: [expect.stringContaining(code)] }]);
    }
  });

  test('what came from the environment is in no journal', () => {
    using at = desk();
    write(at, {
      configuration: { token: { type: 'env', key: 'TOKEN' } },
      method: [action('a', { type: 'process', path: 'node', arguments: ['-e', '0', TOKEN] })],
    });
    const ran = at.run(RUN, { env: { TOKEN: 'hush-hush' } });

    expect(ran.status).toBe(0);
    expect(ran.stdout).toContain(TOKEN);
    expect(ran.stdout + ran.stderr).not.toContain('hush-hush');
  });
});
