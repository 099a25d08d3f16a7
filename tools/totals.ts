/**
 * `node tools/totals.ts REPORT…` sums vitest's JSON reports and closes with `N passed, N failed, N skipped`. Exit 1 when
 * anything failed or when a run, or all of them, executed no test: a suite that does not run proves nothing. What was skipped
 * is named, with the reason that its name gives, once for each run.
 */
import { existsSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';

/** The part of vitest's report that is read here. */
type Report = {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly testResults: readonly {
    readonly status: string;
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[];
  }[];
};

const SKIPPED: ReadonlySet<string> = new Set(['pending', 'skipped', 'todo', 'disabled']);

const total = { passed: 0, failed: 0, skipped: 0 };
const paths = process.argv.slice(2);
for (const path of paths) {
  const report = existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Report) : undefined;
  const run = report === undefined ? { passed: 0, failed: 0, skipped: 0 } : countsOf(report);
  console.log(
    `${basename(path, '.json').padEnd(12)} ${run.passed} passed, ${run.failed} failed, ${run.skipped} skipped`,
  );
  for (const { assertionResults } of report?.testResults ?? [])
    for (const { status, fullName } of assertionResults)
      if (SKIPPED.has(status)) console.log(`${''.padEnd(12)} skipped: ${fullName}`);
  if (run.passed === 0 || run.failed > 0) process.exitCode = 1;
  total.passed += run.passed;
  total.failed += run.failed;
  total.skipped += run.skipped;
}
if (total.passed === 0) process.exitCode = 1;
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);

function countsOf(report: Report): typeof total {
  // A file that cannot be loaded has no tests to fail, and counts as one.
  const unloaded = report.testResults.filter((file) => file.status === 'failed' && file.assertionResults.length === 0);
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + unloaded.length,
    skipped: report.numPendingTests + report.numTodoTests,
  };
}
