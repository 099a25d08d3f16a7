/** The agents of an audit, with tools of a test. */
import { CodedError, type ProvidedTool, provide } from 'ringmesh/runtime';
import { crashAfter, TestNode } from 'ringmesh/runtime/testing';
import { describe, expect, test } from 'vitest';
import {
  COORDINATOR,
  Coordinator,
  fetchFacts,
  REPORTER,
  Reporter,
  Researcher,
  readLock,
  researcherName,
} from './contracts.ts';
import { coordinator } from './coordinator.ts';
import { auditPolicy } from './policy.fixture.ts';
import { type AuditProgress, followLog } from './progress.ts';
import { reporter } from './reporter.ts';
import { researcher } from './researcher.ts';
import { factsOf, World } from './world.fixture.ts';

function nodeOver(world: World): TestNode {
  return new TestNode({
    implementations: [coordinator, researcher, reporter],
    tools: world.tools,
    gates: auditPolicy(),
  });
}

type Staff = { readonly researchers: number; readonly there: number };

function progressOf(test: TestNode): AuditProgress | undefined {
  return followLog(test.log).progress;
}

/** The coordinator's answer; `undefined` where the power went first. Of the researchers that are asked, some are there. */
async function begin(test: TestNode, { researchers, there }: Staff = { researchers: 2, there: 2 }) {
  const node = await test.open();
  const seen = progressOf(test);
  await node.spawn(Reporter, REPORTER);
  for (let n = 1; n <= there; n += 1) await node.spawn(Researcher, researcherName(n));
  const ref = await node.spawn(Coordinator, COORDINATOR);
  const unfinished = seen === undefined || seen.end?.isComplete === true ? {} : { seen: seen.audit };
  const asked = node.ask(ref).begin({ researchers, ...unfinished });
  let begun: Awaited<typeof asked> | undefined;
  void asked.then(
    (answer) => {
      begun = answer;
    },
    () => undefined, // the power went, which `until` sees
  );
  await until(test, () => begun !== undefined);
  return begun;
}

/** Whether it came true before the power went. */
async function until(test: TestNode, isTrue: () => boolean): Promise<boolean> {
  let isOver = false;
  void test.node.ended.then(() => {
    isOver = true;
  });
  for (let ticks = 0; ticks < 100_000; ticks += 1) {
    if (isTrue()) return true;
    if (isOver) return false;
    await test.settle(1);
  }
  throw new Error('expected an end, and it never came');
}

/** Begins, or goes on, until the audit has ended; a power cut in between is followed by another run. */
async function audit(test: TestNode): Promise<AuditProgress> {
  for (let lives = 0; lives < 5; lives += 1) {
    const begun = await begin(test).catch((error: unknown) => error);
    const progress = progressOf(test);
    const hasEnded = begun !== undefined && (await until(test, () => progressOf(test)?.end !== undefined));
    await test.settle();
    await test.crash();
    if (hasEnded && progress !== undefined) return lastOf(test);
  }
  throw new Error('expected an audit to end within five lives');
}

/** As the log has it, read by a node that does nothing else. */
async function lastOf(test: TestNode): Promise<AuditProgress> {
  await test.open();
  const progress = progressOf(test);
  if (progress === undefined) throw new Error('expected an audit');
  return progress;
}

