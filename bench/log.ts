/**
 * `npm run bench -- log [--json] [--quick] [--events N]`: what the log costs, beside what there is no way around: a plain
 * file with fdatasync, LMDB without a tree, bare `JSON.parse`, bare SHA-256. The method is in docs/benchmarks.md.
 */
import { mkdtempDisposableSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { benchAppends } from './log-append.ts';
import { benchReads, benchStart } from './log-read.ts';
import type { Measured } from './rounds.ts';

export async function benchLog(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      json: { type: 'boolean' },
      quick: { type: 'boolean' },
      events: { type: 'string' },
      dir: { type: 'string' },
    },
  });
  const isQuick = values.quick === true;
  const events = Number(values.events ?? (isQuick ? 50_000 : 1_000_000));
  using folder = mkdtempDisposableSync(join(values.dir ?? tmpdir(), 'ringmesh-bench-'));
  const machine = {
    node: process.version,
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    load: loadavg()[0] ?? 0,
  };
  const appends = await benchAppends(folder.path, isQuick ? 3 : 9);
  const reads = await benchReads(folder.path, isQuick ? 20_000 : 200_000, isQuick ? 3 : 7);
  const start = await benchStart(folder.path, events);
  if (values.json === true) {
    console.log(JSON.stringify({ bench: 'log', machine, appends, reads, start }));
    return;
  }
  console.log(`${machine.cpu}, ${machine.cores} cores, Node ${machine.node}, load ${machine.load.toFixed(1)} before\n`);
  console.log('durable appends: events per flush, events/s, against the plain file of the same bytes');
  for (const row of appends) console.log(`${String(row.batch).padStart(5)}  ${lineOf(row)}`);
  for (const [title, rows] of [
    ['reading', reads.fold],
    ['verifying', reads.verification],
  ] as const) {
    console.log(`\n${title} ${reads.events} events: events/s, against the first line`);
    for (const row of rows) console.log(`       ${lineOf(row)}`);
  }
  console.log(
    `\nbytes per event: ${reads.recordBytes.toFixed(0)} of record, ${reads.diskBytes.toFixed(0)} of disk` +
      `\nstart over ${start.events} events: ${start.openMs.toFixed(1)} ms (built in ${(start.buildMs / 1_000).toFixed(0)} s, ` +
      `${(start.diskBytes / 2 ** 20).toFixed(0)} MiB)`,
  );
}

function lineOf({ name, perSecond, ratio }: Measured): string {
  return `${name.padEnd(36)} ${perSecond.toFixed(0).padStart(9)}  ${ratio.toFixed(2).padStart(6)}`;
}
