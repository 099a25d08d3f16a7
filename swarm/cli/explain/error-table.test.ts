import { describe, expect, test } from 'vitest';
import { parseErrorTable } from './error-table.ts';
import { nearestCodes } from './explain.ts';

const DOCUMENT = `# Errors

| code | meaning | what to do |
| --- | --- | --- |
| \`log.busy\` | An error: too much waits. | Wait. |
| \`pipe.cut\` | A refusal: \`a \\| b\` was cut. | Mend it. |
`;

describe('the table of errors', () => {
  test('is the rows whose first cell is a code', () => {
    expect([...parseErrorTable(DOCUMENT).values()]).toEqual([
      { code: 'log.busy', meaning: 'An error: too much waits.', remedy: 'Wait.' },
      { code: 'pipe.cut', meaning: 'A refusal: `a | b` was cut.', remedy: 'Mend it.' },
    ]);
  });
});

describe('the codes that were probably meant', () => {
  const known = ['log.not_found', 'log.locked', 'policy.laxer', 'event.not_found'];

  test.each([
    ['log.notfound', 'log.not_found'],
    ['log.lokced', 'log.locked'],
    ['Policy.Laxer', 'policy.laxer'],
    ['laxer', 'policy.laxer'],
    ['zzzzzzzzzzzzzzzz.nothing', undefined],
  ])('of %s the likeliest is %s', (found, meant) => {
    expect(nearestCodes(found, known)[0]).toBe(meant);
  });

  test('of a code with another subject are those that end alike', () => {
    expect(nearestCodes('somewhere_else_entirely.not_found', known)).toEqual(['log.not_found', 'event.not_found']);
  });

  test('are three at most', () => {
    expect(nearestCodes('a.b', ['a.c', 'a.d', 'a.e', 'a.f'])).toHaveLength(3);
  });
});
