import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { z } from 'zod';
import type { JsonValue } from '../codec/json.ts';
import { add, Counter, counter, hold, pay } from './agents.fixture.ts';
import { TestNode } from './test-kit.ts';
import { provide } from './tool.ts';
import { AGENT_EVENTS, AGENT_UPCASTS, type AgentEventType } from './vocabulary.ts';

/** One sample of every version of every type, as it was first recorded. Old logs hold these for ever: never edit one. */
const golden = JSON.parse(readFileSync(new URL('golden/agent-events.json', import.meta.url), 'utf8')) as {
  readonly [type: string]: { readonly [version: string]: JsonValue };
};

const names = Object.keys(AGENT_EVENTS) as AgentEventType[];

const newestOf = (type: AgentEventType): z.ZodType => {
  const versions = Object.values<z.ZodType>(AGENT_EVENTS[type]);
  return versions.at(-1) as z.ZodType;
};

describe('the vocabulary', () => {
  test.each(names)('%s has a golden sample of every version, which its schema accepts as it is', (type) => {
    for (const [version, schema] of Object.entries(AGENT_EVENTS[type])) {
      expect(schema.parse(golden[type]?.[version])).toEqual(golden[type]?.[version]);
    }
  });

  test.each(names)('%s is brought from every old version to the newest one', (type) => {
    const steps = AGENT_UPCASTS[type];
    expect(Object.keys(AGENT_EVENTS[type])).toEqual([...steps, 0].map((_, n) => String(n + 1)));
    for (const [n, version] of Object.keys(AGENT_EVENTS[type]).entries()) {
      const sample = golden[type]?.[version] as JsonValue;
      const newest = steps.slice(n).reduce((older, step) => step(older), sample);
      expect(newestOf(type).parse(newest)).toEqual(newest);
    }
  });

  test('holds everything that a node records about agents', async () => {
    await using kit = new TestNode({
      implementations: [counter],
      tools: [
        provide(add, ({ a, b }) => a + b),
        provide(pay, () => 'paid'),
        provide(hold, { run: () => 'held', probe: () => 'absent' }),
      ],
    });
    const node = await kit.open();
    const one = await node.spawn(Counter, 'one');
    await node.spawn(Counter, 'two');
    await node.ask(one).watch({ name: 'two' });
    await node.ask(one).say({ to: 'two', n: 1 });
    await node.ask(one).repeat({ every: 1_000 });
    await kit.advance('1s');
    await node.ask(one).quiet({});
    await node.ask(one).wrong({ how: 'throw' });
    for (const { message } of node.deadLetters()) await node.retry(message);
    const napping = node.ask(one).nap({ ms: 10 });
    await kit.until('it parked', () => kit.count('turn.parked') === 1);
    await kit.advance('1s');
    await napping;
    await node.suspend('one', 'an operator looks into it');
    await node.resume('one');
    await node.ask(one).leave({});
    await kit.until('it left', () => kit.count('agent.exited') === 1);
    await kit.advance('1s');
    await node.stop('two');
    await kit.settle();

    const seen = new Set<string>();
    for (const { type, payload } of kit.events) {
      if (type.startsWith('action.')) continue;
      seen.add(type);
      expect({ type, parsed: newestOf(type as AgentEventType).parse(payload) }).toEqual({
        type,
        parsed: payload,
      });
    }
    expect(names.filter((type) => !seen.has(type))).toEqual(['turn.stuck', 'host.exited']);
  });
});
