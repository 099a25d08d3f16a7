/** One trace over two nodes: real logs, a real broker, and a double of the tracer. */
import { expect, test } from 'vitest';
import { refTo } from '../../runtime/actor/ref.ts';
import type { EventLog } from '../../runtime/log/event-log.ts';
import { Clerk, RealmOfTest, recorded, until } from '../realm/mesh-node.fixture.ts';
import { Emitter } from './emitter.ts';
import { type Exported, memoryTracer } from './memory-tracer.fixture.ts';
import { SpanFold } from './spans.ts';

function exportedFrom(...logs: readonly EventLog[]): readonly Exported[] {
  const emitter = new Emitter();
  const { api, exported } = memoryTracer(emitter.ids);
  emitter.attach(api, '0');
  for (const log of logs) {
    const fold = new SpanFold();
    for (const record of log.read()) for (const span of fold.take(record, log)) emitter.emit(span);
  }
  return exported;
}

/** From a span up to the root of its trace. */
function pathOf(span: Exported | undefined, all: readonly Exported[]): readonly string[] {
  if (span === undefined) return [];
  const parent = all.find(({ traceId, spanId }) => traceId === span.traceId && spanId === span.parentId);
  expect(span.parentId === undefined || parent !== undefined).toBe(true);
  return [span.name, ...pathOf(parent, all)];
}

test('an ask between two nodes is one trace, from the logs of both; the same again whoever folds them (S1, S2, S3)', async () => {
  await using realm = await RealmOfTest.open(['ann', 'bob'], process.env['PATH']);
  const [ann, bob] = [await realm.start('ann'), await realm.start('bob')];
  const answer = await ann.node.agents.ask(refTo(Clerk, 'clerk/ann')).ask({ to: 'clerk/bob', n: 2 });
  expect(answer).toMatchObject({ type: 'ok', value: 4 });
  const acted = (log: EventLog): boolean => recorded(log, 'turn.committed').length === 1;
  await until('both turns to be on record', () => acted(ann.log) && acted(bob.log));

  const spans = exportedFrom(ann.log, bob.log);

  expect(new Set(spans.map(({ traceId }) => traceId)).size).toBe(1);
  expect(new Set(spans.map(({ spanId }) => spanId)).size).toBe(5);
  expect(
    pathOf(
      spans.find(({ name }) => name === 'invoke_agent clerk/bob'),
      spans,
    ),
  ).toEqual([
    'invoke_agent clerk/bob',
    'receive double',
    'ask clerk.double@clerk/bob',
    'invoke_agent clerk/ann',
    'receive ask',
  ]);
  for (const { traceId, spanId } of spans) {
    expect(`00-${traceId}-${spanId}-01`).toMatch(/^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-01$/);
  }
  expect(exportedFrom(ann.log, bob.log)).toEqual(spans);
});

test('a tell begins a trace of its own, which the turn that sent it is linked to', async () => {
  await using realm = await RealmOfTest.open(['ann', 'bob'], process.env['PATH']);
  const [ann, bob] = [await realm.start('ann'), await realm.start('bob')];
  await ann.node.agents.tell(refTo(Clerk, 'clerk/ann')).pass({ to: 'clerk/bob', n: 7 });
  const isOver = (): boolean =>
    recorded(ann.log, 'message.delivered').length === 1 && recorded(bob.log, 'turn.committed').length === 1;
  await until('the tell to be delivered', isOver);

  const spans = exportedFrom(ann.log, bob.log);

  const taken = spans.find(({ name }) => name === 'invoke_agent clerk/bob');
  expect(pathOf(taken, spans).slice(0, 3)).toEqual(['invoke_agent clerk/bob', 'receive put', 'send put']);
  for (const { attributes } of spans) {
    for (const [name, value] of Object.entries(attributes)) {
      expect(name).toMatch(/^(gen_ai|ringmesh|messaging)\./);
      expect(typeof value).toMatch(/^(string|number|boolean)$/); // no payload (S4)
    }
  }
});
