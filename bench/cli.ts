/**
 * `npm run bench -- cli [--json]`: how long the built command takes from nothing to its first word, beside a bare `node` that
 * does nothing, in turn within each round.
 */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { median } from './rounds.ts';

const ROUNDS = 15;
/** The bar, for a command that loads none of the others' code. */
const BAR_MS = 200;
const MAIN = 'dist/swarm/cli/main.js';

const LINES: readonly (readonly [name: string, args: readonly string[]])[] = [
  ['node, doing nothing', ['-e', '0']],
  ['ringmesh --version', [MAIN, '--version']],
  ['ringmesh --help', [MAIN, '--help']],
  ['ringmesh explain log.locked', [MAIN, 'explain', 'log.locked']],
];

export function benchCli(args: readonly string[]): void {
  const { values } = parseArgs({ args: [...args], options: { json: { type: 'boolean' } } });
  if (!existsSync(MAIN)) throw new Error(`expected ${MAIN}: npm run build`);
  const took = LINES.map((): number[] => []);
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [n, [, given]] of LINES.entries()) {
      const began = performance.now();
      execFileSync(process.execPath, given, { stdio: 'ignore' });
      if (round > 0) took[n]?.push(performance.now() - began); // the first warms the disk's cache
    }
  }
  const rows = LINES.map(([name], n) => {
    const all = took[n] ?? [];
    return { name, medianMs: Math.round(median(all)), minMs: Math.round(Math.min(...all)) };
  });
  if (values.json === true) {
    console.log(JSON.stringify({ rounds: ROUNDS, barMs: BAR_MS, rows }));
    return;
  }
  for (const { name, medianMs, minMs } of rows) console.log(`${name.padEnd(30)} ${medianMs} ms, at best ${minMs}`);
  console.log(`the bar is ${BAR_MS} ms`);
}
