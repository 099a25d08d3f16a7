/** What a host may try that has broken out of its author's code, and what honest code may do by mistake: the node stands. */
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { JsonValue } from '../codec/json.ts';
import { eventIdOf } from '../kernel/event-id.ts';
import type { Gate } from '../kernel/gate.ts';
import { contract } from './contract.ts';
import { parseFromHost } from './from-host.ts';
import { type Hosts, inlineHosts } from './hosts.ts';
import { implement } from './implement.ts';
import type { Entry, FromHost, ToHost } from './protocol.ts';
import { refTo } from './ref.ts';
import { TestNode } from './test-kit.ts';
import { provide, tool } from './tool.ts';

const fetch = tool('big.fetch', {
  in: z.object({ bytes: z.int(), padding: z.string() }),
  out: z.string(),
  effect: 'pure',
});
const Victim = contract('victim', {
  messages: { take: { in: z.object({ n: z.int() }) }, total: { in: z.object({}), out: z.int() } },
  events: { Taken: z.object({ n: z.int() }) },
});
const Decoy = contract('decoy', { messages: { take: { in: z.object({ n: z.int() }) } } });
const Liar = contract('liar', {
  messages: {
    go: { in: z.any(), out: z.any(), within: '1h' },
    throws: { in: z.object({ text: z.string() }), out: z.string() },
    emits: { in: z.object({ length: z.int() }), out: z.string() },
    fetches: { in: z.object({ bytes: z.int(), padding: z.int() }), out: z.string() },
    disguises: { in: z.object({}), out: z.string() },
  },
  events: { Said: z.string() },
  uses: { fetch },
});

const victim = implement(Victim, {
  state: () => 0,
  evolve: { Taken: (sum, { n }) => sum + n },
  on: { take: ({ n }, ctx) => ctx.emit('Taken', { n }), total: (_, ctx) => ctx.state() },
});
const liar = implement(Liar, {
  state: () => 0,
  evolve: { Said: (n) => n },
  on: {
    go: () => null,
    throws({ text }) {
      if (text.startsWith('!')) throw new Error(text);
      return String(JSON.parse(text));
    },
    emits({ length }, ctx) {
      ctx.emit('Said', '\u0001'.repeat(length));
      return 'said';
    },
    fetches: async ({ bytes, padding }, ctx) => (await ctx.use.fetch({ bytes, padding: 'x'.repeat(padding) })).type,
    async disguises(_, ctx) {
      const told = await ctx.tell(refTo(Decoy, 'victim')).take({ n: 1_000 });
      return told.type;
    },
  },
});

type Enter = ToHost & { readonly type: 'enter' };

/** A host of liars that answers `go` as it is told, through the checks of a child process; other hosts are honest. */
function lyingHosts(lie: (enter: Enter, said: ToHost) => readonly unknown[]): Hosts {
  const honest = inlineHosts([victim, liar]);
  let started = 0;
  return {
    start(profile, listener) {
      if (profile.contract !== 'liar') return honest.start(profile, listener);
      let isOver = false;
      const end = (exit: { code: string; message: string }) => {
        if (isOver) return;
        isOver = true;
        queueMicrotask(() => listener.exited(exit));
      };
      const enters = new Map<string, Enter>();
      return {
        id: `lying ${++started}`,
        kill: end,
        send(said) {
          if (said.type === 'enter') enters.set(said.turn, said);
          const enter = 'turn' in said ? enters.get(said.turn) : undefined;
          if (enter === undefined) return;
          for (const message of lie(enter, said)) {
            queueMicrotask(() => {
              if (isOver) return;
              const parsed = parseFromHost(JSON.parse(JSON.stringify(message)));
              if (parsed.ok) listener.heard(parsed.value);
              else end(parsed.error);
            });
          }
        },
      };
    },
  };
}

async function world(options: { readonly lie?: Parameters<typeof lyingHosts>[0]; readonly policy?: Gate } = {}) {
  const { lie, policy = { check: () => ({ verdict: 'allow' }) } } = options;
  const kit = new TestNode({
    implementations: [liar, victim],
    tools: [provide(fetch, ({ bytes }) => 'y'.repeat(bytes))],
    gates: { policy },
    ...(lie === undefined ? {} : { hosts: lyingHosts(lie) }),
  });
  await kit.open();
  await kit.node.spawn(Victim, 'victim');
  await kit.node.spawn(Liar, 'liar');
  const outcome = async <T>(asked: Promise<T>): Promise<T> => {
    let isOver = false;
    void asked.finally(() => {
      isOver = true;
    });
    await kit.until('an answer', () => isOver);
    return asked;
  };
  /** The node still takes messages and turns. */
  const isWell = async (): Promise<void> => {
    expect(await outcome(kit.node.ask(refTo(Victim, 'victim')).total({}))).toMatchObject({ type: 'ok' });
  };
  return { kit, outcome, isWell, [Symbol.asyncDispose]: () => kit[Symbol.asyncDispose]() };
}

const done = (turn: string, entries: readonly unknown[] = [], value: unknown = null) => ({
  type: 'done',
  turn,
  reply: { type: 'ok', value },
  state: 's',
  segment: { entries, total: entries.length, digest: '' },
});
const tell = (message: string, input: JsonValue): Entry => ({
  ...{ type: 'tell', message, agent: 'victim', contract: 'victim', name: 'take', input, retryForMs: 60_000 },
});

/** Says all of it at once, in its turn. */
const says = (messages: (enter: Enter) => readonly unknown[]) => (enter: Enter, said: ToHost) =>
  said.type === 'enter' ? messages(enter) : [];
const begins = (operation: unknown) =>
  says(({ turn }) => [{ type: 'operation', turn, ordinal: 0, operation } as FromHost]);
