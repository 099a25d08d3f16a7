import { describe, expect, test } from 'vitest';
import { assign, fromPromise, raise, setup } from 'xstate';
import { defineMachine, diagramOf, parseMachineSnapshot, startMachine, stepMachine } from './machine.ts';

const door = setup({
  types: { context: {} as { opened: number }, events: {} as { type: 'open' } | { type: 'close' } | { type: 'lock' } },
  actions: { count: assign({ opened: ({ context }) => context.opened + 1 }), ring: () => undefined },
  guards: { isFresh: ({ context }) => context.opened < 2 },
}).createMachine({
  id: 'door',
  context: { opened: 0 },
  initial: 'closed',
  states: {
    closed: {
      on: {
        open: { target: 'open', guard: 'isFresh', actions: ['count', { type: 'ring', params: { loud: true } }] },
        lock: 'locked',
      },
    },
    open: { after: { 500: 'closed' }, on: { close: 'closed' } },
    locked: { type: 'final' },
  },
});

const machine = defineMachine(1, door);

describe('a step', () => {
  test('M2: two runs of one history give identical steps, however many machines the process has run', () => {
    const run = () => {
      const first = startMachine(machine);
      const second = stepMachine(machine, first.snapshot, { type: 'open' });
      return JSON.stringify([first, second, stepMachine(machine, second.snapshot, { type: 'close' })]);
    };

    const before = run();
    for (let i = 0; i < 20; i++) startMachine(machine);

    expect(run()).toBe(before);
    expect(before).not.toMatch(/x:\d/);
  });

  test('M2: a snapshot that went through JSON steps like the one that did not', () => {
    const { snapshot } = stepMachine(machine, startMachine(machine).snapshot, { type: 'open' });
    const stored = parseMachineSnapshot(machine, JSON.parse(JSON.stringify(snapshot)));
    if (!stored.ok) throw new Error(stored.error.message);

    expect(stepMachine(machine, stored.value, { type: 'close' })).toEqual(
      stepMachine(machine, snapshot, { type: 'close' }),
    );
  });

  test('M3: a delay is a request to arm a timer, whose event performs the transition', () => {
    const opened = stepMachine(machine, startMachine(machine).snapshot, { type: 'open' });
    const [ring, arm] = opened.requests;

    expect(ring).toEqual({ type: 'do', action: 'ring', params: { loud: true } });
    expect(arm).toEqual({
      type: 'arm',
      timer: 'xstate.after.500.door.open',
      delayMs: 500,
      event: { type: 'xstate.after.500.door.open' },
    });
    if (arm?.type !== 'arm') throw new Error('no timer');
    expect(stepMachine(machine, opened.snapshot, arm.event).snapshot.value).toBe('closed');
  });

  test('M3: leaving the state disarms its timer, and the late timer changes nothing', () => {
    const opened = stepMachine(machine, startMachine(machine).snapshot, { type: 'open' });
    const closed = stepMachine(machine, opened.snapshot, { type: 'close' });

    expect(closed.requests).toEqual([{ type: 'disarm', timer: 'xstate.after.500.door.open' }]);
    expect(stepMachine(machine, closed.snapshot, { type: 'xstate.after.500.door.open' })).toEqual({
      snapshot: closed.snapshot,
      requests: [],
    });
  });

  test('a guard that says no leaves everything as it was', () => {
    let { snapshot } = startMachine(machine);
    for (const type of ['open', 'close', 'open', 'close'] as const) {
      ({ snapshot } = stepMachine(machine, snapshot, { type }));
    }

    expect(stepMachine(machine, snapshot, { type: 'open' })).toEqual({ snapshot, requests: [] });
  });

  test('a final state is done', () => {
    expect(stepMachine(machine, startMachine(machine).snapshot, { type: 'lock' }).snapshot.status).toBe('done');
  });

  test('a history state survives JSON', () => {
    const player = defineMachine(
      1,
      setup({}).createMachine({
        id: 'player',
        initial: 'off',
        states: {
          off: { on: { power: 'on.last' } },
          on: {
            initial: 'playing',
            on: { power: 'off' },
            states: { playing: { on: { pause: 'paused' } }, paused: {}, last: { type: 'history' } },
          },
        },
      }),
    );
    let { snapshot } = startMachine(player);
    for (const type of ['power', 'pause', 'power', 'power']) {
      snapshot = stepMachine(player, JSON.parse(JSON.stringify(snapshot)), { type }).snapshot;
    }

    expect(snapshot.value).toEqual({ on: 'paused' });
  });
});

describe('a definition', () => {
  test('M4: another version or another configuration is another definition', () => {
    const other = defineMachine(2, door);
    const read = parseMachineSnapshot(other, startMachine(machine).snapshot);

    expect(other.definition).not.toBe(machine.definition);
    expect(read).toMatchObject({ ok: false, error: { code: 'machine.other_definition' } });
    expect(() => stepMachine(other, startMachine(machine).snapshot, { type: 'open' })).toThrow('M4');
  });

  test.each([[null], ['open'], [{}], [{ v: 2 }]])('%j is no snapshot', (data) => {
    expect(parseMachineSnapshot(machine, data).ok).toBe(false);
  });

  test('a function in the configuration is refused: no hash could cover it', () => {
    const inline = setup({}).createMachine({ id: 'inline', entry: () => undefined });

    expect(() => defineMachine(1, inline)).toThrow('expected a named implementation');
  });

  test('M1: an invocation is refused', () => {
    const caller = setup({ actors: { somebody: fromPromise(async () => 1) } }).createMachine({
      id: 'caller',
      invoke: { src: 'somebody' },
    });

    expect(() => defineMachine(1, caller)).toThrow('M1');
  });

  test('an immediate raise is taken within the step', () => {
    const relay = defineMachine(
      1,
      setup({ actions: { again: raise({ type: 'again' }) } }).createMachine({
        id: 'relay',
        initial: 'a',
        states: { a: { on: { go: { target: 'b', actions: 'again' } } }, b: { on: { again: 'c' } }, c: {} },
      }),
    );

    expect(stepMachine(relay, startMachine(relay).snapshot, { type: 'go' })).toMatchObject({
      snapshot: { value: 'c' },
      requests: [],
    });
  });

  test('a diagram shows every edge with its guard', () => {
    expect(diagramOf(machine)).toBe(
      [
        'stateDiagram-v2',
        '  [*] --> closed',
        '  closed --> open : open [isFresh]',
        '  closed --> locked : lock',
        '  open --> closed : close',
        '  open --> closed : xstate.after.500.door.open',
        '  locked --> [*]',
        '',
      ].join('\n'),
    );
  });
});
