import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { actionDigest, type EffectClass } from './action.ts';
import { allowList } from './allow-list.ts';
import type { Executor } from './attempt.ts';
import type { Gate, GateName, Gates } from './gate.ts';
import { decide, GATES } from './gate.ts';
import { bench, live } from './kernel.fixture.ts';
import { Permit } from './permit.ts';
import { RECORDED_REFUSALS_MAX, RefusalMeter } from './refusal-meter.ts';

const deny = (code = 'ring.too_low'): Gate => ({ check: () => ({ verdict: 'deny', code, message: 'no' }) });

describe('performing', () => {
  test('K1: the decision is on disk when the attempt starts', async () => {
    let sizeAtStart = 0;
    const { kernel, action, log, events } = await bench({
      executor: {
        run: async () => {
          sizeAtStart = log.size;
          return { type: 'ok', value: 1 };
        },
      },
    });

    await kernel.perform(action(), live);

    expect(sizeAtStart).toBe(1);
    expect((await events()).map(({ type, replay }) => [type, replay])).toEqual([
      ['action.decided', 'intent'],
      ['action.settled', 'outcome'],
    ]);
    expect((await events())[1]?.cause?.index).toBe(0);
  });

  test('the outcome names the event that explains it', async () => {
    const { kernel, action, events } = await bench();

    const outcome = await kernel.perform(action(), live);

    expect(outcome).toEqual({ type: 'ok', value: { echo: { to: 'ann' } }, event: (await events())[1]?.id });
  });

  test('a tool that nobody knows is denied, on the record', async () => {
    const { kernel, action, events, runs } = await bench({ gates: { policy: allowList({ '*': ['*'] }) } });

    const outcome = await kernel.perform(action({ target: 'rm.rf' }), live);

    expect(outcome).toMatchObject({ type: 'denied', code: 'tool.unknown', event: (await events())[0]?.id });
    expect((await events())[0]?.decision).toMatchObject({ verdict: 'deny', code: 'tool.unknown' });
    expect(runs).toEqual([]);
  });

  test.each<[string, Gates, string]>([
    ['no policy', {}, 'policy.missing'],
    ['a policy that does not list it', { policy: allowList({ other: ['mail.*'] }) }, 'policy.not_listed'],
    ['a gate that throws', { policy: { check: () => JSON.parse('{') } }, 'gate.failed'],
    ['a gate before policy', { policy: allowList({ '*': ['*'] }), ring: deny() }, 'ring.too_low'],
  ])('%s denies', async (_name, gates, code) => {
    const { kernel, action, runs } = await bench({ gates });

    expect(await kernel.perform(action(), live)).toMatchObject({ type: 'denied', code });
    expect(runs).toEqual([]);
  });

  test('K2: authority withdrawn between decision and attempt abandons the action', async () => {
    let kill = 0;
    const { kernel, action, told, runs, log } = await bench({ epochs: () => ({ trust: 0, revocation: 0, kill }) });

    const pending = kernel.perform(action(), live);
    kill = 1;

    expect(await pending).toMatchObject({ type: 'denied', code: 'permit.stale' });
    expect(runs).toEqual([]);
    expect((await told()).map(([type]) => type)).toEqual(['action.decided', 'action.abandoned']);
    expect(log.size).toBe(2);
  });

  test.each<[string, NonNullable<Gate['recheck']>, string]>([
    ['says that time has withdrawn it', () => ({ code: 'revocation.stale', message: 'no' }), 'revocation.stale'],
    ['throws', () => JSON.parse('{'), 'gate.failed'],
  ])('K2: a gate that, in the tick of the attempt, %s abandons the action', async (_, recheck, code) => {
    const late: Gate = { check: () => ({ verdict: 'allow' }), recheck };
    const { kernel, action, told, runs } = await bench({
      gates: { policy: allowList({ '*': ['*'] }), delegation: late },
    });

    expect(await kernel.perform(action(), live)).toMatchObject({ type: 'denied', code });
    expect(runs).toEqual([]);
    expect((await told()).at(-1)).toMatchObject(['action.abandoned', { code }]);
  });

  test.each<[EffectClass, string]>([
    ['pure', 'failed'],
    ['idempotent', 'failed'],
    ['reconcile', 'unknown'],
    ['unsafe', 'unknown'],
  ])('a throw of a tool that is %s is %s', async (effect, type) => {
    const { kernel, action } = await bench({ executor: { run: () => Promise.reject(new Error('line cut')) } });

    expect(await kernel.perform(action({ effect }), live)).toMatchObject({ type });
  });

  test.each<[EffectClass, string]>([
    ['idempotent', 'timeout'],
    ['unsafe', 'unknown'],
  ])('a tool that is %s and never answers ends as %s, and is told so', async (effect, type) => {
    const started = Promise.withResolvers<AbortSignal>();
    const { kernel, action, clock } = await bench({
      executor: {
        run: (_input, { signal }) => {
          started.resolve(signal);
          return new Promise(() => undefined);
        },
      },
    });

    const pending = kernel.perform(action({ effect }), live);
    const told = await started.promise;
    clock.advance(1_000);

    expect(await pending).toMatchObject({ type });
    expect(told.aborted).toBe(true);
  });

  test('a result that is not data is invalid', async () => {
    const { kernel, action } = await bench({
      executor: { run: async () => ({ type: 'ok', value: { at: Number.NaN } }) },
    });

    expect(await kernel.perform(action({ effect: 'pure' }), live)).toMatchObject({
      type: 'invalid',
      code: 'tool.not_data',
    });
  });

  test('an escalation that no approval lifts is denied as one that needs approval', async () => {
    const policy: Gate = { check: () => ({ verdict: 'escalate', code: 'policy.human', message: 'ask ann' }) };
    const { kernel, action } = await bench({ gates: { policy } });

    expect(await kernel.perform(action(), live)).toMatchObject({ type: 'denied', code: 'approval.required' });
  });

  test('what a gate holds is held from the attempt to its end', async () => {
    const seen: string[] = [];
    const budget: Gate = {
      check: () => ({ verdict: 'allow' }),
      hold: () => {
        seen.push('held');
        return { [Symbol.dispose]: () => void seen.push('released') };
      },
    };
    const { kernel, action } = await bench({
      gates: { policy: allowList({ '*': ['*'] }), budget },
      executor: {
        run: async () => {
          seen.push('ran');
          return { type: 'ok', value: 1 };
        },
      },
    });

    await kernel.perform(action(), live);

    expect(seen).toEqual(['held', 'ran', 'released']);
  });
});

