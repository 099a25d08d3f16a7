import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { scratch } from './scratch.ts';

const clean = { numPassedTests: 3, numFailedTests: 0, numPendingTests: 1, numTodoTests: 1, testResults: [] };
const unloaded = { ...clean, testResults: [{ status: 'failed', assertionResults: [] }] };

describe('totals', () => {
  test('name each test that was skipped, under its run', () => {
    const assertionResults = [
      { status: 'passed', fullName: 'it runs' },
      { status: 'skipped', fullName: 'it waits: skipped, there is no moon' },
      { status: 'todo', fullName: 'it will be' },
    ];
    const report = { ...clean, testResults: [{ status: 'passed', assertionResults }] };
    using directory = scratch({ 'unit.json': JSON.stringify(report) });

    const { stdout } = spawnSync('node', [resolve('tools/totals.ts'), 'unit.json'], {
      cwd: directory.path,
      encoding: 'utf8',
    });

    expect(stdout.split('\n').map((line) => line.trim())).toEqual([
      'unit         3 passed, 0 failed, 2 skipped',
      'skipped: it waits: skipped, there is no moon',
      'skipped: it will be',
      '3 passed, 0 failed, 2 skipped',
      '',
    ]);
  });

  test.each([
    ['adds up its runs', [clean, clean], '6 passed, 0 failed, 4 skipped', 0],
    ['fails with a failed test', [clean, { ...clean, numFailedTests: 2 }], '6 passed, 2 failed, 4 skipped', 1],
    ['counts a file that cannot be loaded as a failure', [clean, unloaded], '6 passed, 1 failed, 4 skipped', 1],
    ['fails with a run that ran nothing', [clean, { ...clean, numPassedTests: 0 }], '3 passed, 0 failed, 4 skipped', 1],
    ['fails with a run that left no report', [clean, undefined], '3 passed, 0 failed, 2 skipped', 1],
    ['fails without runs', [], '0 passed, 0 failed, 0 skipped', 1],
  ])('%s', (_, reports, closing, code) => {
    const files = reports.map((report, n) => [`${n}.json`, report === undefined ? undefined : JSON.stringify(report)]);
    using directory = scratch(Object.fromEntries(files.filter(([, report]) => report !== undefined)));

    const { stdout, status } = spawnSync('node', [resolve('tools/totals.ts'), ...files.map(([name]) => String(name))], {
      cwd: directory.path,
      encoding: 'utf8',
    });

    expect({ closing: stdout.trimEnd().split('\n').at(-1), code: status }).toEqual({ closing, code });
  });
});
