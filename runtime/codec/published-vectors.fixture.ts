/** Test data that others have published, read from `../shared/vectors` beside the checkout and never copied into it. */
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

const shared = new URL('../../../shared/', import.meta.url);
const root = new URL('vectors/', shared);

/** Reads one file of the set. */
export type Vectors = {
  readonly bytes: (path: string) => Uint8Array;
  readonly json: (path: string) => unknown;
};

/** A suite over one folder of vectors. Without `../shared` it is skipped, and its name says so; where `../shared` is there and
 *  the folder is not, it fails: nothing would be checked, and nobody would know. */
export function describeVectors(folder: string, suite: (vectors: Vectors) => void): void {
  const base = new URL(`${folder}/`, root);
  const name = `published vectors ${folder}`;
  if (!existsSync(shared)) {
    test.skip(`${name}: skipped, there is no folder ../shared`, () => {});
    return;
  }
  if (!existsSync(base)) {
    test(name, () => expect.fail(`expected the folder ${base.pathname}, found none beside what is in ../shared`));
    return;
  }
  const bytes = (path: string): Uint8Array => readFileSync(new URL(path, base));
  describe(name, () => suite({ bytes, json: (path) => JSON.parse(Buffer.from(bytes(path)).toString('utf8')) }));
}
