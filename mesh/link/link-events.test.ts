import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { JsonValue } from '../../runtime/codec/json.ts';
import { Enemy } from './enemy.fixture.ts';
import { aPair, LinkNode } from './link.fixture.ts';
import { LINK_EVENT_TYPES } from './link-events.ts';

/** One sample of every version of every type, as it was first recorded. Old logs hold these for ever: never edit one. */
const golden = JSON.parse(readFileSync(new URL('golden/link-events.json', import.meta.url), 'utf8')) as {
  readonly [type: string]: { readonly 1: JsonValue };
};

/** The names of all members, at all depths; those of counts are codes. */
function shapeOf(value: JsonValue): JsonValue {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return typeof value;
  const members = Object.entries(value).filter(([name]) => name !== 'counts');
  return Object.fromEntries(members.map(([name, member]) => [name, shapeOf(member)]));
}

test('every type has a golden sample, and what is recorded has its form', async () => {
  const { net, a, b } = await aPair('vocabulary');
  const enemy = new Enemy(net);
  await new LinkNode(net, 'c', { desk: () => ({ type: 'ok', value: 1 }) }).start();
  await net.outcome(a.ask('desk', 'quote', 1));
  await enemy.meet(a);
  for (let n = 0; n < 20; n++) enemy.say(a, { kind: 'ask', claims: {} });
  enemy.head = { ...enemy.head, root: enemy.head.origin };
  enemy.say(a, { kind: 'ask', claims: {} });
  await net.pass(2_000);
  await b.stop();
  await net.pass(100);

  for (const type of LINK_EVENT_TYPES) {
    const [first] = a.recorded(type);
    expect([type, shapeOf(first ?? null)]).toEqual([type, shapeOf(golden[type]?.[1] ?? 'none')]);
  }
  expect(Object.keys(golden)).toEqual(LINK_EVENT_TYPES);
});
