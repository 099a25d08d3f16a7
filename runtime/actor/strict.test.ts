import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { contract } from './contract.ts';
import { implement } from './implement.ts';
import { installStrictMode, inTurn, outOfTurn } from './strict.ts';
import { TestNode } from './test-kit.ts';

installStrictMode();

type Construct = new (...args: readonly unknown[]) => unknown;
type Read = { readonly path: readonly string[]; readonly how: 'call' | 'new'; readonly args?: readonly unknown[] };

/** What is found at a path of globals; `undefined` where this Node has none. */
function globalAt(path: readonly string[]): unknown {
  return path.reduce<unknown>((owner, key) => owner && Reflect.get(owner, key), globalThis);
}

function read({ path, how, args = [] }: Read): unknown {
  const found = globalAt(path);
  if (how === 'new') return new (found as Construct)(...args);
  return Reflect.apply(found as () => unknown, globalAt(path.slice(0, -1)), args);
}

/** Ambient time and chance, and what a turn is told to use instead. */
const ambient: readonly (readonly [string, Read, string])[] = [
  ['the date as text', { path: ['Date'], how: 'call' }, 'ctx.now'],
  ['a new date of now', { path: ['Date'], how: 'new' }, 'ctx.now'],
  ['the wall clock', { path: ['Date', 'now'], how: 'call' }, 'ctx.now'],
  ['the monotonic clock', { path: ['performance', 'now'], how: 'call' }, 'ctx.now'],
  ['chance', { path: ['Math', 'random'], how: 'call' }, 'ctx.random or ctx.id'],
  ['a random UUID', { path: ['crypto', 'randomUUID'], how: 'call' }, 'ctx.random or ctx.id'],
  [
    'random bytes',
    { path: ['crypto', 'getRandomValues'], how: 'call', args: [new Uint8Array(4)] },
    'ctx.random or ctx.id',
  ],
  ...['instant', 'plainDateISO', 'plainDateTimeISO', 'plainTimeISO', 'zonedDateTimeISO'].map(
    (name) => [`Temporal.Now.${name}`, { path: ['Temporal', 'Now', name], how: 'call' }, 'ctx.now'] as const,
  ),
];

const isPresent = ([, { path }]: (typeof ambient)[number]): boolean => globalAt(path) !== undefined;
const present = ambient.filter(isPresent);
const absent = ambient.filter((row) => !isPresent(row));

describe('strict mode', () => {
  test.each(present)('%s is refused inside a turn', (_name, how, instead) => {
    expect(() => inTurn('turn', () => read(how))).toThrow(
      expect.objectContaining({ code: 'turn.ambient', message: expect.stringContaining(`use ${instead},`) }),
    );
  });

  test.each(present)('%s works outside of turns, and on behalf of one', (_name, how) => {
    expect(read(how)).toBeDefined();
    expect(inTurn('turn', () => outOfTurn(() => read(how)))).toBeDefined();
  });

  if (absent.length > 0) {
    test.each(absent)('%s does not exist on this Node, in a turn or outside', (_name, { path }) => {
      expect(globalAt(path)).toBeUndefined();
      expect(inTurn('turn', () => globalAt(path))).toBeUndefined();
    });
  }

  test('a refusal holds after a turn has awaited something', async () => {
    const later = inTurn('turn', async () => {
      await Promise.resolve();
      return read({ path: ['Date', 'now'], how: 'call' });
    });

    await expect(later).rejects.toMatchObject({ code: 'turn.ambient' });
  });

  test('a date of a given time is data, and may be made inside a turn', () => {
    const made = inTurn('turn', () => read({ path: ['Date'], how: 'new', args: [0] }));

    expect((made as { toISOString(): string }).toISOString()).toBe('1970-01-01T00:00:00.000Z');
  });
});

describe('an agent', () => {
  const Reader = contract('reader', {
    messages: { read: { in: z.object({ row: z.int() }), out: z.object({ read: z.boolean() }) } },
    events: {},
  });
  const reader = implement(Reader, {
    state: () => ({}),
    evolve: {},
    on: {
      read({ row }) {
        const how = present[row]?.[1];
        return { read: how !== undefined && read(how) !== undefined };
      },
    },
  });

  test.each(present.map(([name], row) => [name, row] as const))(
    'whose turn reads %s fails it by a code',
    async (_, row) => {
      await using kit = new TestNode({ implementations: [reader] });
      const node = await kit.open();
      const ref = await node.spawn(Reader, 'one');

      const answer = await node.ask(ref).read({ row });

      expect(answer).toMatchObject({ type: 'failed', code: 'turn.ambient' });
    },
  );
});
