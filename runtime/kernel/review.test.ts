import { describe, expect, test } from 'vitest';
import { sha256 } from '../codec/digest.ts';
import type { JsonValue } from '../codec/json.ts';
import { digestText } from '../codec/record.ts';
import { utf8 } from '../core/bytes.ts';
import { allowList } from './allow-list.ts';
import { budgetGate } from './budget-gate.ts';
import type { Gate } from './gate.ts';
import { bench, live } from './kernel.fixture.ts';
import type { Obligation } from './obligation.ts';
import type { Outcome } from './outcome.ts';

describe('obligations', () => {
  const asks = (...obligations: readonly Obligation[]): Gate => ({ check: () => ({ verdict: 'allow', obligations }) });
  const hide = (path: string): Obligation => ({ kind: 'redact', path, with: null });

  test('G4: what nobody sees to denies, and nothing is attempted', async () => {
    const { kernel, action, runs } = await bench({ gates: { policy: asks({ kind: 'notify', to: 'ops' }) } });

    expect(await kernel.perform(action(), live)).toMatchObject({ type: 'denied', code: 'gate.obligation_unmet' });
    expect(runs).toEqual([]);
  });

  test('G4: what the gate’s host sees to is owed, and is on record', async () => {
    const policy: Gate = { ...asks({ kind: 'notify', to: 'ops' }), honours: new Set(['notify']) };
    const { kernel, action, told } = await bench({ gates: { policy } });

    expect(await kernel.perform(action(), live)).toMatchObject({ type: 'ok' });
    expect((await told())[0]?.[1]).toMatchObject({ owed: [{ kind: 'notify', to: 'ops' }] });
  });

  test('a redacted input is all that the executor and the record see', async () => {
    const { kernel, action, runs, told } = await bench({ gates: { policy: asks(hide('/to')) } });

    await kernel.perform(action(), live);

    expect(runs).toEqual(['t1/0: {"to":null}']);
    expect(JSON.stringify(await told())).not.toContain('ann');
  });

  test('and all that is asked about, when the outcome is in doubt', async () => {
    const probed: JsonValue[] = [];
    const { kernel, action } = await bench({
      gates: { policy: asks(hide('/to')) },
      executor: {
        probe: async (input) => {
          probed.push(input);
          return { type: 'ok', value: 1 };
        },
      },
    });

    await kernel.resolve(action({ effect: 'reconcile' }), 1, live);

    expect(probed).toEqual([{ to: null }]);
  });

  test('G4: a place that is not there denies, since the secret may be somewhere else', async () => {
    const { kernel, action, runs } = await bench({ gates: { policy: asks(hide('/recipient')) } });

    expect(await kernel.perform(action(), live)).toMatchObject({ type: 'denied', code: 'gate.obligation_unmet' });
    expect(runs).toEqual([]);
  });

  test('a message that would have to be redacted is not told', async () => {
    const { kernel, action } = await bench({ gates: { policy: asks(hide('/to')) } });

    for (const { decision } of [kernel.decide(action({ verb: 'tell' })), kernel.admit(action({ verb: 'tell' }))]) {
      expect(decision).toMatchObject({ verdict: 'deny', code: 'gate.obligation_unmet' });
    }
  });
});

