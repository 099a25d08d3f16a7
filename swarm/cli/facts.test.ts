import { expect, test } from 'vitest';
import { formatFacts } from './facts.ts';

const FACTS = { origin: 'local/a/log/0', signed: null, bytes: { used: 12, by: { tiles: 3 } }, places: ['x', 'y'] };

test('facts are one JSON object, absent ones included', () => {
  const text = formatFacts(FACTS, true);

  expect(text).toBe(`${JSON.stringify(FACTS)}\n`);
});

test('facts are aligned lines for people, without the absent ones', () => {
  const text = formatFacts(FACTS, false);

  expect(text).toBe('origin          local/a/log/0\nbytes.used      12\nbytes.by.tiles  3\nplaces          x, y\n');
});

test('facts for people keep to one line each, whatever is in them', () => {
  const text = formatFacts({ data: 'a\nb\u001b[31m' }, false);

  expect(text).toBe('data  a b\\u001b[31m\n');
});
