/**
 * Whether a `data.mdb` may be given to LMDB, found out by plain reads. LMDB reads through a mapping: a page beyond the end of
 * the file is no error there but SIGBUS. And what LMDB refuses by itself is SIGSEGV, for lmdb-js 3.5 then closes what it has
 * just freed (`EnvWrap::openEnv` in its src/env.cpp). Costs two small reads, and more only where the file is shorter than it says.
 *
 * F1. A meta page is read before the length of the file. A writer writes the pages first and then the meta page that names
 *     them, so that a file which grows meanwhile is never found too short.
 * F2. A file may lack pages at its end that its free list has. LMDB counts every page that a transaction took, and does not
 *     write those that it gave back before its end: an upgrade of the log leaves such a file, and it is sound.
 *
 * The layout is that of liblmdb as lmdb-js 3.5 bundles it (node_modules/lmdb/dependencies/lmdb/libraries/liblmdb/mdb.c:
 * `MDB_page_header`, `MDB_meta`, `MDB_db`, `mdb_env_read_header`, `mdb_pick_meta`), with eight bytes to a page number, lowest
 * byte first: a file from a machine of the other order is refused, as LMDB does by its magic. The fork can encrypt pages and
 * add checksums, which moves nothing in a meta page and which a log does not ask for.
 *
 * Not looked at: what is in the pages. A file that is cut while it is open, or has zeros where pages were, still ends its
 * reader by a signal; for those there is `verifyInChild`. LMDB locks `lock.mdb`, so that closing `data.mdb` here unlocks nothing.
 */
import { Buffer } from 'node:buffer';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { CodedError, hasCode } from '../core/errors.ts';
import { areFree, PAGE_HEADER_BYTES } from './free-list.ts';

/** What is wrong with a file, in words; `undefined` where LMDB may have it. @throws {CodedError} `log.no_access` */
export function faultOfFile(path: string): string | undefined {
  const fd = openToRead(path);
  try {
    return faultOf({ read: (at, length) => readAt(fd, at, length), length: () => fstatSync(fd).size });
  } finally {
    closeSync(fd);
  }
}

function openToRead(path: string): number {
  try {
    return openSync(path, 'r');
  } catch (error) {
    if (!hasCode(error, 'EACCES') && !hasCode(error, 'EPERM')) throw error;
    // biome-ignore lint/style/useErrorCause: the cause is there, as the third argument.
    throw new CodedError('log.no_access', `expected this user to be allowed to read ${path}`, { cause: error });
  }
}

type File = {
  /** Fewer bytes where the file ends. */
  readonly read: (at: number, length: number) => Buffer;
  readonly length: () => number;
};

/** The same of a file that is open, and that somebody may be writing. */
export function faultOf({ read, length }: File): string | undefined {
  for (let round = 1; ; round++) {
    const meta = newestMeta(read);
    const bytes = length(); // F1
    if (meta === undefined) return `expected the two meta pages of an LMDB file, found other bytes or none: ${REMEDY}`;
    const { pages, pageBytes, transaction } = meta;
    if (bytes >= pages * pageBytes) return undefined;
    if (areFree({ from: Math.floor(bytes / pageBytes), to: pages }, { ...meta, read })) return undefined; // F2
    // A writer may have written over the list while it was read: then it has written a meta page, too.
    if (round === ROUNDS_MAX || newestMeta(read)?.transaction === transaction)
      return `expected ${pages * pageBytes} bytes, found ${bytes}, cut short: ${REMEDY}`;
  }
}

const ROUNDS_MAX = 100;
const REMEDY = 'restore a copy, and let log verify say whether that is whole';

/** What a meta page says of the file. */
type Meta = {
  readonly transaction: bigint;
  readonly pageBytes: number;
  readonly pages: number;
  readonly freeRoot: number;
};

/** Where it says so, from the beginning of the page. */
const META_BYTES = PAGE_HEADER_BYTES + 144;
const AT = {
  pageFlags: 18,
  magic: PAGE_HEADER_BYTES,
  version: PAGE_HEADER_BYTES + 4,
  pageBytes: PAGE_HEADER_BYTES + 24, // `mm_psize`
  flags: PAGE_HEADER_BYTES + 28, // `mm_flags`
  freeRoot: PAGE_HEADER_BYTES + 64, // `mm_dbs[FREE_DBI].md_root`
  lastPage: PAGE_HEADER_BYTES + 120,
  transaction: PAGE_HEADER_BYTES + 128,
} as const;

/** As LMDB picks it: of the two that there are, the first where both are of one transaction. */
function newestMeta(read: File['read']): Meta | undefined {
  const page = read(0, META_BYTES);
  if (!isFirstMeta(page)) return undefined;
  const first = parseMeta(page);
  const next = read(first.pageBytes, META_BYTES);
  if (next.length < META_BYTES) return undefined;
  const second = parseMeta(next);
  const newest = first.transaction >= second.transaction ? first : second;
  return newest.pageBytes === first.pageBytes ? newest : undefined;
}

/** All that LMDB asks before it opens a file, and the size of pages, which it believes. */
function isFirstMeta(page: Buffer): boolean {
  if (page.length < META_BYTES) return false;
  const isMeta = (page.readUInt16LE(AT.pageFlags) & P_META) !== 0 && page.readUInt32LE(AT.magic) === MDB_MAGIC;
  const isKnown =
    page.readUInt16LE(AT.version) === MDB_DATA_VERSION && (page.readUInt16LE(AT.flags) & MDB_ENCRYPT) === 0;
  return isMeta && isKnown && PAGE_BYTES.has(page.readUInt32LE(AT.pageBytes));
}

const [P_META, MDB_MAGIC, MDB_DATA_VERSION, MDB_ENCRYPT] = [0x08, 0xbeefc0de, 2, 0x2000];
const PAGE_BYTES: ReadonlySet<number> = new Set([256, 512, 1_024, 2_048, 4_096, 8_192, 16_384, 32_768, 65_536]);

function parseMeta(page: Buffer): Meta {
  return {
    transaction: page.readBigUInt64LE(AT.transaction),
    pageBytes: page.readUInt32LE(AT.pageBytes),
    pages: Number(page.readBigUInt64LE(AT.lastPage)) + 1,
    freeRoot: Number(page.readBigUInt64LE(AT.freeRoot)),
  };
}

function readAt(fd: number, at: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  return bytes.subarray(0, readSync(fd, bytes, 0, length, at));
}