describe('a doubt', () => {
  test.each<[EffectClass, Partial<Executor>, string, number]>([
    ['pure', {}, 'ok', 1],
    ['idempotent', {}, 'ok', 1],
    ['unsafe', {}, 'unknown', 0],
    ['reconcile', {}, 'unknown', 0],
    ['reconcile', { probe: async () => 'absent' }, 'ok', 1],
    ['reconcile', { probe: async () => ({ type: 'ok', value: 5 }) }, 'ok', 0],
    ['reconcile', { probe: () => Promise.reject(new Error('gone')) }, 'unknown', 0],
  ])('K3: about %s %o ends as %s after %i attempts', async (effect, executor, type, attempts) => {
    const { kernel, action, runs, told } = await bench({ executor });

    expect(await kernel.resolve(action({ effect }), 1, live)).toMatchObject({ type });
    expect(runs).toHaveLength(attempts);
    expect((await told()).at(-1)?.[0]).toBe('action.settled');
    if (attempts > 0) expect((await told())[0]?.[1]).toMatchObject({ key: 't1/0', attempt: 2 });
  });

  test('K4: a wait that its signal ends leaves the action in doubt', async () => {
    const stop = new AbortController();
    const { kernel, action, told } = await bench({
      executor: {
        run: () => {
          stop.abort(new Error('drain'));
          return new Promise(() => undefined);
        },
      },
    });

    await expect(kernel.perform(action(), stop.signal)).rejects.toThrow('drain');
    expect((await told()).map(([type]) => type)).toEqual(['action.decided']);
  });
});

