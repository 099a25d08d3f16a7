import { describe, expect, test } from 'vitest';
import { type Obligation, redact } from './obligation.ts';

describe('redact', () => {
  const at = (path: string): readonly Obligation[] => [{ kind: 'redact', path, with: '[redacted]' }];

  test.each([
    ['/a', { a: '[redacted]', b: [1, { c: 2 }] }],
    ['/b/1/c', { a: 'x', b: [1, { c: '[redacted]' }] }],
    ['', '[redacted]'],
  ])('replaces what stands at %j', (path, expected) => {
    expect(redact({ a: 'x', b: [1, { c: 2 }] }, at(path))).toEqual(expected);
  });

  test.each(['/z', '/b/2', '/b/length', '/b/-', '/a/x', '/constructor'])(
    'has no answer where there is nothing at %j',
    (path) => {
      expect(redact({ a: 'x', b: [1, 2] }, at(path))).toBeUndefined();
    },
  );

  test('keeps a member called __proto__ a member', () => {
    const value = JSON.parse('{"__proto__":{"x":1},"a":2}');

    expect(JSON.stringify(redact(value, at('/a')))).toBe('{"__proto__":{"x":1},"a":"[redacted]"}');
  });
});
