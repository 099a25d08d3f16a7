import { describe, expect, test } from 'vitest';
import type { Tolerance } from './experiment.ts';
import { type Ended, isTolerated } from './tolerance.ts';

const ended: Ended = { status: 3, stdout: 'p99 12.5\n', stderr: '' };

describe('a tolerance', () => {
  test.each<[Tolerance, Partial<Ended>, boolean]>([
    [3, {}, true],
    [0, {}, false],
    [{ type: 'range', range: [0, 3], target: 'status' }, {}, true],
    [{ type: 'range', range: [0, 2], target: 'status' }, {}, false],
    [{ type: 'range', range: [10, 20], target: 'stdout' }, { stdout: ' 12.5\n' }, true],
    [{ type: 'range', range: [10, 20], target: 'stdout' }, { stdout: 'p99 12.5' }, false],
    [{ type: 'range', range: [0, 20], target: 'stdout' }, { stdout: '\n' }, false],
    [{ type: 'regex', pattern: '^[03]$', target: 'status' }, {}, true],
    [{ type: 'regex', pattern: '^[03]$', target: 'status' }, { status: 130 }, false],
    [{ type: 'regex', pattern: '12\\.5$', target: 'stdout' }, {}, true],
    [{ type: 'regex', pattern: '.', target: 'stderr' }, {}, false],
  ])('%j of %j: %s', (tolerance, found, expected) => {
    expect(isTolerated(tolerance, { ...ended, ...found })).toBe(expected);
  });
});
