/** Every page of an LMDB file is a meta page, in use by LMDB's own count, or in the free list: no more and no fewer. */
import { mkdtempDisposableSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { open } from 'lmdb';
import { expect, test } from 'vitest';
import { areFree } from './free-list.ts';

const PAGE = 4_096;

test.each([
  ['of nothing', 0, 0],
  ['of one transaction', 1, 0],
  ['that is long', 1, 100],
  ['of many transactions', 200, 0],
  ['of many transactions, and long', 200, 100],
])('a free list %s is read whole', async (_, transactions, removed) => {
  using folder = mkdtempDisposableSync(join(tmpdir(), 'ringmesh-free-'));
  const binary = { encoding: 'binary', keyEncoding: 'binary' } as const;
  const env = open<Buffer, Buffer>({
    path: folder.path,
    noSubdir: false,
    noSync: true,
    overlappingSync: false,
    ...binary,
  });
  const key = (n: number): Buffer => Buffer.from(`${n}`);
  env.transactionSync(() => {
    for (let n = 0; n < 200; n++) env.putSync(key(n), Buffer.alloc(9_000));
  });
  const reader = env.useReadTransaction(); // as long as it is there no page is used again, and no list joined with another
  for (let n = 0; n < transactions; n++) env.putSync(key(n), Buffer.alloc(1_000));
  env.transactionSync(() => {
    for (let n = 0; n < removed; n++) env.removeSync(key(n));
  });
  const stats = env.getStats() as Pages & { readonly free: Pages };
  const bytes = readFileSync(join(folder.path, 'data.mdb'));
  reader.done();
  await env.close();
  const newest = bytes.readBigUInt64LE(152) >= bytes.readBigUInt64LE(PAGE + 152) ? 0 : PAGE;
  const pages = Number(bytes.readBigUInt64LE(newest + 144)) + 1;
  const freeRoot = Number(bytes.readBigUInt64LE(newest + 88));
  const file = { pageBytes: PAGE, freeRoot, read: (at: number, length: number) => bytes.subarray(at, at + length) };

  const free = Array.from({ length: pages }, (_, n) => n).filter((n) => areFree({ from: n, to: n + 1 }, file));

  expect(free).toHaveLength(pages - 2 - countOf(stats) - countOf(stats.free));
});

type Pages = {
  readonly treeBranchPageCount: number;
  readonly treeLeafPageCount: number;
  readonly overflowPages: number;
};

function countOf({ treeBranchPageCount, treeLeafPageCount, overflowPages }: Pages): number {
  return treeBranchPageCount + treeLeafPageCount + overflowPages;
}
