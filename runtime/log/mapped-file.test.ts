/** A file that somebody writes while it is looked at. */
import { expect, test } from 'vitest';
import { faultOf } from './mapped-file.ts';

const PAGE = 4_096;

/** A file of so many pages after that many transactions, all of them in use. */
function fileAfter(transactions: number): Buffer {
  const bytes = Buffer.alloc(PAGE * (2 + transactions));
  for (const [at, transaction] of [transactions, transactions - 1].entries()) {
    const page = bytes.subarray((transactions + at) % 2 === 0 ? 0 : PAGE);
    page.writeUInt16LE(0x08, 18);
    page.writeUInt32LE(0xbeefc0de, 24);
    page.writeUInt32LE(2, 28);
    page.writeUInt32LE(PAGE, 48);
    page.writeBigUInt64LE(2n ** 64n - 1n, 88);
    page.writeBigUInt64LE(BigInt(1 + transaction), 144);
    page.writeBigUInt64LE(BigInt(transaction), 152);
  }
  return bytes;
}

test('it is not cut short, however much longer it is at every look', () => {
  let transactions = 1;
  const grown = (): Buffer => fileAfter(transactions++);

  const fault = faultOf({
    read: (at, length) => grown().subarray(at, at + length),
    length: () => grown().length,
  });

  expect(fault).toBeUndefined();
});

test('one that lacked a page is looked at again, as long as it has a writer', () => {
  const files = [fileAfter(3).subarray(0, -1), fileAfter(4)];
  let looks = 0;
  const now = (): Buffer => files[looks > 0 ? 1 : 0] as Buffer;
  const read = (at: number, length: number): Buffer => now().subarray(at, at + length);

  const fault = faultOf({
    read,
    length() {
      const { length } = now();
      looks += 1;
      return length;
    },
  });

  expect(fault).toBeUndefined();
  expect(looks).toBe(2);
});

test('one that nobody writes is cut short at the first look', () => {
  const file = fileAfter(3).subarray(0, -1);

  const fault = faultOf({ read: (at, length) => file.subarray(at, at + length), length: () => file.length });

  expect(fault).toContain(`expected ${5 * PAGE} bytes, found ${5 * PAGE - 1}, cut short`);
});