describe('a flood of refusals', () => {
  test('R1: ten are recorded, the others are counted once a second', async () => {
    const { kernel, action, told, clock } = await bench({ gates: { kill: deny('kill.active') } });

    for (let n = 0; n < 500; n++) await kernel.perform(action({ key: `t${n}/0` }), live);
    clock.advance(1_000);
    await kernel[Symbol.asyncDispose]();

    expect((await told()).filter(([type]) => type === 'action.decided')).toHaveLength(RECORDED_REFUSALS_MAX);
    expect((await told()).at(-1)).toEqual(['action.refused_many', { agent: 'desk', counts: { 'kill.active': 490 } }]);
  });

  test('R2: everything is either recorded or counted', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom('a', 'b'), fc.nat(5_000))), (refusals) => {
        const meter = new RefusalMeter();
        let at = 0;
        let recorded = 0;
        for (const [agent, delayMs] of refusals) {
          at += delayMs;
          if (meter.mustRecord({ agent }, 'ring', 'ring.too_low', at)) recorded++;
        }
        const counted = [...meter.drain().values()].reduce((sum, counts) => sum + (counts['ring.too_low'] ?? 0), 0);
        expect(recorded + counted).toBe(refusals.length);
      }),
    );
  });

  test('R3: a refusal by policy is always recorded', () => {
    const meter = new RefusalMeter();

    const all = Array.from({ length: 100 }, () => meter.mustRecord({ agent: 'a' }, 'policy', 'policy.not_listed', 0));

    expect(all.every(Boolean)).toBe(true);
  });
});

describe('the gates', () => {
  const verdict = fc.constantFrom('allow', 'deny', 'escalate', 'throw', undefined);
  const gateOf = (kind: string | undefined): Gate | undefined => {
    if (kind === undefined) return undefined;
    return {
      check: () => {
        if (kind === 'throw') throw new Error('broken');
        return { verdict: kind as 'deny', code: 'some.code', message: '' };
      },
    };
  };

  test('a chain that allows is recorded with the decision, and its gate hears how the act ended', async () => {
    const heard: string[] = [];
    let revocation = 0;
    const delegation: Gate = {
      check: () => ({ verdict: 'allow', delegations: ['bafkrei1', 'bafkrei2'] }),
      observe: (_request, ending) => void heard.push(ending.type),
    };
    const { kernel, action, events } = await bench({
      gates: { policy: allowList({ '*': ['mail.*'] }), delegation },
      epochs: () => ({ trust: 0, revocation, kill: 0 }),
    });

    await kernel.perform(action(), live);
    const late = kernel.perform(action({ key: 't1/1' }), live);
    revocation = 1;
    await late;

    expect((await events())[0]?.decision).toMatchObject({ verdict: 'allow', delegations: ['bafkrei1', 'bafkrei2'] });
    expect(heard).toEqual(['settled', 'abandoned']);
  });

  test('G2: the decision is the meet of all answers, and never more', async () => {
    const { action } = await bench();
    fc.assert(
      fc.property(fc.array(verdict, { minLength: GATES.length, maxLength: GATES.length }), (kinds) => {
        const gates: Partial<Record<GateName, Gate>> = {};
        for (const [n, name] of GATES.entries()) {
          const gate = gateOf(kinds[n]);
          if (gate !== undefined) gates[name] = gate;
        }
        const [policy, asked] = [GATES.indexOf('policy'), GATES.indexOf('approval')];
        const before = kinds.slice(0, asked);
        const isDenied = kinds[policy] === undefined || before.some((kind) => kind === 'deny' || kind === 'throw');
        const isEscalated = before.includes('escalate');
        const approval = kinds[asked];
        const expected = isDenied
          ? 'deny'
          : !isEscalated
            ? 'allow'
            : approval === 'deny' || approval === 'throw'
              ? 'deny'
              : approval === 'allow'
                ? 'allow'
                : 'escalate';
        const request = { action: action(), digest: actionDigest(action()), at: 0 as never, epochs };
        expect(decide(gates, request).verdict).toBe(expected);
      }),
    );
  });
  const epochs = { trust: 0, revocation: 0, kill: 0 };

  test('P1: a permit is good once, for one action', async () => {
    const { action } = await bench();
    const digest = actionDigest(action());
    const other = actionDigest(action({ input: { to: 'eve' } }));
    const bond = { key: 'k', digest, policy: undefined, epochs };
    const permit = new Permit(bond);

    expect(new Permit(bond).spend({ ...bond, digest: other })).toEqual({ code: 'permit.other_action' });
    expect(new Permit(bond).spend({ ...bond, key: 'l' })).toEqual({ code: 'permit.other_action' });
    expect(permit.spend(bond)).toBeUndefined();
    expect(permit.spend(bond)).toEqual({ code: 'permit.spent' });
  });

  test.each(['trust', 'revocation', 'kill'] as const)('P2: a change of the epoch of %s ends a permit', async (name) => {
    const { action } = await bench();
    const bond = { key: 'k', digest: actionDigest(action()), policy: undefined, epochs };

    expect(new Permit(bond).spend({ ...bond, epochs: { ...epochs, [name]: 1 } })).toEqual({ code: 'permit.stale' });
  });
});
