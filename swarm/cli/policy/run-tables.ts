/** `policy test`: each case of each table, and what differs from what it expects. */
import { dirname, join } from 'node:path';
import { type CaseResult, parseTable, runTable } from '../../../policies/table/table.ts';
import { CodedError } from '../../../runtime/core/errors.ts';
import { oneLine } from '../report.ts';
import type { Shell } from '../shell.ts';
import { readPolicies, refuse, textOf } from './read-policies.ts';

/** @throws `policy.test_failed` when a case differs; `input.malformed` after telling each fault */
export async function runTables(
  shell: Shell,
  files: readonly string[],
  options: { readonly json?: boolean },
): Promise<void> {
  let [cases, failed] = [0, 0];
  for (const file of files) {
    const table = parseTable(await textOf(shell, file), file);
    if (!table.ok) return refuse(shell, table.error);
    const paths = table.value.policies.map((path) => join(dirname(file), path));
    const results = runTable(table.value, await readPolicies(shell, paths));
    if (!results.ok) return refuse(shell, results.error);
    cases += results.value.length;
    failed += results.value.filter(({ differences }) => differences.length > 0).length;
    for (const result of results.value) await shell.out.write(lineOf(file, result, options.json === true));
  }
  if (failed > 0) throw new CodedError('policy.test_failed', `${failed} of ${cases} cases are not as expected`);
  if (options.json !== true) await shell.out.write(`${cases} cases, all as expected\n`);
}

function lineOf(file: string, { name, decision, differences }: CaseResult, isJson: boolean): string {
  const isGood = differences.length === 0;
  if (isJson) return `${JSON.stringify({ file, case: name, ok: isGood, differences, decision })}\n`;
  const shown = differences.map((difference) => `        ${oneLine(difference)}\n`).join('');
  return `${isGood ? 'ok    ' : 'FAILED'}  ${file}: ${oneLine(name)}\n${shown}`;
}
