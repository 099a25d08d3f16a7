import { expect, test } from 'vitest';
import { ManualClock, seededRandom } from './simulation.ts';
import { systemClock, systemRandom } from './system.ts';
import { uuidv7 } from './uuid.ts';

test('a UUID of version 7 has its time, version and variant where RFC 9562 puts them', () => {
  // Appendix A.6 of the RFC: Tuesday, 22 February 2022 14:22:22.00 GMT-05:00.
  const id = uuidv7(new ManualClock(0x017f22e279b0), {
    ...seededRandom(1),
    bytes: () => new Uint8Array(16).fill(0xff),
  });

  expect(id).toBe('017f22e2-79b0-7fff-bfff-ffffffffffff');
});

test.each([0, 1, 2 ** 32, 2 ** 48 - 1])('a UUID carries the millisecond %i in its first 48 bits', (at) => {
  const id = uuidv7(new ManualClock(at), seededRandom('uuid'));

  expect(Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16)).toBe(at);
});

test('later UUIDs sort after earlier ones, and no two are the same', () => {
  const [clock, random] = [new ManualClock(), seededRandom('uuid')];
  const ids = Array.from({ length: 500 }, () => {
    clock.advance(1);
    return uuidv7(clock, random);
  });

  expect(ids).toEqual(ids.toSorted());
  const atOnce = Array.from({ length: 5_000 }, () => uuidv7(systemClock, systemRandom));
  expect(new Set(atOnce).size).toBe(5_000);
});