describe('the agents of an audit', () => {
  test('every package is asked about once, judged and reported', async () => {
    const world = new World(11);
    await using test = nodeOver(world);
    const { end } = await audit(test);

    expect(end).toEqual({ isComplete: true, written: { type: 'written', files: ['report.json', 'report.md'] } });
    expect(world.asked.toSorted()).toEqual(world.names);
    expect(world.report().summary).toMatchObject({ audited: 11, missing: 0, findings: { low: 11 } });
  });

  test('a lock with nothing in it is an audit, too', async () => {
    const world = new World(0);
    await using test = nodeOver(world);

    expect((await audit(test)).end).toMatchObject({ isComplete: true });
    expect(world.report().packages).toEqual([]);
  });

  test('work is shared: no researcher has more than one batch out', async () => {
    const world = new World(30);
    await using test = nodeOver(world);
    await audit(test);
    const shared = emitted(test, 'Shared');

    expect(new Set(shared.map(({ researcher: who }) => who)).size).toBe(2);
    expect(shared.every(({ names }) => names.length <= 4)).toBe(true);
  });

  test('a lock of more names than one page of results is reported whole', async () => {
    const world = new World(101);
    await using test = nodeOver(world);
    await audit(test);

    expect(world.report().packages).toHaveLength(101);
  });

  test('C4: what failed is named, and only that is fetched when the audit goes on', async () => {
    const world = new World(9);
    world.failing.add('p03');
    await using test = nodeOver(world);
    const first = await audit(test);
    const missing = world.report().missing;
    world.failing.clear();
    world.asked.length = 0;
    await test.crash();
    const second = await audit(test);

    expect(first.end?.isComplete).toBe(false);
    expect(missing).toEqual([{ name: 'p03', code: 'registry.unreachable', message: 'no answer' }]);
    expect(second).toMatchObject({ audit: first.audit, end: { isComplete: true } });
    expect(world.asked).toEqual(['p03']);
    expect(world.report().isComplete).toBe(true);
  });

  test('a report that cannot be written leaves the audit unfinished, and is all that is done again', async () => {
    const world = new World(3);
    world.writeFails = true;
    await using test = nodeOver(world);
    const first = await audit(test);
    world.writeFails = false;
    await test.crash();
    const second = await audit(test);

    expect(first.end).toEqual({
      isComplete: false,
      written: { type: 'unwritten', failure: { code: 'file.not_plain', message: 'a link' } },
    });
    expect(second).toMatchObject({ audit: first.audit, end: { isComplete: true } });
    expect(world.asked).toHaveLength(3);
  });

  test('a finished audit is followed by another, unless the caller knew it as unfinished', async () => {
    const world = new World(2);
    await using test = nodeOver(world);
    const { audit: first } = await audit(test);
    const ref = { contract: Coordinator, agent: COORDINATOR } as Parameters<
      typeof test.node.ask<typeof Coordinator.spec>
    >[0];
    const answers: unknown[] = [];
    void test.node
      .ask(ref)
      .begin({ researchers: 1, seen: first })
      .then((answer) => answers.push(answer));
    await until(test, () => answers.length === 1);
    void test.node
      .ask(ref)
      .begin({ researchers: 1 })
      .then((answer) => answers.push(answer));
    await until(test, () => answers.length === 2);

    expect(answers).toMatchObject([{ value: { audit: first, isNew: false } }, { value: { isNew: true } }]);
  });

  test('another lock ends an unfinished audit', async () => {
    const world = new World(5);
    world.failing.add('p01');
    await using test = nodeOver(world);
    const first = await audit(test);
    world.names = world.names.slice(2);
    await test.crash();

    expect((await audit(test)).audit).not.toBe(first.audit);
    expect(world.report().packages).toHaveLength(3);
  });

  test('a lock that cannot be read is an answer, and no audit', async () => {
    const world = new World(1);
    const tools = [
      provide(readLock, () => {
        throw new CodedError('lock.malformed', 'no lock');
      }),
      ...world.tools.slice(1),
    ];
    await using test = new TestNode({
      implementations: [coordinator, researcher, reporter],
      tools,
      gates: auditPolicy(),
    });

    expect(await begin(test)).toMatchObject({ type: 'failed', code: 'lock.malformed' });
    expect(progressOf(test)).toBeUndefined();
  });

  test('C3: a researcher that never answers is given up, and its packages are named', async () => {
    const world = new World(6);
    const stuck = provide(fetchFacts, ({ name, versions }) =>
      name === 'p00'
        ? new Promise<never>(() => undefined)
        : ({ type: 'facts', facts: factsOf(name, versions) } as const),
    );
    const tools = world.tools.map((one) => (one.tool === fetchFacts ? stuck : one)) as readonly ProvidedTool[];
    await using test = new TestNode({
      implementations: [coordinator, researcher, reporter],
      tools,
      gates: auditPolicy(),
    });
    await begin(test);
    for (let n = 0; n < 40 && progressOf(test)?.end === undefined; n += 1) await test.advance('30s');

    expect(progressOf(test)?.end?.isComplete).toBe(false);
    expect(world.report().missing.map(({ name }) => name)).toContain('p00');
  });
});

