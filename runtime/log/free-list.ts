/**
 * LMDB's free list, by plain reads: which pages of a file nothing refers to. It is a B+ tree as all tables are, from the
 * number of a transaction to a list of pages that are free since.
 *
 * The layout is that of liblmdb as lmdb-js 3.5 bundles it (mdb.c: `MDB_page_header`, `MDB_node`, `mdb_node_read`). The lists
 * are lmdb-js's own (midl.c: `mdb_midl_xmerge`): 0 is nobody, and a negative number the length of the run that comes next.
 */
import type { Buffer } from 'node:buffer';
import { hasCode } from '../core/errors.ts';

/** `PAGEHDRSZ`. */
export const PAGE_HEADER_BYTES = 24;

type File = {
  readonly pageBytes: number;
  /** The root of the list; no page of the file where it is empty. */
  readonly freeRoot: number;
  /** Fewer bytes where the file ends. */
  readonly read: (at: number, length: number) => Buffer;
};

/** Whether the list has every page from `from` up to and without `to`, none of which need be in the file. A list that is
 *  itself not whole has none. */
export function areFree({ from, to }: { readonly from: number; readonly to: number }, file: File): boolean {
  try {
    const runs = [...lists(file)].flatMap((list) => [...runsOf(list)]);
    let next = from;
    for (const [first, end] of runs.sort(([a], [b]) => a - b)) if (first <= next) next = Math.max(next, end);
    return next >= to;
  } catch (error) {
    if (hasCode(error, 'ERR_OUT_OF_RANGE') || hasCode(error, 'ERR_BUFFER_OUT_OF_BOUNDS')) return false;
    throw error;
  }
}

const [P_BRANCH, F_BIGDATA] = [0x01, 0x01];

/** Every list of the tree. No page is read twice: damage could lead in circles. @throws `ERR_OUT_OF_RANGE` past the file's end */
function* lists({ freeRoot, pageBytes, read }: File): Generator<Buffer> {
  const ahead = new Set([freeRoot]); // grows while it is gone through
  for (const number of ahead) {
    const page = read(number * pageBytes, pageBytes);
    const isBranch = (page.readUInt16LE(18) & P_BRANCH) !== 0;
    const nodes = page.readUInt16LE(20) / 2; // `NUMKEYS`
    for (let n = 0; n < nodes; n++) {
      const at = PAGE_HEADER_BYTES + page.readUInt16LE(PAGE_HEADER_BYTES + 2 * n); // `NODEPTR`
      const [low, flags, data] = [page.readUInt32LE(at), page.readUInt16LE(at + 4), at + 8 + page.readUInt16LE(at + 6)];
      if (isBranch) ahead.add(low + flags * 2 ** 32);
      else if ((flags & F_BIGDATA) === 0) yield page.subarray(data, data + low);
      else yield read(Number(page.readBigUInt64LE(data)) * pageBytes + PAGE_HEADER_BYTES, low);
    }
  }
}

/** From a list the runs of pages, each from its first up to and without its end. */
function* runsOf(list: Buffer): Generator<readonly [number, number]> {
  const entry = (n: number): number => Number(list.readBigInt64LE(8 * n));
  const count = entry(0);
  for (let n = 1; n <= count; n++) {
    const length = entry(n) < 0 ? -entry(n++) : 1;
    if (entry(n) > 0) yield [entry(n), entry(n) + length];
  }
}
