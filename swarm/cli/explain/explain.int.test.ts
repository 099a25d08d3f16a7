import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { desk, expectError, objects } from '../command.fixture.ts';

/** As `npm run check` reads them. */
const CODES = [...readFileSync('docs/ERRORS.md', 'utf8').matchAll(/^\| `([^`]+)`/gm)].map(([, code = '']) => code);

test('explains every code of the document, with something to do about it', () => {
  using at = desk();

  const explained = objects(at.run(['explain', '--json']).stdout);

  expect(explained.map(({ code }) => code)).toEqual(CODES);
  const isWhole = (one: Record<string, unknown>): boolean =>
    /\w/.test(`${one['meaning']}`) && /\w/.test(`${one['remedy']}`);
  expect(explained.filter((one) => !isWhole(one))).toEqual([]);
  expect(CODES.length).toBeGreaterThan(300);
});

test('explains one code in words, and as JSON', () => {
  using at = desk();

  const { stdout, status } = at.run(['explain', 'log.rolled_back']);

  expect(status).toBe(0);
  expect(stdout).toMatch(/^log\.rolled_back\n {2}\S.*\n {2}What to do: \S.*\n {2}A command .* exits with 5\.\n$/);
  expect(JSON.parse(at.run(['explain', 'log.rolled_back', '--json']).stdout)).toMatchObject({
    schema: 'ringmesh.explain/1',
    code: 'log.rolled_back',
    exit: 5,
  });
});

test('a code that there is not is not found, and the one that was meant is named', () => {
  using at = desk();

  const ran = at.run(['explain', 'log.roled_back']);

  expectError(ran, 3, 'code.not_found');
  expect(ran.stderr).toContain('did you mean log.rolled_back');
});

test('docs/cli.md shows what it prints', () => {
  using at = desk();
  const [, shown] =
    /^\$ ringmesh explain log\.not_found\n([\s\S]*?)^```/m.exec(readFileSync('docs/cli.md', 'utf8')) ?? [];

  expect(at.run(['explain', 'log.not_found']).stdout).toBe(shown);
});
