import { describe, expect, test } from 'vitest';
import { desk, withLog } from './command.fixture.ts';

/** Prints, at the end, whether the storage engine was loaded. */
const PROBE = `data:text/javascript,process.on('exit', () => {
  const loaded = process.report.getReport().sharedObjects.filter((name) => name.includes('lmdb'));
  process.stderr.write('engines ' + loaded.length);
})`;

describe('the command line', () => {
  test.each([
    [['--help'], 'log'],
    [['log', '--help'], 'check-proof'],
    [['log', 'append', '--help'], '"stream"'],
    [['help', 'log'], 'append'],
  ])('%j says what it can do and what exit codes mean, and loads no storage engine', (args, word) => {
    using at = desk();

    const { status, stdout, stderr } = at.run(args, { nodeArgs: ['--import', PROBE] });

    expect({ status, stderr }).toEqual({ status: 0, stderr: 'engines 0' });
    expect(stdout).toContain(word);
    expect(stdout).toMatch(/5 {2}verification failed/);
  });

  test('the probe sees an engine where one is loaded', async () => {
    using at = desk();
    await withLog(at, 1);

    const { stderr } = at.run(['log', 'stats', 'log'], { nodeArgs: ['--import', PROBE] });

    expect(stderr).toBe('engines 1');
  });

  test('--version is the package’s', () => {
    using at = desk();

    const { status, stdout } = at.run(['--version']);

    expect(status).toBe(0);
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  test.each([
    [['lgo'], 'Did you mean log?'],
    [['log', 'shwo', 'x'], 'Did you mean show?'],
    [['log', 'show', 'x', '--jsn'], 'Did you mean --json?'],
    [['log', 'show'], "missing required argument 'dir'"],
    [['log', 'show', 'x', 'y'], 'too many arguments'],
    [['log', 'show', 'x', '--from', '-1'], 'whole number'],
    [['log', 'show', 'x', '--limit', '1e3'], 'whole number'],
    [['log', 'prove', 'x', 'first'], 'whole number'],
    [['log', 'succeed', 'x'], '--reason'],
    [['log', 'check-proof', 'x'], '--vkey'],
    [['log', 'check-proof', 'x', '--vkey', 'k', '--vkey-file', 'f'], 'found both'],
  ])('%j is a usage error on one line: %s', (args, word) => {
    using at = desk();

    const { status, stdout, stderr } = at.run(args);

    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(/^ringmesh: usage\.invalid: .*\n$/);
    expect(stderr).toContain(word);
  });

  test.each([[[]], [['log']]])('%j alone shows the help on stderr', (args) => {
    using at = desk();

    const { status, stdout, stderr } = at.run(args);

    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(/^Usage: ringmesh/);
  });

  test('an error is one JSON object on stderr with --json', () => {
    using at = desk();

    const { status, stderr } = at.run(['log', 'show', 'nowhere', '--json']);

    expect(status).toBe(3);
    expect(JSON.parse(stderr)).toMatchObject({ error: { code: 'log.not_found', exit: 3 } });
  });

  test('an error shows its stack only to who asks for it', () => {
    using at = desk();

    const { status, stderr } = at.run(['log', 'show', 'nowhere'], { env: { RINGMESH_DEBUG: '1' } });

    expect(status).toBe(3);
    expect(stderr).toMatch(/^Error: expected a log[\s\S]* at [\s\S]*ringmesh: log\.not_found: /);
  });

  test('writes no colour to a pipe', async () => {
    using at = desk();
    await withLog(at, 3);

    const { stdout } = at.run(['log', 'show', 'log'], { env: { FORCE_COLOR: '1' } });

    expect(stdout).not.toContain('\u001b');
  });
});
