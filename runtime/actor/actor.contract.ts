/**
 * What an author may rely on, whichever host runs the code: the same tests inline and in child processes.
 * Long because it is one list of promises over one fixture.
 */
import { describe, expect, test } from 'vitest';
import { allowList } from '../kernel/allow-list.ts';
import { add, Counter, type CounterState, counter, hold, pay } from './agents.fixture.ts';
import type { Hosts } from './hosts.ts';
import { MAILBOX_MESSAGES_MAX } from './mailbox.ts';
import { refTo } from './ref.ts';
import { TestNode, type TestNodeOptions } from './test-kit.ts';
import { provide } from './tool.ts';

export type SuiteOptions = {
  readonly hosts: (() => Hosts) | undefined;
  /** Whether a host can be made to crash, hang and flood. */
  readonly isIsolated: boolean;
};

export function actorContract(name: string, { hosts, isIsolated }: SuiteOptions): void {
  const setup = async (options: Partial<TestNodeOptions> & { pay?: () => string; probe?: () => 'absent' } = {}) => {
    const calls: string[] = [];
    const tools = [
      provide(add, ({ a, b }, { key }) => {
        calls.push(`add ${key.split('/')[1]}`);
        return a + b;
      }),
      provide(pay, ({ cents }) => {
        calls.push(`pay ${cents}`);
        return options.pay?.() ?? `receipt ${cents}`;
      }),
      provide(hold, {
        run: ({ cents }) => {
          calls.push(`hold ${cents}`);
          return `hold ${cents}`;
        },
        probe: () => {
          calls.push('probe');
          return options.probe?.() ?? { happened: 'it was held' };
        },
      }),
    ];
    const { pay: _pay, probe: _probe, ...rest } = options;
    const hosted = hosts === undefined ? {} : { hosts: hosts() };
    const kit = new TestNode({ implementations: [counter], tools, ...hosted, ...rest });
    const node = await kit.open();
    const one = await node.spawn(Counter, 'one');
    return { kit, node, one, two: refTo(Counter, 'two'), calls, state: () => kit.stateOf(one) as CounterState };
  };

  describe(`${name}: a turn`, () => {
    test('answers, and its facts are its state', async () => {
      const { kit, node, one, state } = await setup();
      await using _kit = kit;

      expect(await node.ask(one).add({ n: 2 })).toMatchObject({ type: 'ok', value: { count: 2 } });
      expect(await node.ask(one).add({ n: 3 })).toMatchObject({ type: 'ok', value: { count: 5 } });
      expect(state().count).toBe(5);
    });

    test('N3: commits facts and answer in one append, after the acceptance', async () => {
      const { kit, node, one } = await setup();
      await using _kit = kit;

      await node.ask(one).add({ n: 2 });

      expect(kit.events.map(({ type }) => type)).toEqual([
        'agent.started',
        'message.accepted',
        'agent.emitted',
        'turn.committed',
      ]);
    });

    test('uses tools, each decided before and settled after', async () => {
      const { kit, node, one, calls } = await setup();
      await using _kit = kit;

      expect(await node.ask(one).sum({ n: 4 })).toMatchObject({ type: 'ok', value: { count: 8 } });
      expect(calls).toEqual(['add 0', 'add 1']);
      expect(kit.events.slice(2).map(({ type }) => type)).toEqual([
        'action.decided',
        'action.settled',
        'action.decided',
        'action.settled',
        'agent.emitted',
        'turn.committed',
      ]);
    });

    test('gets a denial as a value, and goes on', async () => {
      const { kit, node, one } = await setup({ gates: { policy: allowList({ '*': ['sum.*'] }) } });
      await using _kit = kit;

      expect(await node.ask(one).denied({})).toMatchObject({
        type: 'ok',
        value: { type: 'denied', code: 'policy.not_listed' },
      });
    });

    test.each([
      ['throw', 'failed', 'turn.threw'],
      ['nothing', 'failed', 'reply.invalid'],
      ['garbage', 'failed', 'reply.invalid'],
      ['ambient', 'failed', 'turn.ambient'],
      ['many', 'failed', 'turn.too_many_entries'],
    ])('that goes wrong by %s ends as %s with %s, commits nothing, and the agent goes on', async (how, type, code) => {
      const { kit, node, one } = await setup();
      await using _kit = kit;

      expect(await node.ask(one).wrong({ how })).toMatchObject({ type, code });
      expect(kit.count('turn.failed')).toBe(3);
      expect(kit.count('message.dead_lettered')).toBe(1);
      expect(await node.ask(one).get({})).toMatchObject({ type: 'ok', value: { count: 0 } });
    });

    test("hands the author's own no to the caller", async () => {
      const { kit, node, one } = await setup();
      await using _kit = kit;

      expect(await node.ask(one).wrong({ how: 'refuse' })).toMatchObject({ type: 'failed', code: 'counter.full' });
    });

    test('has time, chance, ids and its caller with it', async () => {
      const { kit, node, one } = await setup();
      await using _kit = kit;

      const first = await node.ask(one).times({});
      const second = await node.ask(one).times({});

      expect(first).toMatchObject({ type: 'ok', value: { now: kit.clock.now(), caller: '' } });
      expect(first.type === 'ok' && second.type === 'ok' && first.value.id !== second.value.id).toBe(true);
    });

    test('waits for several things at once, and hears of them in one order', async () => {
      const { kit, node, one } = await setup();
      await using _kit = kit;

      expect(await node.ask(one).race({})).toMatchObject({ type: 'ok', value: { winner: 1 } });
    });
  });

  describe(`${name}: a message`, () => {
    test.each([
      ['that no schema fits', { n: 'two' }, 'invalid', 'schema.mismatch'],
      ['of ten mebibytes', { n: 1, text: 'x'.repeat(10 * 1024 * 1024) }, 'invalid', 'message.too_large'],
      ['that is not data', { n: Number.NaN }, 'invalid', 'message.not_data'],
    ])('%s is refused with a code', async (_name, body, type, code) => {
      const { kit, node, one } = await setup();
      await using _kit = kit;

      expect(await node.ask(one).add(body as { n: number })).toMatchObject({ type, code });
      expect(await node.ask(one).add({ n: 1 })).toMatchObject({ type: 'ok' });
    });

    test('to nobody dies at once', async () => {
      const { kit, node, two } = await setup();
      await using _kit = kit;

      expect(await node.ask(two).get({})).toMatchObject({ type: 'died' });
    });

    test('that nobody answers in time is a timeout, and the late answer is on record', async () => {
      const { kit, node, one } = await setup();
      await using _kit = kit;

      const asked = node.ask(one).order({}, { within: '2s' });
      await kit.until('the turn parked', () => kit.count('turn.parked') === 1);
      await kit.advance('3s');
      expect(await asked).toEqual({ type: 'timeout', withinMs: 2_000 });
      await node.signal('one', 'paid', { by: 'ann' });
      await kit.until('the turn committed', () => kit.count('turn.committed') === 1);

      expect(kit.events.at(-1)?.payload).toMatchObject({ late: true });
    });

    test('of one sender is served in order', async () => {
      const { kit, node, one, state } = await setup();
      await using _kit = kit;

      await Promise.all(Array.from({ length: 20 }, (_, n) => node.tell(one).add({ n: n + 1 })));
      await kit.until('all committed', () => kit.count('turn.committed') === 20);

      const added = kit.events.filter(({ type }) => type === 'agent.emitted').map(({ payload }) => payload);
      expect(added).toMatchObject(Array.from({ length: 20 }, (_, n) => ({ data: { n: n + 1 } })));
      expect(state().count).toBe(210);
    });

    test('to a full mailbox is refused with the time to stay away', async () => {
      const { kit, node, one } = await setup();
      await using _kit = kit;

      const many = Array.from({ length: MAILBOX_MESSAGES_MAX + 50 }, () => node.tell(one).add({ n: 1 }));
      const answers = await Promise.all(many);

      const busy = answers.filter(({ type }) => type === 'busy');
      expect(busy.length).toBeGreaterThan(0);
      expect(busy[0]).toMatchObject({ retryAfterMs: expect.any(Number) });
      const accepted = answers.length - busy.length;
      await kit.until('the rest served', () => kit.count('turn.committed') === accepted);
    });

    test('told by a turn leaves with its commit and arrives once', async () => {
      const { kit, node, one, two } = await setup();
      await using _kit = kit;
      await node.spawn(Counter, 'two');

      await node.ask(one).say({ to: 'two', n: 7 });
      await kit.until('the other got it', () => kit.count('message.delivered') === 1);
      await kit.until('and counted', () => kit.count('turn.committed') === 2);

      expect(kit.stateOf(two)).toMatchObject({ count: 7 });
    });

    test('told to somebody who is not there yet is delivered later, or becomes a dead letter', async () => {
      const { kit, node, one, two } = await setup();
      await using _kit = kit;

      await node.ask(one).say({ to: 'two', n: 7 });
      await node.ask(one).say({ to: 'three', n: 7 });
      await kit.advance('1s');
      await node.spawn(Counter, 'two');
      await kit.advance('30s');
      await kit.until('two counted', () => kit.count('turn.committed') === 3);
      for (let n = 0; n < 25; n++) await kit.advance('30s');
      await kit.until('the other was given up', () => kit.count('message.delivered') === 2);

      expect(kit.stateOf(two)).toMatchObject({ count: 7 });
      const dead = kit.events.filter(({ payload }) => (payload as { type?: string }).type === 'dead');
      expect(dead).toMatchObject([{ payload: { code: 'message.undeliverable' } }]);
    });

    test('in a circle is refused at once, with the path', async () => {
      const { kit, node, one } = await setup();
      await using _kit = kit;
      await node.spawn(Counter, 'two');

      const answer = await node.ask(one).askOther({ to: 'two', via: 'one' });

      expect(JSON.stringify(answer)).toContain('one → two → one');
    });

    test('asked by a turn is answered through the kernel', async () => {
      const { kit, node, one, two } = await setup();
      await using _kit = kit;
      await node.spawn(Counter, 'two');
      await node.ask(two).add({ n: 3 });

      expect(await node.ask(one).askOther({ to: 'two', via: 'get' })).toMatchObject({
        value: { type: 'ok', text: '{"count":3}' },
      });
    });
  });

  describe(`${name}: time`, () => {
    test('a timer delivers its message, once', async () => {
      const { kit, node, one, state } = await setup();
      await using _kit = kit;

      await node.ask(one).remind({ after: 5_000, n: 4 });
      await kit.advance('4s');
      expect(state().count).toBe(0);
      await kit.advance('2s');
      await kit.until('it fired', () => kit.count('turn.committed') === 2);
      await kit.advance('1h');

      expect(state().count).toBe(4);
      expect(kit.count('timer.fired')).toBe(1);
    });

    test('a timer fires late after a crash, and says by how much', async () => {
      const { kit, node, one, state } = await setup();
      await using _kit = kit;

      await node.ask(one).remind({ after: 5_000, n: 4 });
      await kit.crash();
      kit.clock.advance(60_000);
      await kit.open();
      await kit.advance(0);
      await kit.until('it fired', () => kit.count('turn.committed') === 2);

      expect(state().count).toBe(4);
      expect(kit.events.find(({ type }) => type === 'timer.fired')?.payload).toMatchObject({ late_ms: 55_000 });
    });

    test('a period goes on until it is cancelled', async () => {
      const { kit, node, one, state } = await setup();
      await using _kit = kit;

      await node.ask(one).repeat({ every: 1_000 });
      for (let n = 1; n <= 3; n++) {
        await kit.advance('1s');
        await kit.until('a tick', () => state().count === n);
      }
      await node.ask(one).quiet({});
      await kit.advance('10s');

      expect(state().count).toBe(3);
    });

    test('a sleeping turn parks, the mailbox goes on, and it wakes where it was', async () => {
      const { kit, node, one, state } = await setup();
      await using _kit = kit;

      const napping = node.ask(one).nap({ ms: 60_000 });
      await kit.until('it parked', () => kit.count('turn.parked') === 1);
      expect(state().count).toBe(1);
      await node.ask(one).add({ n: 100 });
      await kit.advance('1m');

      expect(await napping).toMatchObject({ type: 'ok', value: { slept: 60_000, count: 111 } });
    });

    test('a sleeping turn wakes in another life of the node', async () => {
      const { kit, node, one, state } = await setup();
      await using _kit = kit;

      const napping = node.ask(one).nap({ ms: 60_000 });
      await kit.until('it parked', () => kit.count('turn.parked') === 1);
      await kit.crash();
      expect(await napping).toMatchObject({ type: 'died' });
      await (await kit.open()).ask(one).add({ n: 100 });
      await kit.advance('1m');
      await kit.until('it committed', () => kit.count('turn.committed') === 2);

      expect(state().count).toBe(111);
    });

    test('an event from outside ends a wait; without it, time does', async () => {
      const { kit, node, one } = await setup();
      await using _kit = kit;

      const first = node.ask(one).order({});
      await kit.until('it parked', () => kit.count('turn.parked') === 1);
      await node.signal('one', 'paid', { by: 'ann' });
      expect(await first).toMatchObject({ type: 'ok', value: { type: 'ok', by: 'ann' } });
      const second = node.ask(one).order({});
      await kit.until('it parked', () => kit.count('turn.parked') === 2);
      await kit.advance('2m');

      expect(await second).toMatchObject({ type: 'ok', value: { type: 'timeout' } });
    });

    test('an event that comes before its wait is kept', async () => {
      const { kit, node, one } = await setup();
      await using _kit = kit;

      await node.signal('one', 'paid', { by: 'eve' });

      expect(await node.ask(one).order({})).toMatchObject({ type: 'ok', value: { by: 'eve' } });
    });

    test('an idle agent is put away, and comes back by folding', async () => {
      const { kit, node, one } = await setup({ idleMs: 1_000 });
      await using _kit = kit;

      await node.ask(one).add({ n: 5 });
      await kit.advance('1s');
      await kit.advance('1s');
      expect(node.census).toMatchObject({ known: 1, awake: 0 });

      expect(await node.ask(one).add({ n: 1 })).toMatchObject({ value: { count: 6 } });
    });
  });

  describe(`${name}: a life`, () => {
    test('spawning is idempotent, and a child is its parent’s', async () => {
      const { kit, node, one } = await setup();
      await using _kit = kit;

      await node.ask(one).child({ name: 'one/kid' });
      await node.ask(one).child({ name: 'one/kid' });

      const started = kit.events.filter(({ type }) => type === 'agent.started');
      expect(started).toHaveLength(2);
      expect(started[1]?.payload).toMatchObject({ parent: 'one', instance: 1 });
    });

    test('attack: nobody is born under a name by which policies know the operator or a stranger', async () => {
      const { kit, node, one } = await setup();
      await using _kit = kit;

      expect(await node.ask(one).child({ name: 'guest/operator' })).toMatchObject({ value: { type: 'failed' } });
      await expect(node.spawn(Counter, 'guest/operator')).rejects.toThrow(/agent\.name_reserved/);

      expect(kit.events.filter(({ type }) => type === 'agent.started')).toHaveLength(1);
    });

    test('stopping an agent stops its children first and tells who watches', async () => {
      const { kit, node, one, two } = await setup();
      await using _kit = kit;
      await node.spawn(Counter, 'two');
      await node.ask(one).child({ name: 'one/kid' });
      await node.ask(two).watch({ name: 'one' });

      await node.stop('one');
      await kit.until('the watcher heard', () => (kit.stateOf(two) as CounterState).gone.length === 1);

      const exits = kit.events.filter(({ type }) => type === 'agent.exited').map(({ stream }) => stream);
      expect(exits).toEqual(['agent/one/kid', 'agent/one']);
      expect(kit.stateOf(two)).toMatchObject({ gone: ['one stopped'] });
      expect(await node.ask(one).get({})).toMatchObject({ type: 'died' });
    });

    test('watching somebody who is not there is answered at once', async () => {
      const { kit, node, one, state } = await setup();
      await using _kit = kit;

      await node.ask(one).watch({ name: 'nobody' });
      await kit.until('it heard', () => state().gone.length === 1);

      expect(state().gone).toEqual(['nobody unknown']);
    });

    test('a permanent agent that leaves comes back with its state; a transient one is gone', async () => {
      const { kit, node, one } = await setup();
      await using _kit = kit;
      const two = await node.spawn(Counter, 'two', { restart: 'transient' });
      await node.ask(one).add({ n: 5 });

      await node.ask(one).leave({});
      await node.ask(two).leave({});
      await kit.until('both left', () => kit.count('agent.exited') === 2);
      await kit.advance('1s');

      expect(await node.ask(one).get({})).toMatchObject({ type: 'ok', value: { count: 5 } });
      expect(await node.ask(two).get({})).toMatchObject({ type: 'died' });
    });
  });

  const host = isIsolated ? 'a host' : 'a host (skipped: inline, it is the very process that runs these tests)';
  describe.runIf(isIsolated)(`${name}: ${host}`, () => {
    test.each([
      ['exit', 'host.exited'],
      ['flood', 'host.flooded'],
    ])('that ends by %s is on record, the message is a dead letter, the agent goes on', async (how, code) => {
      const { kit, node, one } = await setup();
      await using _kit = kit;
      await node.ask(one).add({ n: 5 });

      let answer: unknown;
      const asked = node
        .ask(one)
        .wrong({ how }, { within: '1h' })
        .then((outcome) => {
          answer = outcome;
        });
      for (let n = 1; n <= 3; n++) {
        await kit.until('the supervisor decided', () => kit.count('supervisor.decided') === n);
        await kit.settle();
        await kit.advance('1s');
      }
      await asked;

      expect(answer).toMatchObject({ type: 'failed', code });
      expect(kit.count('host.exited')).toBe(3);
      await kit.advance('1m');
      expect(await node.ask(one).get({})).toMatchObject({ type: 'ok', value: { count: 5 } });
    });

    test.each(['spin', 'hang'])('that is silent by %s is ended, and its agents recover', async (how) => {
      const { kit, node, one } = await setup({ silenceMs: 1_000 });
      await using _kit = kit;
      await node.spawn(Counter, 'two');

      let answer: unknown;
      void node
        .ask(one)
        .wrong({ how }, { within: '1h' })
        .then((outcome) => {
          answer = outcome;
        });
      while (answer === undefined) await kit.advance('1s');

      expect(answer).toMatchObject({ type: 'failed', code: 'host.silent' });
      await kit.advance('1m');
      expect(await node.ask(one).get({})).toMatchObject({ type: 'ok', value: { count: 0 } });
    });
  });
}
