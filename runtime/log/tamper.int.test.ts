/**
 * The tamper matrix: a thousand random changes to a log, by record, by row of any table, and by page of the file. Each must
 * end in a problem with a place, or leave a log whose export is the same byte for byte.
 *
 * A failure prints its seed: `RINGMESH_TAMPER_SEED=records/17 npm run test:int -- runtime/log/tamper` does that one again.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { seededRandom } from '../core/simulation.ts';
import { fill, type TestDirectory, testDirectory } from './directory.fixture.ts';
import { type ExportAnswer, exportDigest } from './exporter.fixture.ts';
import type { Problem } from './findings.ts';
import type { LogReport } from './fsck.ts';
import { copyLog, type Mutation, mutate } from './tamper.fixture.ts';
import { VerifierProcess } from './verify-child.ts';

const SIZE = 410;
const ROUNDS = { records: 420, rows: 420, pages: 360 } as const;
type Kind = keyof typeof ROUNDS;

const asked = process.env['RINGMESH_TAMPER_SEED'];
const seeds = asked === undefined ? seedsOf(ROUNDS) : [asked];

function seedsOf(rounds: { readonly [K in Kind]: number }): readonly string[] {
  return (Object.keys(rounds) as Kind[]).flatMap((kind) =>
    Array.from({ length: rounds[kind] }, (_, n) => `${kind}/${n}`),
  );
}

let at: TestDirectory;
let other: TestDirectory;
let exported: string;

beforeAll(async () => {
  [at, other] = [await testDirectory('tampered'), await testDirectory('other')];
  for (const log of [await at.open(), await other.open()]) {
    await fill(log, 0, SIZE);
    await log[Symbol.asyncDispose]();
  }
  exported = await exportDigest({ directory: at.directory, out: join(at.path, 'sound') });
}, 60_000);

afterAll(() => {
  at[Symbol.dispose]();
  other[Symbol.dispose]();
});

type Judge = (directory: string) => Promise<LogReport>;

/** What became of one change: how it was found, or that it made no difference, or that it went unnoticed. */
type Outcome = { readonly seed: string; readonly what: string; readonly how: string; readonly missed?: string };

async function attack(seed: string, judge: Judge, exporter: Exporter): Promise<Outcome> {
  const directory = join(at.path, seed.replace('/', '-'));
  copyLog(at.directory, directory);
  try {
    const random = seededRandom(seed);
    const scene = { directory, other: other.directory, random };
    const mutation = await mutate(seed.slice(0, seed.indexOf('/')) as Kind, scene);
    const { problems } = await judge(directory);
    const [first] = problems;
    if (first !== undefined) return { seed, what: mutation.what, how: first.code, ...faultOf(mutation, problems) };
    const answer = await exporter.export(directory);
    const isSame = 'digest' in answer && answer.digest === exported;
    const missed = isSame
      ? {}
      : { missed: `no problem, and ${'failure' in answer ? answer.failure : 'another export'}` };
    return { seed, what: mutation.what, how: 'no difference', ...missed };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** A finding is worth as much as its place. */
function faultOf({ index }: Mutation, problems: readonly Problem[]): { readonly missed?: string } {
  const [first] = problems;
  if (problems.some(({ place }) => place === '')) return { missed: 'a problem without a place' };
  if (index === undefined) return {};
  const covers = (problem: Problem): boolean => {
    const { index: from = -1, end = from + 1 } = problem;
    return from <= index && index < end;
  };
  const isEarly = problems.some((problem) => (problem.end ?? (problem.index ?? index) + 1) <= index);
  if (problems.some(covers) && !isEarly) return {};
  return { missed: `expected record ${index} to be named first, found ${first?.place}: ${first?.message}` };
}

/** Two at a time, each with readers of its own. */
async function attackAll(
  all: readonly string[],
  judgeOf: (verifier: VerifierProcess) => Judge,
): Promise<readonly Outcome[]> {
  const waiting = [...all];
  const outcomes: Outcome[] = [];
  const work = async (): Promise<void> => {
    using verifier = new VerifierProcess();
    using exporter = new Exporter();
    const judge = judgeOf(verifier);
    for (let seed = waiting.shift(); seed !== undefined; seed = waiting.shift()) {
      outcomes.push(await attack(seed, judge, exporter));
    }
  };
  await Promise.all([work(), work()]);
  return outcomes;
}

const verified =
  (verifier: VerifierProcess): Judge =>
  (directory) =>
    verifier.verify(directory, { anchors: at.anchors, silenceMsMax: 5_000 });

const commandOf = ({ seed, what, missed }: Outcome): string =>
  `${what}: ${missed}\n  RINGMESH_TAMPER_SEED=${seed} npm run test:int -- runtime/log/tamper`;

describe('a log that was changed', () => {
  test('is found out, or exports what it exported before', async () => {
    const outcomes = await attackAll(seeds, verified);

    const missed = outcomes.filter((outcome) => outcome.missed !== undefined).map(commandOf);
    console.log(tally(outcomes));
    if (asked !== undefined) console.log(outcomes);
    expect(missed).toEqual([]);
    expect(outcomes).toHaveLength(seeds.length);
  });

  test('would go unnoticed by a verifier that skips a table', async () => {
    const skipping = (verifier: VerifierProcess): Judge => {
      const judge = verified(verifier);
      return async (directory) => {
        const report = await judge(directory);
        return { ...report, problems: report.problems.filter(({ code }) => !code.startsWith('log.bad_blob')) };
      };
    };

    const outcomes = await attackAll(seedsOf({ records: 0, rows: 120, pages: 0 }), skipping);

    expect(outcomes.filter(({ missed }) => missed !== undefined)).not.toEqual([]);
  });
});

function tally(outcomes: readonly Outcome[]): string {
  const counts = Object.entries(
    Object.groupBy(outcomes, ({ seed, how }) => `${seed.slice(0, seed.indexOf('/'))} ${how}`),
  );
  return counts
    .map(([how, some]) => `${String(some?.length).padStart(5)} ${how}`)
    .sort()
    .join('\n');
}

/** A child that exports, for as long as what it reads lets it live. */
class Exporter implements Disposable {
  #child: ChildProcess | undefined;

  async export(directory: string): Promise<ExportAnswer> {
    const entry = new URL('./exporter.fixture.ts', import.meta.url);
    const child = this.#child ?? fork(entry, { execArgv: [], stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
    this.#child = child;
    child.send({ directory, out: `${directory}-out` });
    const done = new AbortController();
    const signal = AbortSignal.any([AbortSignal.timeout(10_000), done.signal]);
    const ended = once(child, 'exit', { signal }).then(([code, name]) => ({
      failure: `the reader ended: ${name ?? code}`,
    }));
    const answered = once(child, 'message', { signal }).then(([answer]) => answer as ExportAnswer);
    try {
      const answer = await Promise.race([answered, ended]);
      if (child.exitCode !== null || child.signalCode !== null) this.#child = undefined;
      return answer;
    } catch (error) {
      this[Symbol.dispose]();
      return { failure: `the reader hung: ${String(error)}` };
    } finally {
      rmSync(`${directory}-out`, { recursive: true, force: true });
      done.abort();
      await Promise.allSettled([ended, answered]);
    }
  }

  [Symbol.dispose](): void {
    this.#child?.kill('SIGKILL');
    this.#child = undefined;
  }
}
