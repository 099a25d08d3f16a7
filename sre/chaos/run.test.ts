import { describe, expect, test } from 'vitest';
import { CodedError } from '../../runtime/core/errors.ts';
import { unwrap } from '../../runtime/core/result.ts';
import { ManualClock } from '../../runtime/core/simulation.ts';
import { parseExperiment } from './experiment.ts';
import { type Journal, verdictOf } from './journal.ts';
import { type Phase, type Ports, run } from './run.ts';

/** What programs do in this world, by their path: exit with a status, fail to start, or end only when told to. */
type Acts = { readonly [path: string]: number | readonly number[] | 'absent' | 'endless' };

const on = (log: string) => ({ type: 'mesh', log }) as const;
const program = (path: string, more: object = {}) => ({ type: 'process', path, ...more });
const action = (name: string, provider: object, more: object = {}) => ({ type: 'action', name, provider, ...more });
const probe = (name: string, path: string, more: object = {}) => ({
  ...{ type: 'probe', name, provider: program(path), tolerance: 0 },
  ...more,
});
const well = { title: 'all is well', probes: [probe('well', 'well')] };
const kill = action('kill', { ...on('b'), action: 'kill_node' });
const killLater = action(
  'kill later',
  { ...on('b'), action: 'kill_node', when: { event: 'e', count: 2, within: 10 } },
  { background: true },
);
const undo = action('undo', program('undo'));

class World implements Ports {
  readonly clock = new ManualClock();
  readonly told: Ports['told'];
  readonly nodes: Ports['nodes'];
  /** Everything that was done, in order. */
  readonly done: string[] = [];
  /** Called with each of it, before it happens. */
  readonly #onDone: (what: string) => void;
  readonly #acts: Acts;
  readonly #times = new Map<string, number>();
  readonly #moment = Promise.withResolvers<void>();

