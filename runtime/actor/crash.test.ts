/** Power is lost at every event that a run records, before and after the write: the end is the same, and no effect twice. */

import { describe, expect, test } from 'vitest';
import { messageOf } from '../core/errors.ts';
import { seededRandom } from '../core/simulation.ts';
import { add, Counter, type CounterState, counter, hold, pay } from './agents.fixture.ts';
import type { AgentNode } from './node.ts';
import { refTo } from './ref.ts';
import { type CrashRun, crashAfter, crashPointName, crashPoints, repeatable, TestNode } from './test-kit.ts';
import { provide } from './tool.ts';

const one = refTo(Counter, 'one');
const two = refTo(Counter, 'two');

function world(seed = 1) {
  const paid: string[] = [];
  const kit = new TestNode({
    seed,
    implementations: [counter],
    tools: [
      provide(add, ({ a, b }) => a + b),
      provide(pay, ({ cents }, { key }) => {
        paid.push(key);
        return `receipt ${cents}`;
      }),
      provide(hold, { run: ({ cents }) => `hold ${cents}`, probe: () => 'absent' }),
    ],
  });
  return { kit, paid };
}

/** What the operator does: say everything that was not accepted before, however often the power fails. */
const script: readonly ((node: AgentNode) => Promise<unknown>)[] = [
  (node) => node.spawn(Counter, 'one'),
  (node) => node.spawn(Counter, 'two'),
  (node) => node.tell(one).sum({ n: 4 }),
  (node) => node.tell(one).pay({ cents: 5 }),
  (node) => node.tell(one).say({ to: 'two', n: 7 }),
  (node) => node.tell(one).remind({ after: 1_000, n: 100 }),
  (node) => node.tell(two).nap({ ms: 2_000 }),
];

async function run(kit: TestNode): Promise<void> {
  for (const [n, step] of script.entries()) {
    for (;;) {
      const node = kit.isOpen ? kit.node : await kit.open();
      const before = kit.accepted;
      const done = await Promise.race([
        step(node).then(
          () => true,
          () => false,
        ),
        node.ended.then(() => false),
      ]);
      if (done && !kit.hasFailed) break;
      await kit.crash();
      await kit.open();
      if (n >= 2 && kit.accepted > before) break; // the reply was lost, not the message
    }
  }
  for (let n = 0; n < 12; n++) {
    await kit.settle();
    if (kit.hasFailed) {
      await kit.crash();
      await kit.open();
    }
    await kit.advance('1s');
  }
}

function outcome(kit: TestNode, paid: readonly string[]) {
  const [first, second] = [kit.stateOf(one), kit.stateOf(two)] as [CounterState, CounterState];
  return { one: first.count, two: second.count, repeated: paid.length - new Set(paid).size };
}

const FILE = 'runtime/actor/crash.test.ts';
const END = { one: 8 + 1 + 7 + 100, two: 7 + 11, repeated: 0 };

const whole: CrashRun<ReturnType<typeof world>, unknown> = {
  file: FILE,
  make: () => world(),
  run: ({ kit }) => run(kit),
  end: ({ kit, paid }) => outcome(kit, paid),
};
const points = await crashPoints(whole);

describe('a loss of power', () => {
  test('is tried at every event of a run of some length', () => {
    expect(points.length).toBeGreaterThan(40);
  });

  test.each(points.map((point) => [crashPointName(point), point] as const))(
    '%s changes neither the end nor the number of effects',
    async (_name, at) => {
      const end: typeof whole.end = ({ kit, paid }) => {
        expect(outcome(kit, paid)).toEqual(END);
        return END;
      };

      expect(await crashAfter({ ...whole, end, at })).toBe(1);
    },
  );

  test.each(Array.from({ length: 60 }, (_, n) => `seed ${n},`))(
    'however often, %s loses no accepted message and repeats no payment',
    async (seed) => {
      const random = seededRandom(seed);
      const fault = random.below(2) === 0 ? 'lost' : 'reply_lost';
      const gaps = Array.from({ length: 1 + random.below(6) }, () => 1 + random.below(60));
      const { kit, paid } = world();
      let index = 0;
      for (const gap of gaps) {
        index += gap;
        kit.crashAt({ index, fault });
      }

      await repeatable(FILE, seed, async () => {
        await run(kit);
        expect(outcome(kit, paid)).toEqual(END);
      });
      await kit.crash();
    },
  );
});

describe('a failing point', () => {
  /** Whose end tells how often it was opened: no two ends are alike. */
  const broken = { ...whole, end: ({ kit }: ReturnType<typeof world>) => kit.lives };

  test('names the command that runs it alone, and that command picks one test', async () => {
    const failed = await crashAfter(broken).catch((error: unknown) => error);

    expect(failed).toMatchObject({ code: 'test.differs' });
    const [, file, pattern = ''] = /npm test -- (\S+) -t "([^"]+)"$/.exec(messageOf(failed)) ?? [];
    expect(file).toBe(FILE);
    expect(points.map(crashPointName).filter((name) => new RegExp(pattern).test(name))).toEqual([
      crashPointName({ index: 0, fault: 'lost' }),
    ]);
  });

  test('of a world that has no file names the option that runs it alone', async () => {
    const { file: _file, ...nameless } = broken;

    await expect(crashAfter(nameless)).rejects.toThrow(
      "to run it alone: give crashAfter `at: { index: 0, fault: 'lost' }`",
    );
  });

  test('that throws before its end is named as well', async () => {
    const end = ({ kit }: ReturnType<typeof world>) => {
      if (kit.lives > 1) throw new Error('no end');
      return END;
    };

    await expect(crashAfter({ ...whole, end })).rejects.toThrow(
      /no end\nto run it alone: npm test -- .* -t "at event 0, lost,"$/,
    );
  });

  test('names no other: every point has a name that only it matches', () => {
    const names = points.map(crashPointName);

    for (const name of names) expect(names.filter((other) => new RegExp(name).test(other))).toEqual([name]);
  });

  test('of a seed names the command too, and keeps the error as its cause', async () => {
    const cause = new Error('odd');

    const failed = repeatable(FILE, 'seed 7,', () => Promise.reject(cause));

    const message = `odd\nto run it alone: npm test -- ${FILE} -t "seed 7,"`;
    await expect(failed).rejects.toMatchObject({ code: 'test.failed', cause, message });
  });
});
