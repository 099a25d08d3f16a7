/** `explain`: an error code in words. */
import { nearest } from '../../../policies/expression/nearest.ts';
import { CodedError } from '../../../runtime/core/errors.ts';
import { exitCodeOf } from '../exit-code.ts';
import type { Shell } from '../shell.ts';
import { Table } from '../table.ts';
import { type Explained, readErrorTable } from './error-table.ts';

type Options = { readonly json?: boolean };

/** @throws `code.not_found`, with the codes that were probably meant */
export async function explain(shell: Shell, code: string | undefined, { json = false }: Options): Promise<void> {
  const table = await readErrorTable();
  if (code === undefined) {
    await shell.out.write(json ? [...table.values()].map(jsonOf).join('') : listOf(shell, table));
    return;
  }
  const found = table.get(code);
  if (found === undefined) {
    const meant = nearestCodes(code, table.keys());
    const hint = meant.length === 0 ? '"ringmesh explain" lists them all' : `did you mean ${meant.join(' or ')}?`;
    throw new CodedError('code.not_found', `expected an error code, found ${JSON.stringify(code)}: ${hint}`);
  }
  await shell.out.write(json ? jsonOf(found) : textOf(found));
}

const SUGGESTIONS_MAX = 3;

/** The codes that were probably meant, the likeliest first: by the whole code, then by what stands after its first dot. */
export function nearestCodes(found: string, known: Iterable<string>): readonly string[] {
  const left = new Set(known);
  const meant: string[] = [];
  while (meant.length < SUGGESTIONS_MAX) {
    const code = nearest(found, left);
    if (code === undefined) break;
    left.delete(code);
    meant.push(code);
  }
  if (meant.length > 0) return meant;
  return [...left]
    .filter((code) => code.slice(code.indexOf('.') + 1) === found.slice(found.indexOf('.') + 1))
    .slice(0, SUGGESTIONS_MAX);
}

function jsonOf(explained: Explained): string {
  return `${JSON.stringify({ schema: 'ringmesh.explain/1', ...explained, exit: exitCodeOf(explained.code) })}\n`;
}

function textOf({ code, meaning, remedy }: Explained): string {
  return `${code}\n  ${meaning}\n  What to do: ${remedy}\n  A command that ends with it exits with ${exitCodeOf(code)}.\n`;
}

function listOf(shell: Shell, table: ReadonlyMap<string, Explained>): string {
  const rows = [...table.values()].map(({ code, meaning }) => [code, meaning]);
  return new Table([{ title: 'CODE' }, { title: 'MEANING' }], shell.out.columns).format(rows);
}