const ends = (...entries: readonly unknown[]) => says(({ turn }) => [done(turn, entries)]);

const deep = (levels: number): JsonValue => (levels === 0 ? 1 : [deep(levels - 1)]);
const arm = { type: 'arm', timer: 't', delayMs: 1, everyMs: null, message: 'take', input: {} };
const spawn = { verb: 'spawn', agent: 'child', contract: 'victim' };
const options = { restart: 'permanent', stop_within_ms: 1, supervise: {} };

describe('a host that lies', () => {
  test.each<[string, Parameters<typeof lyingHosts>[0]]>([
    ['a text that is not well-formed', begins({ verb: 'use', tool: 'big.fetch', input: '\ud800', under: null })],
    ['what is nested too deeply', begins({ verb: 'use', tool: 'big.fetch', input: deep(64), under: null })],
    ['an approval that is no event', begins({ verb: 'use', tool: 'big.fetch', input: 1, under: 'yes' })],
    ['an agent by no name', begins({ ...spawn, agent: 'NO NAME', options })],
    ['a child without a parent', begins({ ...spawn, options: { ...options, parent: null } })],
    ['a child that nobody can supervise', begins({ ...spawn, options: { ...options, supervise: { restarts: 'x' } } })],
    ['a child without options', begins({ ...spawn, options: null })],
    [
      'a contract with a message in it',
      begins({ verb: 'tell', agent: 'victim', contract: 'victim.take@x', message: 'take', input: {}, retryForMs: 1 }),
    ],
    ['a timer without a pause', ends({ ...arm, everyMs: 0 })],
    ['a timer at no time', ends({ ...arm, delayMs: 1e300 })],
    ['a timer at half a millisecond', ends({ ...arm, delayMs: 0.5 })],
    ['a message of no id', ends(tell('mine', { n: 1 }))],
    ['a message of another turn', ends(tell('0190a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2b', { n: 1 }))],
  ])('says %s: its turn fails, and the node goes on, now and after a restart', async (_, lie) => {
    await using here = await world({ lie });
    const { kit } = here;
    const asked = kit.node.ask(refTo(Liar, 'liar')).go({});
    void asked.catch(() => undefined);
    await kit.advance('10s');
    await here.isWell();
    expect(kit.count('turn.failed')).toBeGreaterThan(0);

    await kit.crash();
    await kit.open();
    await kit.advance('10s');
    await here.isWell();
    expect(kit.events.filter(({ type }) => type === 'timer.fired' || type === 'message.sent')).toEqual([]);
  });

  test('cannot send something else than what was allowed', async () => {
    const allowed = { n: 1 };
    const policy: Gate = {
      check: ({ action }) =>
        action.verb === 'tell' && JSON.stringify(action.input) !== JSON.stringify(allowed)
          ? { verdict: 'deny', code: 'policy.denied', message: 'not so much' }
          : { verdict: 'allow' },
    };
    const lie = ({ turn }: Enter, said: ToHost) => {
      const operation = { verb: 'tell', agent: 'victim', contract: 'victim', message: 'take', retryForMs: 60_000 };
      if (said.type === 'enter')
        return [{ type: 'operation', turn, ordinal: 0, operation: { ...operation, input: allowed } }];
      return said.type === 'settle' ? [done(turn, [tell(eventIdOf(turn, 'message', 0), { n: 1_000 })])] : [];
    };
    await using here = await world({ lie, policy });
    await here.outcome(here.kit.node.ask(refTo(Liar, 'liar')).go({}));
    await here.kit.advance('1s');

    expect(await here.outcome(here.kit.node.ask(refTo(Victim, 'victim')).total({}))).toMatchObject({ value: 0 });
    const [sent] = [...here.kit.log.read()].filter(({ type }) => type === 'message.sent');
    expect(sent?.decision).toMatchObject({ verdict: 'deny', code: 'policy.denied' });
  });
});

describe('an author’s mistake', () => {
  test.each([
    ['an error that quotes half a character', 'throws', { text: '😀' }, { type: 'failed', code: 'turn.threw' }],
    [
      'a long error that is cut in the middle of one',
      'throws',
      { text: `!${'x'.repeat(1_998)}😀` },
      { type: 'failed' },
    ],
    ['a fact that is too large', 'emits', { length: 3_000_000 }, { type: 'failed', code: 'turn.too_large' }],
    [
      'an input that is too large',
      'fetches',
      { bytes: 1, padding: 17_000_000 },
      { type: 'failed', code: 'turn.too_large' },
    ],
    ['a result that is too large', 'fetches', { bytes: 17_000_000, padding: 1 }, { type: 'ok', value: 'invalid' }],
    ['a message that is nested too deeply', 'go', deep(64), { type: 'invalid', code: 'message.not_data' }],
  ] as const)('%s is a coded result, and the node goes on', async (_, name, input, expected) => {
    await using here = await world();
    const ask = here.kit.node.ask(refTo(Liar, 'liar')) as Record<string, (input: unknown) => Promise<unknown>>;
    expect(await here.outcome(ask[name]?.(input) ?? Promise.reject(new Error('no such message')))).toMatchObject(
      expected,
    );
    await here.isWell();
  });

  test('an agent that is addressed by another contract gets nothing: what was decided was not about it', async () => {
    await using here = await world();
    await here.outcome(here.kit.node.ask(refTo(Liar, 'liar')).disguises({}));
    await here.kit.advance('1s');

    expect(await here.outcome(here.kit.node.ask(refTo(Victim, 'victim')).total({}))).toMatchObject({ value: 0 });
    expect(here.kit.node.deadLetters()).toMatchObject([{ agent: 'victim', code: 'message.other_contract' }]);
  });
});
