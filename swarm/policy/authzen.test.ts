import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { JsonValue } from '../../runtime/codec/json.ts';
import { unwrap } from '../../runtime/core/result.ts';
import { evaluate, evaluateAll } from './authzen.ts';
import { HOUSE, rulesOf } from './office.fixture.ts';

const desk = { bundle: rulesOf(HOUSE), at: 1_700_000_000_000, id: 'r' };
const RATED = ['consume'];

function asking(tool: string, properties: object = {}, more: object = {}): JsonValue {
  const body = {
    subject: { type: 'agent', id: 'did:example:ada', properties: { ring: 2, trust: 640 } },
    action: { name: tool, properties },
    resource: { type: 'order', id: 'o-7' },
    ...more,
  };
  return JSON.parse(JSON.stringify(body)) as JsonValue;
}

function answer(body: JsonValue) {
  return unwrap(evaluate(desk, body), 'a well-formed request');
}

describe('an evaluation', () => {
  test('allows what the bundle allows, and names the rules', () => {
    expect(answer(asking('refund.issue', { args: { amount: 5 } }))).toEqual({
      decision: true,
      context: {
        verdict: 'allow',
        code: 'policy.allowed',
        reason_admin: { en: 'allowed' },
        rules: [{ rule: 'house/refunds', layer: 'org', line: 13, because: 'match' }],
        bundle: desk.bundle.digest,
      },
    });
  });

  test('Z2: an escalation is no, and says who has to agree', () => {
    const { decision, context } = answer(asking('refund.issue', { args: { amount: 20_000 } }));

    expect(decision).toBe(false);
    expect(context).toMatchObject({
      verdict: 'escalate',
      code: 'policy.escalated',
      needs: 'approval',
      approvals: [{ kind: 'approve', of: 'operator', quorum: 1 }],
    });
  });

  test('Z1: obligations are for callers that honour them', () => {
    expect(answer(asking('file.read'))).toMatchObject({
      decision: false,
      context: { code: 'policy.obligation_unsupported' },
    });
    expect(answer(asking('file.read', { honours: RATED }))).toMatchObject({
      decision: true,
      context: { obligations: [{ kind: 'consume', limit: 3 }] },
    });
  });

  test('an agent of whom nothing is said is a new one', () => {
    const subject = { type: 'agent', id: 'did:example:new' };
    expect(answer(asking('refund.issue', { args: { amount: 5 } }, { subject }))).toMatchObject({
      decision: false,
      context: { rules: [{ rule: 'house/refund-cap' }] }, // whose condition asks for trust
    });
  });

  test.each<[string, JsonValue]>([
    ['an unknown tool', asking('file.shred')],
    ['a subject that is no agent', asking('file.write', {}, { subject: { type: 'user', id: 'ada' } })],
    ['a misspelt property of the action', asking('file.write', { arg: { path: 'secrets/x' } })],
    [
      'a misspelt property of the subject',
      asking('file.write', {}, { subject: { type: 'agent', id: 'a', properties: { rnig: 0 } } }),
    ],
    [
      'a ring that there is not',
      asking('file.write', {}, { subject: { type: 'agent', id: 'a', properties: { ring: -1 } } }),
    ],
    [
      'a ring that is a text',
      asking('file.write', {}, { subject: { type: 'agent', id: 'a', properties: { ring: '0' } } }),
    ],
    ['an unknown verb', asking('file.write', { verb: 'shred' })],
    ['an unknown point', asking('file.write', { point: 'anywhere' })],
    ['an unknown obligation to honour', asking('file.read', { honours: ['consume', 'all'] })],
    ['honours that are no list', asking('file.read', { honours: 'consume' })],
    ['something beside the four', asking('file.write', {}, { approved: true })],
    ['a moment of its own', asking('file.write', { at: 0 })],
    ['a constructor for an action', asking('constructor')],
    ['arguments that a rule denies', asking('file.write', { args: { path: 'secrets/key' } })],
    ['arguments that are hidden', asking('file.write', { args: {} })],
  ])('denies %s', (_, body) => {
    expect(answer(body).decision).toBe(false);
  });

  test.each<[string, JsonValue]>([
    ['a list', []],
    ['no subject', asking('x', {}, { subject: null })],
    ['a subject without a type', asking('x', {}, { subject: { id: 'a' } })],
    ['an id that is a number', asking('x', {}, { subject: { type: 'agent', id: 7 } })],
    ['no resource', asking('x', {}, { resource: null })],
    ['an action without a name', asking('x', {}, { action: {} })],
    ['a context that is a text', asking('x', {}, { context: 'night' })],
  ])('refuses %s: it is no question', (_, body) => {
    expect(evaluate(desk, body).ok).toBe(false);
  });

  test('never throws, and never allows by accident', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), fc.jsonValue(), (subject, action, resource) => {
        const results = [
          evaluate(desk, { subject, action, resource } as JsonValue),
          evaluateAll(desk, {
            subject,
            action,
            resource,
            evaluations: [subject, action],
            options: resource,
          } as JsonValue),
        ];
        for (const result of results) expect(JSON.stringify(result)).not.toContain('"decision":true');
      }),
    );
  });
});

describe('several evaluations', () => {
  const small = { action: { name: 'refund.issue', properties: { args: { amount: 5 } } } };
  const large = { action: { name: 'refund.issue', properties: { args: { amount: 50_000 } } } };
  const all = (semantic: string | undefined, evaluations: readonly object[]) => {
    const options = semantic === undefined ? {} : { options: { evaluations_semantic: semantic } };
    const body = JSON.parse(JSON.stringify({ ...(asking('none') as object), evaluations, ...options })) as JsonValue;
    const result = evaluateAll(desk, body);
    return result.ok ? JSON.parse(JSON.stringify(result.value)) : result.error;
  };
  const decisions = (semantic: string | undefined, evaluations: readonly object[]): readonly boolean[] =>
    all(semantic, evaluations).evaluations.map(({ decision }: { readonly decision: boolean }) => decision);

  test.each<[string | undefined, readonly boolean[]]>([
    [undefined, [true, false, true]],
    ['execute_all', [true, false, true]],
    ['deny_on_first_deny', [true, false]],
    ['permit_on_first_permit', [true]],
  ])('with the semantic %s end where it says', (semantic, expected) => {
    expect(decisions(semantic, [small, large, small])).toEqual(expected);
  });

  test('take what they do not say from the whole', () => {
    expect(decisions(undefined, [{}, small])).toEqual([false, true]);
  });

  test('a fault in one is that one’s denial', () => {
    expect(all(undefined, [{ subject: 7 }, small])).toMatchObject({
      evaluations: [{ decision: false, context: { error: { status: 400 } } }, { decision: true }],
    });
  });

  test('without a list are one', () => {
    expect(all(undefined, [])).toMatchObject({ decision: false, context: { code: 'policy.unknown_tool' } });
  });

  test('of an unknown semantic, or too many, are refused', () => {
    expect(all('first_wins', [small])).toMatch(/^expected an evaluations_semantic of/);
    expect(
      all(
        undefined,
        Array.from({ length: 101 }, () => small),
      ),
    ).toBe('expected at most 100 evaluations');
  });
});