  constructor(acts: Acts = {}, onDone: (what: string, world: World) => void = () => undefined) {
    this.#acts = acts;
    this.#onDone = (what) => onDone(what, this);
    this.told = () => undefined;
    const node = (what: string) => async (log: string) => {
      this.#do(`${what} ${log}`);
      if (acts[`${what} ${log}`] === 'absent') throw new CodedError('chaos.no_node', 'expected a node');
      return { pid: 7 };
    };
    this.nodes = {
      kill: node('kill'),
      stop: node('stop'),
      resume: node('resume'),
      seen: ({ log, event, count }, signal) => {
        this.#do(`await ${count} of ${event} in ${log}`);
        return Promise.race([this.#moment.promise, aborted(signal)]);
      },
    };
  }

  /** The events that a fault waits for are in the log. */
  moment(): void {
    this.#moment.resolve();
  }

  execute: Ports['execute'] = async ({ path }, signal) => {
    this.#do(path);
    const act = this.#acts[path] ?? 0;
    if (act === 'absent') throw new CodedError('chaos.no_program', `expected a program ${path}`);
    if (act === 'endless') return aborted(signal);
    const time = this.#times.get(path) ?? 0;
    this.#times.set(path, time + 1);
    return { status: typeof act === 'number' ? act : (act[time] ?? 0), stdout: '', stderr: '' };
  };

  #do(what: string): void {
    this.done.push(what);
    this.#onDone(what);
  }
}

async function aborted(signal: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  if (signal.aborted) reject(signal.reason);
  signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  return promise;
}

type Expected = { readonly verdict: ReturnType<typeof verdictOf>; readonly done: readonly string[] };

type Parts = {
  readonly method: readonly object[];
  readonly rollbacks?: readonly object[];
  readonly hypothesis?: object;
};

function experimentOf({ method, rollbacks = [], hypothesis = well }: Parts) {
  const value = {
    ...{ title: 'a', description: 'b', method, rollbacks },
    'steady-state-hypothesis': hypothesis,
  } as never;
  const source = {
    value,
    fault: (code: string, message: string, { path }: { path: unknown }) => ({ code, message, path }),
  };
  return unwrap(parseExperiment(source, {}), 'an experiment');
}

async function journalOf(parts: Parts, world: World, signal = new AbortController().signal): Promise<Journal> {
  return run(experimentOf(parts), world, signal);
}

describe('a run', () => {
  test('looks before and after, and once more after rollbacks', async () => {
    const world = new World();
    const journal = await journalOf({ method: [kill], rollbacks: [undo] }, world);

    expect(world.done).toEqual(['well', 'kill b', 'well', 'undo', 'well']);
    expect(journal).toMatchObject({
      status: 'completed',
      deviated: false,
      steady_states: {
        before: { steady_state_met: true },
        after: { steady_state_met: true },
        after_rollbacks: { steady_state_met: true },
      },
      run: [{ activity: kill, status: 'succeeded', output: { pid: 7 } }],
      rollbacks: [{ activity: undo, status: 'succeeded', output: { status: 0 } }],
      faults: [{ name: 'kill', fired: true }],
      start: '2023-11-14T22:13:20.000Z',
      duration: 0,
    });
  });

  test.each<[string, Acts, Parts, Expected]>([
    ['all is well', {}, { method: [kill] }, { verdict: 'completed', done: ['well', 'kill b', 'well'] }],
    [
      'R1: nothing was well before',
      { well: 1 },
      { method: [kill], rollbacks: [undo] },
      { verdict: 'aborted', done: ['well'] },
    ],
    ['R1: the probe itself is missing', { well: 'absent' }, { method: [kill] }, { verdict: 'aborted', done: ['well'] }],
    [
      'it is not well afterwards',
      { well: [0, 1] },
      { method: [kill] },
      { verdict: 'deviated', done: ['well', 'kill b', 'well'] },
    ],
    [
      'rollbacks mend what has deviated, which it has all the same',
      { well: [0, 1, 0] },
      { method: [kill], rollbacks: [undo] },
      { verdict: 'deviated', done: ['well', 'kill b', 'well', 'undo', 'well'] },
    ],
    [
      'rollbacks break what was well',
      { well: [0, 0, 1] },
      { method: [kill], rollbacks: [undo] },
      { verdict: 'deviated', done: ['well', 'kill b', 'well', 'undo', 'well'] },
    ],
    [
      'R5: a probe of the method is not tolerated, and the method goes on',
      { look: 1 },
      { method: [probe('look', 'look'), kill] },
      { verdict: 'deviated', done: ['well', 'look', 'kill b', 'well'] },
    ],
    [
      'a probe that tolerates everything',
      { look: 1 },
      { method: [{ ...probe('look', 'look'), tolerance: undefined }, kill] },
      { verdict: 'completed', done: ['well', 'look', 'kill b', 'well'] },
    ],
    [
      'R2, R5: an action fails, the rest is not done, the rollbacks are',
      { act: 1 },
      { method: [action('act', program('act')), kill], rollbacks: [undo] },
      { verdict: 'failed', done: ['well', 'act', 'well', 'undo', 'well'] },
    ],
    [
      'R3: there is no node to hit',
      { 'kill b': 'absent' },
      { method: [kill, probe('look', 'look')] },
      { verdict: 'failed', done: ['well', 'kill b', 'well'] },
    ],
    [
      'R2: a rollback fails, and the next is run',
      { undo: 'absent' },
      { method: [kill], rollbacks: [undo, action('again', program('again'))] },
      { verdict: 'failed', done: ['well', 'kill b', 'well', 'undo', 'again', 'well'] },
    ],
    [
      'what was stopped goes on',
      {},
      {
        method: [action('stop', { ...on('b'), action: 'stop_node', expires: 5 })],
        rollbacks: [action('go on', { ...on('b'), action: 'resume_node' })],
      },
      { verdict: 'completed', done: ['well', 'stop b', 'well', 'resume b', 'well'] },
    ],
  ])('%s', async (_, acts, parts, { verdict, done }) => {
    const world = new World(acts);
    const journal = await journalOf(parts, world);

    expect(verdictOf(journal)).toBe(verdict);
    expect(world.done).toEqual(done);
  });
});

describe('a fault with a moment', () => {
  test('waits beside the steps that follow it, and strikes', async () => {
    const world = new World({}, (what, { moment }) => {
      if (what === 'work') moment.call(world);
    });
    const journal = await journalOf(
      { method: [killLater, action('work', program('work')), probe('look', 'look')] },
      world,
    );

    expect(world.done.slice(0, 3)).toEqual(['well', 'await 2 of e in b', 'work']);
    expect(world.done).toContain('kill b');
    expect(journal).toMatchObject({ status: 'completed', faults: [{ name: 'kill later', fired: true }] });
  });

  test('R3, R4: is disarmed with the method, and a run in which it did not fire has failed', async () => {
    const world = new World();
    const journal = await journalOf({ method: [killLater, action('work', program('work'))] }, world);

    expect(world.done).toEqual(['well', 'await 2 of e in b', 'work', 'well']);
    expect(journal).toMatchObject({
      status: 'failed',
      deviated: false,
      run: [{ exception: [expect.stringContaining('chaos.not_fired')] }, { status: 'succeeded' }],
      faults: [{ name: 'kill later', fired: false }],
    });
  });

  test('gives up when its time is over', async () => {
    const world = new World({}, (what, { clock }) => {
      if (what.startsWith('await')) queueMicrotask(() => clock.advance(10_000));
    });
    const journal = await journalOf({ method: [{ ...killLater, background: false }, probe('look', 'look')] }, world);

    expect(world.done).toEqual(['well', 'await 2 of e in b', 'well']);
    expect(journal).toMatchObject({ status: 'failed', run: [{ exception: [expect.stringContaining('within 10 s')] }] });
  });

  test('R4: waits for programs in the background, and no longer', async () => {
    const world = new World();
    const work = action('work', program('work'), { background: true });
    const journal = await journalOf({ method: [work, killLater] }, world);

    expect(journal.run).toMatchObject([{ status: 'succeeded' }, { status: 'failed' }]);
  });
});

describe('time', () => {
  test('a program that does not end in time is told to, and has failed', async () => {
    const world = new World({ work: 'endless' }, (what, { clock }) => {
      if (what === 'work') queueMicrotask(() => clock.advance(5_000));
    });
    const journal = await journalOf(
      { method: [action('work', program('work', { timeout: 5 }))], rollbacks: [undo] },
      world,
    );

    expect(journal).toMatchObject({
      status: 'failed',
      run: [{ status: 'failed', duration: 5, exception: [expect.stringContaining('chaos.timeout')] }],
      rollbacks: [{ status: 'succeeded' }],
    });
  });

  test('pauses are kept before and after', async () => {
    const world = new World();
    const paused = action('work', program('work'), { pauses: { before: 2, after: 3 } });
    const running = journalOf({ method: [paused] }, world);
    const seen: string[][] = [];
    for (const seconds of [1, 1, 3]) {
      await settled();
      seen.push([...world.done]);
      world.clock.advance(seconds * 1_000);
    }
    const journal = await running;

    expect(seen).toEqual([['well'], ['well'], ['well', 'work']]);
    expect(journal.run).toMatchObject([{ duration: 5 }]);
  });
});

describe('an interrupt', () => {
  test.each<[string, string, readonly string[]]>([
    ['before the method leaves nothing to roll back', 'well', ['well']],
    ['R2: in the method is followed by the rollbacks, and by nothing else', 'work', ['well', 'work', 'undo']],
  ])('%s', async (_, at, done) => {
    const interrupt = new AbortController();
    const world = new World({ work: 'endless' }, (what) => {
      if (what === at) queueMicrotask(() => interrupt.abort(new Error('SIGINT')));
    });
    const parts = { method: [killLater, action('work', program('work'))], rollbacks: [undo] };
    const journal = await journalOf(parts, world, interrupt.signal);

    expect(journal).toMatchObject({ status: 'interrupted', deviated: false });
    expect(world.done.filter((what) => !what.startsWith('await'))).toEqual(done);
  });
});

describe('what is told', () => {
  test('each step is told when it begins and when it has ended', async () => {
    const told: [Phase, string, string | undefined][] = [];
    const world = new World();
    const ports = {
      ...{ clock: world.clock, execute: world.execute, nodes: world.nodes },
      told: (...[phase, name, result]: Parameters<Ports['told']>) => void told.push([phase, name, result?.status]),
    };
    await run(experimentOf({ method: [kill] }), ports, new AbortController().signal);

    expect(told).toEqual([
      ['before', 'well', undefined],
      ['before', 'well', 'succeeded'],
      ['method', 'kill', undefined],
      ['method', 'kill', 'succeeded'],
      ['after', 'well', undefined],
      ['after', 'well', 'succeeded'],
    ]);
  });
});

/** Everything that is ready has run. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await null;
}
