import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = resolve(import.meta.dirname, '..');
const page = readFileSync(join(ROOT, 'docs/agt-defects.md'), 'utf8');
const rows = [...page.matchAll(/^\| (?!defect|---)(.*) \| (.*) \|$/gm)].map(([, defect = '', shown = '']) => ({
  defect,
  shown,
}));

test('the page has a row for each defect', () => {
  expect(rows.length).toBeGreaterThanOrEqual(38);
});

test.each(rows)('$defect', ({ shown }) => {
  const [, path, name = ''] = /^`([^`]+)`(?:: (.*))?$/.exec(shown) ?? [];

  if (path === undefined) {
    expect(shown).toMatch(/^does not apply/);
    return;
  }
  expect(existsSync(join(ROOT, path))).toBe(true);
  expect(readFileSync(join(ROOT, path), 'utf8')).toContain(name);
});
