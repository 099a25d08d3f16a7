import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { sha256 } from '../codec/digest.ts';
import { toHex, utf8 } from '../core/bytes.ts';
import type { Snapshot } from './event-log.ts';
import { decodeSnapshot, encodeSnapshot } from './snapshot.ts';

const snapshot: Snapshot = {
  name: 'folds/count',
  reducer: sha256(utf8('reducer')),
  size: 12,
  root: sha256(utf8('root')),
  state: utf8('{"n":1}\nand a second line'),
};

describe('a snapshot', () => {
  test('is what it was after being bytes, whatever its state is', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.string(), fc.nat(), (state, name, size) => {
        const back = decodeSnapshot(encodeSnapshot({ ...snapshot, state, name, size }));
        expect(back).toMatchObject({ name, size });
        expect(back && [toHex(back.state), toHex(back.root), toHex(back.reducer)]).toEqual([
          toHex(state),
          toHex(snapshot.root),
          toHex(snapshot.reducer),
        ]);
      }),
    );
  });

  test('is none after any byte was changed that matters, and never throws', () => {
    const bytes = encodeSnapshot(snapshot);
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, by) => {
        const back = decodeSnapshot(bytes.with(at, (bytes[at] ?? 0) ^ by));
        const isAsGiven = back !== undefined && toHex(back.state) === toHex(snapshot.state);
        expect(back === undefined || isAsGiven).toBe(true); // the name, the size and the digests are checked by who loads it
      }),
    );
  });

  test.each(['', '\n', '{}\n', 'null\n', '[]\n', '{"size":-1}\n', '{"name":1}\nx', 'no line feed'])(
    '%j is none',
    (text) => {
      expect(decodeSnapshot(utf8(text))).toBe(undefined);
    },
  );
});
