import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { view } from '../../runtime/core/bytes.ts';
import { LineSplitter } from './line-splitter.ts';

describe('splitting lines', () => {
  test('gives the same lines however the bytes arrive', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'é', '\n', '\r', '🍵'), maxLength: 60 });
    const cuts = fc.array(fc.nat(200), { maxLength: 12 });

    fc.assert(
      fc.property(text, cuts, (input, places) => {
        const bytes = Buffer.from(input);
        const expected = input.replace(/\n$/, '').split('\n');

        const lines = split(bytes, places);

        const wanted = input === '' ? [] : expected.map((line, n) => `${n + 1} ${line}`);
        expect(lines).toEqual(wanted);
      }),
    );
  });

  test('refuses a line that is too long before it has been read to its end', () => {
    const splitter = new LineSplitter(8);

    const read = (): unknown => [...splitter.push(Buffer.from('short\n123456789'))];

    expect(read).toThrow(expect.objectContaining({ code: 'input.too_long', line: 2, offset: 8 }));
  });

  test('keeps no hold on the memory of a chunk', () => {
    const splitter = new LineSplitter(8);
    const chunk = Buffer.from('ab');
    expect([...splitter.push(chunk)]).toEqual([]);

    chunk.fill('x');
    const [line] = [...splitter.push(Buffer.from('c\n'))];

    expect(view(line?.bytes ?? chunk).toString()).toBe('abc');
  });
});

function split(bytes: Buffer, places: readonly number[]): readonly string[] {
  const splitter = new LineSplitter(1_000);
  const cuts = [0, ...places.map((place) => Math.min(place, bytes.length)).sort((a, b) => a - b), bytes.length];
  const lines = cuts.flatMap((cut, n) => [...splitter.push(bytes.subarray(cut, cuts[n + 1] ?? cut))]);
  return [...lines, ...splitter.end()].map((line) => `${line.number} ${view(line.bytes).toString()}`);
}
