import fc from 'fast-check';
import { expect, test } from 'vitest';
import { streamOf, viewOf } from './agent-stream.ts';
import { AgentView, type Fact, type ViewData } from './agent-view.ts';
import { add, Counter, counter, hold, pay } from './agents.fixture.ts';
import { refTo } from './ref.ts';
import { TestNode } from './test-kit.ts';
import { provide } from './tool.ts';
import { payloadOf } from './vocabulary.ts';

type Step = (kit: TestNode) => Promise<unknown>;

const one = refTo(Counter, 'one');
const steps: readonly Step[] = [
  (kit) => kit.node.tell(one).add({ n: 1 }),
  (kit) => kit.node.tell(one).sum({ n: 2 }),
  (kit) => kit.node.tell(one).pay({ cents: 3 }),
  (kit) => kit.node.tell(one).say({ to: 'two', n: 4 }),
  (kit) => kit.node.tell(one).remind({ after: 500, n: 5 }),
  (kit) => kit.node.tell(one).nap({ ms: 700 }),
  (kit) => kit.node.tell(one).wrong({ how: 'throw' }),
  (kit) => kit.node.signal('one', 'paid', { by: 'ann' }),
  (kit) => kit.advance(400),
  async (kit) => {
    await kit.crash();
    await kit.open();
  },
];

/** Plain data, so that two views can be compared. */
function seen({
  version,
  emitted,
  inbox,
  signals,
  turns,
  outbox,
  timers,
  watches,
  incidents,
  started,
  exited,
}: AgentView) {
  const maps = { inbox, signals, turns, outbox, timers, watches };
  const listed = Object.fromEntries(Object.entries(maps).map(([name, map]) => [name, [...map]]));
  return { version, emitted, ...listed, incidents, started, exited };
}

test('V0: over any history, folding prefixes, keeping each as a snapshot, and then the rest gives what folding all at once gives', async () => {
  const property = fc.asyncProperty(
    fc.array(fc.nat(steps.length - 1), { maxLength: 14 }),
    fc.array(fc.nat(200), { minLength: 1, maxLength: 4 }),
    async (history, cuts) => {
      const kit = new TestNode({
        implementations: [counter],
        tools: [
          provide(add, ({ a, b }) => a + b),
          provide(pay, () => 'paid'),
          provide(hold, { run: () => 'held', probe: () => 'absent' }),
        ],
      });
      await using _kit = kit;
      await kit.open();
      await kit.node.spawn(Counter, 'one');
      for (const n of history) await steps[n]?.(kit);
      await kit.settle();
      const facts = [...kit.log.readStream(streamOf('one'))].map(
        (record): Fact => ({ ...record, payload: payloadOf(record, kit.log) }),
      );
      let view = new AgentView();
      for (const cut of [...cuts, facts.length]) {
        for (const fact of facts.slice(view.version + 1, cut)) view.apply(fact);
        view = AgentView.fromData(JSON.parse(JSON.stringify(view.toData())) as ViewData); // kept, and found again
      }

      expect(seen(view)).toEqual(seen(viewOf(kit.log, 'one')));
    },
  );
  await expect(fc.assert(property, { numRuns: 60 })).resolves.toBeUndefined();
});

test('V1: over any history, what was accepted is answered, dead-lettered or still in the inbox', async () => {
  const property = fc.asyncProperty(fc.array(fc.nat(steps.length - 1), { maxLength: 14 }), async (history) => {
    const kit = new TestNode({
      implementations: [counter],
      tools: [provide(add, ({ a, b }) => a + b), provide(pay, () => 'paid')],
    });
    await using _kit = kit;
    await kit.open();
    await kit.node.spawn(Counter, 'one');
    for (const n of history) await steps[n]?.(kit);
    await kit.settle();
    const of = (type: string) =>
      kit.events.flatMap(({ type: found, payload }) =>
        found === type ? [payload as { turn?: string; message?: string; kind?: string }] : [],
      );
    const accepted = of('message.accepted').filter(({ kind }) => kind !== 'signal');
    const committed = of('turn.committed').map(({ turn }) => turn);
    const dead = of('message.dead_lettered').map(({ message }) => message);
    const open = [...viewOf(kit.log, 'one').inbox.keys()];

    expect([...committed, ...dead, ...open].sort()).toEqual(accepted.map(({ message }) => message).sort());
  });
  await expect(fc.assert(property, { numRuns: 60 })).resolves.toBeUndefined();
});
