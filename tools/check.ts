/**
 * `npm run check [-- GATE…]`: every gate of the house (or those named), each on one line with its time. All of them run
 * even when one fails; what a failed one said follows its line. Exit 1 when any failed, 2 for a gate that does not exist.
 */
import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';

/** The slowest first, so that two cores finish together. */
const gates: ReadonlyMap<string, readonly string[]> = new Map([
  ['package', ['sh', '-c', 'node tools/build.ts && publint --strict --pack npm']],
  ['types', ['tsc', '-p', '.']],
  ['floors', ['node', 'tools/floors.ts']],
  ['dead code', ['knip', '--no-progress']],
  ['format and lint', ['biome', 'ci', '--error-on-warnings', '--colors=off', '.']],
  ['tidy', ['node', 'tools/tidy.ts']],
]);

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !gates.has(name));
if (unknown.length > 0) {
  console.error(`expected one of ${[...gates.keys()].join(', ')}; found ${unknown.join(', ')}`);
  process.exit(2);
}
const waiting = asked.length > 0 ? asked : [...gates.keys()];
await Promise.all(Array.from({ length: availableParallelism() }, work));

async function work(): Promise<void> {
  for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
    const start = performance.now();
    const { code, output } = await run(gates.get(name) ?? []);
    const seconds = ((performance.now() - start) / 1000).toFixed(1).padStart(5);
    console.log(`${code === 0 ? 'ok    ' : 'FAILED'} ${name.padEnd(16)} ${seconds} s`);
    if (code === 0) continue;
    console.log(output);
    process.exitCode = 1;
  }
}

async function run([command = '', ...args]: readonly string[]): Promise<{ code: number; output: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ code: number; output: string }>();
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  const keep = (chunk: Buffer): void => {
    output += chunk;
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  child.on('error', reject);
  child.on('close', (code) => resolve({ code: code ?? 1, output }));
  return promise;
}
