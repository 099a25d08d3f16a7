/** Following a log that is long already, and one that is closed under the follower. */
import { expect, test } from 'vitest';
import { parseEventType, parseStreamId } from '../../runtime/codec/record.ts';
import { unwrap } from '../../runtime/core/result.ts';
import { ManualClock, seededRandom } from '../../runtime/core/simulation.ts';
import { newEventId } from '../../runtime/kernel/event-id.ts';
import { MemoryWorld } from '../../runtime/log/memory-log.ts';
import { Emitter } from './emitter.ts';
import { SpanFollower } from './follower.ts';
import { memoryTracer } from './memory-tracer.fixture.ts';

const stream = unwrap(parseStreamId('agent/desk'), 'a stream');

async function office() {
  const random = seededRandom('follower');
  const clock = new ManualClock();
  const world = new MemoryWorld(random, 'test/follower/log/0');
  const { log } = await world.open(clock);
  const emitter = new Emitter();
  const { api, exported } = memoryTracer(emitter.ids);
  emitter.attach(api, '0');
  const append = async (type: string, value: object): Promise<void> => {
    const payload = { type: 'json', value: value as { readonly [name: string]: string | null } } as const;
    const event = {
      id: newEventId(clock, random),
      type: unwrap(parseEventType(type), 'a type'),
      actor: log.did,
      payload,
    };
    await log.append([{ stream, expected: 'any', events: [event] }]);
  };
  return {
    ...{ clock, log, emitter, reopen: async () => (await world.open(clock)).log },
    names: () => exported.map(({ name }) => name),
    /** Two records. */
    async turn(name: string, isWhole = true) {
      const message = newEventId(clock, random);
      await append('message.accepted', { message, kind: 'ask', name, from: null });
      const end = () => append('turn.committed', { turn: message, reply: { type: 'ok' } });
      if (isWhole) await end();
      return end;
    },
  };
}

test('of what a log had before, no more is read at once than a part, and only what had not ended is told', async () => {
  const { clock, log, emitter, names, turn } = await office();
  for (let n = 0; n < 1_500; n++) await turn('before');
  const end = await turn('between', false);

  using _ = new SpanFollower(log, { from: log.size, clock, emitter });
  await end();
  clock.advance(1);
  expect(names()).toEqual([]); // of 3,002 records it has seen 2,000
  clock.advance(1);
  expect(names()).toEqual(['invoke_agent desk', 'receive between']);
  await turn('after');
  clock.advance(250);
  expect(names().slice(2)).toEqual(['invoke_agent desk', 'receive after']);
});

test('a log that is closed meanwhile is read no more; the rest comes from another reader', async () => {
  const { clock, log, emitter, names, turn, reopen } = await office();
  using follower = new SpanFollower(log, { from: 0, clock, emitter });
  await turn('last');
  await log[Symbol.asyncDispose]();
  clock.advance(1_000);
  expect(names()).toEqual([]);
  await using reader = await reopen();
  follower.catchUp(reader);
  expect(names()).toEqual(['invoke_agent desk', 'receive last']);
});
