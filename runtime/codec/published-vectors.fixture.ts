/** Test data that others have published, read from `../shared/vectors` beside the checkout and never copied into it. */
import { existsSync, readFileSync } from 'node:fs';
import { describe, test } from 'vitest';

const root = new URL('../../../shared/vectors/', import.meta.url);

/** Reads one file of the set. */
export type Vectors = {
  readonly bytes: (path: string) => Uint8Array;
  readonly json: (path: string) => unknown;
};

/** A suite over one folder of vectors. Where the folder is absent it says so, in one line and in the name of a skipped test. */
export function describeVectors(folder: string, suite: (vectors: Vectors) => void): void {
  const base = new URL(`${folder}/`, root);
  if (existsSync(base)) {
    const bytes = (path: string): Uint8Array => readFileSync(new URL(path, base));
    describe(`published vectors ${folder}`, () =>
      suite({ bytes, json: (path) => JSON.parse(Buffer.from(bytes(path)).toString('utf8')) }));
    return;
  }
  console.warn(`published vectors ${folder}: skipped, there is no folder ${base.pathname}`);
  test.skip(`published vectors ${folder}: skipped, there is no folder ../shared/vectors/${folder}`, () => {});
}
