import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { type Desk, desk, expectError } from '../command.fixture.ts';

const { stdout: script } = (() => {
  using at = desk();
  return at.run(['completion', 'bash']);
})();

/** What a real bash would offer after these words; the last one is being written. */
function offered(at: Desk, words: readonly string[]): readonly string[] {
  const program = `eval "$1"; shift
    complete -p ringmesh > /dev/null || exit 9
    COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
    _ringmesh
    printf '%s\\n' "\${COMPREPLY[@]}"`;
  const args = ['--norc', '-c', program, 'bash', script, 'ringmesh', ...words];
  const { status, stdout, stderr } = spawnSync('bash', args, { cwd: at.path, encoding: 'utf8' });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return stdout.split('\n').filter((word) => word !== '');
}

describe('the script for bash', () => {
  test('is accepted by bash -n', () => {
    const { status, stderr } = spawnSync('bash', ['-n'], { input: script, encoding: 'utf8' });

    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

  test.each([
    [['lo'], ['log']],
    [['log', 'ver'], ['verify']],
    [
      ['log', 'check-'],
      ['check-export', 'check-proof'],
    ],
    [['keys', 'new', 'op'], ['operator']],
    [
      ['completion', ''],
      ['bash', 'zsh', 'fish'],
    ],
    [['log', 'show', 'log', '--str'], ['--stream']],
    [['tail', 'log', '--no'], ['--no-follow']],
    [['log', 'show', ''], []], // then bash offers files
    [['nothing', 'ver'], []],
  ])('completes %j to %j', (words, names) => {
    using at = desk();

    expect(offered(at, words)).toEqual(names);
  });

  test('names every command that --help names', () => {
    using at = desk();

    const names = [...at.run(['--help']).stdout.matchAll(/^ {2}([a-z]+) (?=.* {2})/gm)].map(([, name]) => name);

    expect(names.length).toBeGreaterThan(10);
    expect(offered(at, [''])).toEqual(expect.arrayContaining(names));
  });
});

test('another shell is a usage error', () => {
  using at = desk();

  expectError(at.run(['completion', 'tcsh']), 2, 'usage.invalid');
});
