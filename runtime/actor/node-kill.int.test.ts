/**
 * A whole node, with a real log, real hosts and effects on disk, killed at random moments and started again. The moments
 * repeat with the seed only roughly: the line after which it is killed does, what the machine does meanwhile does not.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, test, vi } from 'vitest';
import { seededRandom } from '../core/simulation.ts';
import type { EventLog } from '../log/event-log.ts';
import { type ScratchLog, scratchLog } from '../log/scratch-log.fixture.ts';
import { emittedBy } from './agent-stream.ts';
import { payloadOf } from './vocabulary.ts';

const ROUNDS = Number(process.env['KILL_ROUNDS'] ?? 12);
const SEED = process.env['KILL_SEED'] ?? 'node';
const AGENTS = ['from/0', 'from/1'];

type Line = { readonly what: string; readonly rest: string };

/** One life of the node: what it said until `mustEnd` had enough, or until it ended by itself. */
async function live(task: object, mustEnd: (lines: readonly Line[]) => boolean) {
  const fixture = fileURLToPath(import.meta.resolve('./doomed-node.fixture.ts'));
  const child: ChildProcess = spawn(process.execPath, ['--conditions=source', fixture, JSON.stringify(task)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines: Line[] = [];
  const ended = new Promise<string>(
    (resolve) => void child.once('close', (code, signal) => resolve(signal ?? `code ${code}`)),
  );
  if (child.stdout !== null) {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const [, what = '', rest = ''] = /^(\w+) ?(.*)$/.exec(line) ?? [];
      lines.push({ what, rest });
      if (mustEnd(lines)) child.kill('SIGKILL');
    });
  }
  return { end: await ended, lines };
}

function said(lines: readonly Line[], what: string): readonly string[] {
  return lines.filter((line) => line.what === what).map(({ rest }) => rest);
}

/** Whether a process runs; one that has ended and was not yet waited for does not. */
function isRunning(pid: string): boolean {
  if (!existsSync(`/proc/${pid}/stat`)) return false;
  return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
}

/** The keys of actions whose end is on record. */
function settledIn(log: EventLog): ReadonlySet<string> {
  const settled = [...log.read(0)].filter(({ type }) => type === 'action.settled');
  return new Set(settled.map((record) => (payloadOf(record, log) as { readonly key: string }).key));
}

/** The numbers that arrived from an agent, in the order of their arrival. */
function takenFrom(log: EventLog, agent: string): readonly number[] {
  const facts = emittedBy(log, 'taker').map(({ data }) => data as { readonly from: string; readonly n: number });
  return facts.filter(({ from }) => from === agent).map(({ n }) => n);
}

async function read<T>(scratch: ScratchLog, look: (log: EventLog) => T): Promise<T> {
  await using log = await scratch.read();
  return look(log);
}

test(`a node killed ${ROUNDS} times forgets nothing and repeats nothing (KILL_SEED=${SEED})`, async () => {
  await using scratch = await scratchLog();
  const { directory, anchors, path } = scratch;
  const effects = join(path, 'effects');
  writeFileSync(effects, '');
  const random = seededRandom(SEED);
  const acknowledged = new Map<string, number[]>(AGENTS.map((agent) => [agent, []]));
  let inDoubt = 0;
  for (let life = 0; life <= ROUNDS; life++) {
    const isLast = life === ROUNDS;
    const settled = life === 0 ? new Set<string>() : await read(scratch, settledIn);
    const linesMax = 1 + random.below(60);
    const task = {
      directory,
      anchors,
      effects,
      life,
      first: life * 10_000,
      count: isLast ? 20 : 10_000,
      agents: AGENTS,
    };
    const { end, lines } = await live(
      task,
      (all) => !isLast && all.length >= linesMax && (life % 2 === 0 || all.at(-1)?.what === 'did'),
    );

    expect(end).toBe(isLast ? 'code 0' : 'SIGKILL');
    for (const line of said(lines, 'ack')) {
      const [agent = '', n] = line.split(' ');
      acknowledged.get(agent)?.push(Number(n));
    }
    const done = readFileSync(effects, 'utf8')
      .split('\n')
      .filter((line) => line.startsWith(`${life} `));
    expect(done.filter((line) => settled.has(line.split(' ')[2] ?? ''))).toEqual([]); // no settled effect is repeated
    if (!isLast)
      inDoubt += new Set(done.map((line) => line.split(' ')[2])).difference(await read(scratch, settledIn)).size;
    await vi.waitFor(() => expect(said(lines, 'host').filter(isRunning)).toEqual([]), {
      timeout: 30_000,
      interval: 50,
    });
  }

  const counted = readFileSync(effects, 'utf8')
    .split('\n')
    .filter((line) => line.includes(' mark '))
    .map((line) => line.split(' ')[2]);
  expect(counted.length).toBe(new Set(counted).size); // what must not be repeated was done once at most, in doubt or not
  await using log = await scratch.read();
  for (const agent of AGENTS) {
    const taken = takenFrom(log, agent);
    expect(taken).toEqual([...new Set(taken)].toSorted((a, b) => a - b)); // each once, in the order of its sender
    expect(acknowledged.get(agent)?.filter((n) => !taken.includes(n))).toEqual([]); // nothing accepted is lost
  }
  expect([...log.read(0)].filter(({ type }) => type === 'message.dead_lettered')).toEqual([]);
  expect(inDoubt).toBeGreaterThan(0); // every other life ends right after an effect
  const all = [...acknowledged.values()].flat().length;
  console.log(
    `kill: ${ROUNDS} nodes, ${log.size} events, ${all} messages acknowledged, ${inDoubt} effects in doubt at a kill`,
  );
});