describe('researchers that nobody hosts', () => {
  test('hold nobody up, and one that comes in the middle gets work', async () => {
    const world = new World(30);
    await using test = nodeOver(world);
    await begin(test, { researchers: 16, there: 1 });
    await until(test, () => (progressOf(test)?.results.size ?? 0) > 4);
    await test.node.spawn(Researcher, researcherName(7));
    await test.advance('1s'); // whoever is not there is asked again
    await until(test, () => progressOf(test)?.end !== undefined);

    expect(progressOf(test)?.end?.isComplete).toBe(true);
    expect(world.asked.toSorted()).toEqual(world.names);
    expect(staffOf(test)).toContain(researcherName(1));
    expect(staffOf(test)).not.toContain(researcherName(2));
  });

  test('C0: with nobody there the audit waits, and whoever comes first does all of it', async () => {
    const world = new World(9);
    await using test = nodeOver(world);
    await begin(test, { researchers: 4, there: 0 });
    await test.advance('2m');
    const before = progressOf(test)?.results.size;
    await test.node.spawn(Researcher, researcherName(3));
    await test.advance('1m');
    await until(test, () => progressOf(test)?.end !== undefined);

    expect(before).toBe(0);
    expect(staffOf(test)).toEqual([researcherName(3)]);
    expect(progressOf(test)?.end?.isComplete).toBe(true);
  });

  test('C0: with nobody there for ten ticks it ends, and says so of every package', async () => {
    const world = new World(3);
    await using test = nodeOver(world);
    await begin(test, { researchers: 4, there: 0 });
    for (let n = 0; n < 14 && progressOf(test)?.end === undefined; n += 1) await test.advance('30s');
    await until(test, () => progressOf(test)?.end !== undefined);

    expect(progressOf(test)?.end?.isComplete).toBe(false);
    expect(world.report().missing.map(({ code }) => code)).toEqual(Array(3).fill('audit.unstaffed'));
  });

  test('one that has gone for good has its batch taken over', async () => {
    const world = new World(12);
    const stuck = provide(fetchFacts, ({ name, versions }) =>
      name === 'p00'
        ? new Promise<never>(() => undefined)
        : ({ type: 'facts', facts: factsOf(name, versions) } as const),
    );
    const tools = world.tools.map((one) => (one.tool === fetchFacts ? stuck : one)) as readonly ProvidedTool[];
    const implementations = [coordinator, researcher, reporter];
    await using test = new TestNode({ implementations, tools, gates: auditPolicy() });
    await begin(test);
    await until(test, () => (progressOf(test)?.results.size ?? 0) === 8);
    const [owner = ''] = ownersOf(test, 'p00');
    const stopping = test.node.stop(owner);
    await test.advance('10s'); // more than its turn may take to come to an end
    await stopping;
    await until(test, () => ownersOf(test, 'p00').length === 2);

    expect(ownersOf(test, 'p00')[1]).not.toBe(owner);
  });
});

describe('a loss of power', () => {
  test('at any event, before or after the write, changes neither the report nor what is settled', async () => {
    const runs = await crashAfter({
      make: () => {
        const world = new World(6);
        world.failing.add('p04');
        return { kit: nodeOver(world), world };
      },
      run: async ({ kit }) => {
        await audit(kit);
      },
      end: ({ kit, world }) => ({
        report: world.report(),
        twice: settledTwice(kit),
        hasAskedMoreThanTwice: world.names.some((name) => world.asked.filter((asked) => asked === name).length > 2),
      }),
    });

    expect(runs).toBeGreaterThan(100);
  });
});

/** Packages that the log has two outcomes for. */
function settledTwice(test: TestNode): readonly string[] {
  const names = test.events.flatMap(({ type, payload }) => {
    const { outcome } = payload as { outcome?: { value?: { facts?: { name: string } } } };
    return type === 'action.settled' && outcome?.value?.facts !== undefined ? [outcome.value.facts.name] : [];
  });
  return names.filter((name, n) => names.indexOf(name) !== n);
}

/** Facts of the coordinator. */
function emitted(
  test: TestNode,
  fact: string,
): readonly { readonly researcher: string; readonly names: readonly string[] }[] {
  return test.events.flatMap(({ type, payload }) => {
    const { name, data } = payload as { name: string; data: { researcher: string; names: readonly string[] } };
    return type === 'agent.emitted' && name === fact ? [data] : [];
  });
}

/** Who answered, in that order. */
function staffOf(test: TestNode): readonly string[] {
  return emitted(test, 'Staffed').map((one) => one.researcher);
}

/** Who had a package, one after the other. */
function ownersOf(test: TestNode, name: string): readonly string[] {
  return emitted(test, 'Shared').flatMap((one) => (one.names.includes(name) ? [one.researcher] : []));
}
