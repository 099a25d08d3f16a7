/** The table of docs/ERRORS.md, which `npm run check` keeps equal to the source: there is no second list. */
import { readFile } from 'node:fs/promises';

export type Explained = { readonly code: string; readonly meaning: string; readonly remedy: string };

/** By code, in the order of the document. It comes with the package. */
export async function readErrorTable(): Promise<ReadonlyMap<string, Explained>> {
  const document = new URL('docs/ERRORS.md', import.meta.resolve('ringmesh/package.json'));
  return parseErrorTable(await readFile(document, 'utf8'));
}

/** Its rows: a code in backticks, what it means, what to do. */
export function parseErrorTable(markdown: string): ReadonlyMap<string, Explained> {
  const rows = markdown.split('\n').flatMap((line): Explained[] => {
    const [, first = '', meaning = '', remedy = ''] = line
      .split(CELL)
      .map((cell) => cell.trim().replaceAll('\\|', '|'));
    const code = /^`([^`]+)`$/.exec(first)?.[1];
    return code === undefined ? [] : [{ code, meaning, remedy }];
  });
  return new Map(rows.map((row) => [row.code, row]));
}

/** A bar that is not escaped. */
const CELL = /(?<!\\)\|/;