describe('K5: a result', () => {
  const shows = (checkOutput: NonNullable<Gate['checkOutput']>): Gate => ({
    check: () => ({ verdict: 'allow' }),
    checkOutput,
  });
  const secret = async (): Promise<Outcome> => ({ type: 'ok', value: { token: 's3cret', name: 'ann' } });

  test.each<[string, NonNullable<Gate['checkOutput']>, string]>([
    ['denied', () => ({ verdict: 'deny', code: 'policy.leak', message: 'no' }), 'policy.leak'],
    ['escalated', () => ({ verdict: 'escalate', code: 'policy.ask', message: 'ask' }), 'approval.required'],
    ['not decided', () => JSON.parse('{'), 'gate.failed'],
    ['not answered', () => undefined as never, 'gate.failed'],
    [
      'allowed against what nobody does',
      () => ({ verdict: 'allow', obligations: [{ kind: 'label', add: ['x'] }] }),
      'gate.obligation_unmet',
    ],
    [
      'to be redacted where nothing is',
      () => ({ verdict: 'allow', obligations: [{ kind: 'redact', path: '/key', with: null }] }),
      'gate.obligation_unmet',
    ],
  ])('that is %s is withheld from its author and from the log, but for its digest', async (_name, check, code) => {
    const { kernel, action, told } = await bench({ gates: { policy: shows(check) }, executor: { run: secret } });

    const outcome = await kernel.perform(action(), live);

    expect(outcome).toMatchObject({ type: 'denied', code });
    expect(JSON.stringify([outcome, await told()])).not.toContain('s3cret');
    const value = '{"name":"ann","token":"s3cret"}';
    expect((await told()).at(-1)?.[1]).toMatchObject({
      status: 'ok',
      withheld: { digest: digestText(sha256(utf8(value))) },
    });
  });

  test('that is redacted is seen without what was redacted, on the record too', async () => {
    const gate = shows(() => ({ verdict: 'allow', obligations: [{ kind: 'redact', path: '/token', with: '***' }] }));
    const { kernel, action, told } = await bench({ gates: { policy: gate }, executor: { run: secret } });

    expect(await kernel.perform(action(), live)).toMatchObject({ type: 'ok', value: { token: '***', name: 'ann' } });
    expect(JSON.stringify(await told())).not.toContain('s3cret');
    expect((await told()).at(-1)?.[1]).toMatchObject({ redacted: ['/token'] });
  });

  test('that the world gives only when it is asked again is checked alike', async () => {
    const gate = shows(() => ({ verdict: 'deny', code: 'policy.leak', message: 'no' }));
    const { kernel, action, told } = await bench({ gates: { policy: gate }, executor: { probe: secret } });

    expect(await kernel.resolve(action({ effect: 'reconcile' }), 1, live)).toMatchObject({ type: 'denied' });
    expect(JSON.stringify(await told())).not.toContain('s3cret');
  });

  test('is seen as it is where no gate looks at values', async () => {
    const { kernel, action } = await bench({ executor: { run: secret } });

    expect(await kernel.perform(action(), live)).toMatchObject({ type: 'ok', value: { token: 's3cret' } });
  });

  test('of an agent is reviewed before it leaves', async () => {
    const points: string[] = [];
    const gate = shows((_request, { point, value }) => {
      points.push(point);
      return value === 'hush'
        ? { verdict: 'deny', code: 'policy.leak', message: 'no' }
        : { verdict: 'allow', obligations: [] };
    });
    const { kernel, action } = await bench({ gates: { policy: gate } });

    expect(kernel.review(action(), 'hello')).toEqual({ type: 'shown', value: 'hello', redacted: [] });
    expect(kernel.review(action(), 'hush')).toMatchObject({ type: 'withheld', code: 'policy.leak' });
    expect(points).toEqual(['output', 'output']);
  });
});

describe('K6: admitting', () => {
  test('takes from the rates what is allowed, where deciding takes nothing', async () => {
    const budget = budgetGate({ ringOf: () => 3 });
    const { kernel, action } = await bench({ gates: { budget, policy: allowList({ '*': ['*'] }) } });
    const tell = action({ verb: 'tell', target: 'quote.price@desk' });

    for (let n = 0; n < 100; n++) expect(kernel.decide(tell).decision.verdict).toBe('allow');
    const verdicts = Array.from({ length: 12 }, () => kernel.admit(tell).decision.verdict);

    expect(verdicts.filter((verdict) => verdict === 'allow')).toHaveLength(10);
    expect(kernel.decide(tell).decision.code).toBe('budget.too_fast');
  });
});
