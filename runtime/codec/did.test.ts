import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseDid } from './did.ts';

describe('a DID', () => {
  test.each([
    'did:example:123456789abcdefghi',
    'did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp',
    'did:web:example.com%3A3000:user:alice',
    'did:web:example.com%3a3000',
    'did:3:A-Z_a.z-0',
    'did:example::empty:segments::inside',
    'did:example::x',
    'did:a:b',
  ])('%s is one', (text) => {
    expect(parseDid(text)).toEqual({ ok: true, value: text });
  });

  test.each([
    ['', 0],
    ['d', 1],
    ['DID:example:a', 0],
    ['di:example:a', 2],
    ['did', 3],
    ['did:', 4],
    ['did::a', 4],
    ['did:Example:a', 4],
    ['did:exAmple:a', 6],
    ['did:ex-ample:a', 6],
    ['did:example', 11],
    ['did:example:', 12],
    ['did:example:a:', 14],
    ['did:example:a/path', 13],
    ['did:example:a?query', 13],
    ['did:example:a#key', 13],
    ['did:example:a b', 13],
    [' did:example:a', 0],
    ['did:example:a\n', 13],
    ['did:example:a%', 14],
    ['did:example:a%4', 15],
    ['did:example:a%g0', 14],
    ['did:example:a%4g', 15],
    ['did:example:a%%41', 14],
    ['did:example:é', 12],
    ['did:example:а', 12], // Cyrillic
    ['did:еxample:a', 4], // Cyrillic
    ['did:example:\u{1f600}', 12],
    ['did:example:\ud800', 12],
    ['did:example:a\0', 13],
  ])('%j is none, and the refusal says at which byte', (text, offset) => {
    expect(parseDid(text)).toMatchObject({ ok: false, error: { code: 'did.malformed', offset } });
  });

  test('has at most 512 characters', () => {
    const longest = `did:example:${'a'.repeat(500)}`;
    expect(parseDid(longest).ok).toBe(true);
    expect(parseDid(`${longest}a`)).toMatchObject({ ok: false, error: { code: 'did.malformed', offset: 512 } });
  });

  test('is what the grammar of the specification says, for any text near one', () => {
    const grammar = /^did:[a-z0-9]+:(?:(?:[A-Za-z0-9._-]|%[0-9A-Fa-f]{2})*:)*(?:[A-Za-z0-9._-]|%[0-9A-Fa-f]{2})+$/;
    const piece = fc.constantFrom('did', ':', 'a', 'Z', '9', '%', '%4F', '%0', '-', '.', '_', '/', 'é', ' ');
    const text = fc.tuple(fc.constantFrom('did:', 'did:x:', ''), fc.array(piece, { maxLength: 8 }));
    fc.assert(
      fc.property(text, ([head, tail]) => {
        const candidate = head + tail.join('');
        expect(parseDid(candidate).ok).toBe(grammar.test(candidate));
      }),
      { numRuns: 2000 },
    );
  });
});
