import { describe, expect, test } from 'vitest';
import type { JsonValue } from '../../runtime/codec/json.ts';
import type { PolicyRequest } from '../decision/request.ts';
import { request, rules, TOOLS, yaml } from '../policy.fixture.ts';
import { bundle } from './bundle.ts';
import { decide } from './decide.ts';

const ALLOW_ALL = '- { id: all, on: any, effect: allow }';
const verdictOf = (text: string, asked: PolicyRequest) => decide(rules(text), asked).verdict;

describe('D2: before any rule is asked', () => {
  const open = rules(ALLOW_ALL);

  test('no bundle denies', () => {
    expect(decide(undefined, request())).toMatchObject({ verdict: 'deny', code: 'policy.missing' });
  });

  test('a tool that no manifest describes is denied, whatever the rules allow', () => {
    expect(decide(open, request({ tool: 'crm.drop' }))).toMatchObject({ verdict: 'deny', code: 'policy.unknown_tool' });
    expect(decide(open, request({ tool: 'Crm.Lookup' }))).toMatchObject({ code: 'policy.unknown_tool' });
    expect(decide(open, request({ tool: 'crm.lookup ' }))).toMatchObject({ code: 'policy.unknown_tool' });
    expect(decide(open, request({ tool: 'constructor' }))).toMatchObject({ code: 'policy.unknown_tool' });
  });

  test('a message is no tool and needs no manifest', () => {
    const message = request({ tool: 'quote.price@desk', point: 'agent_message', action: { verb: 'ask' } });

    expect(decide(open, message)).toMatchObject({ verdict: 'allow' });
  });

  test.each([
    ['of another version', { ...request(), v: 2 }],
    ['at an unknown point', { ...request(), point: 'before_tool' }],
    ['at no moment', { ...request(), at: Number.NaN }],
    ['without a subject', { ...request(), subject: undefined }],
    ['without an action', { ...request(), action: null }],
    ['without arguments', { ...request(), args: undefined }],
  ])('a request %s is denied', (_, malformed) => {
    expect(decide(open, malformed as unknown as PolicyRequest)).toMatchObject({
      verdict: 'deny',
      code: 'policy.request_malformed',
    });
  });

  test('a request that is no object at all is denied, and does not throw', () => {
    for (const nothing of [null, undefined, 7, 'x']) {
      expect(decide(open, nothing as unknown as PolicyRequest)).toMatchObject({
        verdict: 'deny',
        code: 'policy.request_malformed',
      });
    }
  });

  test('a request that is too deep, too wide or too long is denied', () => {
    let deep: PolicyRequest['args'] = 1;
    for (let level = 0; level < 70; level++) deep = [deep];
    for (const args of [deep, Array.from({ length: 20_001 }, () => 0), 'x'.repeat(4_000_001)]) {
      expect(decide(open, request({ args }))).toMatchObject({ verdict: 'deny', code: 'policy.request_too_large' });
    }
  });

  test('a tool that changed since it was approved is denied', () => {
    const pinned = yaml(
      'name: pin\nlayer: org\ntools: { crm.lookup: { digest: sha-1 } }\nrules: [{ id: all, on: any, effect: allow }]',
    );
    const under = bundle([TOOLS, pinned]);

    expect(decide(under, request({ action: { manifest: 'sha-1' } }))).toMatchObject({ verdict: 'allow' });
    expect(decide(under, request({ action: { manifest: 'sha-2' } }))).toMatchObject({
      code: 'policy.manifest_changed',
    });
    expect(decide(under, request())).toMatchObject({ code: 'policy.manifest_changed' });
  });
});

describe('D3: one rule that denies, denies', () => {
  test('what nothing allows is denied', () => {
    expect(decide(rules('- { id: no, on: { tool: pay.send }, effect: deny }'), request())).toMatchObject({
      verdict: 'deny',
      code: 'policy.no_permit',
    });
  });

  test('a denial outweighs any number of permits, and names its rule and line', () => {
    const bundle = rules(
      `${ALLOW_ALL}\n- { id: also, on: any, effect: allow }\n- id: never\n  on: { effect: read }\n  effect: deny\n  because: closed today`,
    );

    expect(decide(bundle, request())).toEqual({
      verdict: 'deny',
      code: 'policy.denied',
      message: 'closed today',
      obligations: [],
      determining: [{ rule: 'test/never', layer: 'org', line: 7, because: 'match' }],
      bundle: bundle.digest,
      evaluated: expect.any(Number),
    });
  });

  test('an escalation outweighs permits, and asks an operator unless it says whom', () => {
    const bundle = rules(`${ALLOW_ALL}\n- { id: ask, on: { tool: pay.send }, effect: escalate }`);

    expect(decide(bundle, request({ tool: 'pay.send' }))).toMatchObject({
      verdict: 'escalate',
      code: 'policy.escalated',
      obligations: [
        {
          kind: 'approve',
          of: 'operator',
          quorum: 1,
          onTimeout: 'deny',
          distinctFrom: ['chain', 'sponsor', 'subject'],
        },
      ],
      determining: [{ rule: 'test/ask' }],
    });
    expect(decide(bundle, request())).toMatchObject({ verdict: 'allow', determining: [{ rule: 'test/all' }] });
  });

  test('a permit with an approval among its obligations is an escalation', () => {
    const bundle = rules(
      '- { id: two, on: any, effect: allow, obligations: [{ approve: { of: role:ops, quorum: 2 } }] }',
    );

    expect(decide(bundle, request())).toMatchObject({
      verdict: 'escalate',
      obligations: [{ kind: 'approve', quorum: 2 }],
    });
  });

  test('an obligation alone allows nothing', () => {
    expect(verdictOf('- { id: tell, on: any, effect: oblige, obligations: [{ notify: ops }] }', request())).toBe(
      'deny',
    );
  });
});

describe('D4: what is unknown', () => {
  test.each([
    ['deny', 'deny'],
    ['escalate', 'escalate'],
    ['allow', 'deny'],
  ])('counts for a rule that would %s as %s', (effect, expected) => {
    const text = `- { id: r, on: any, when: args.amount > 100, effect: ${effect} }${effect === 'allow' ? '' : `\n${ALLOW_ALL}`}`;

    for (const args of [
      {},
      { amount: '250' },
      { amount: null },
      { amount: 100.5 },
      { amount: Number.POSITIVE_INFINITY },
      { amount: '２５０' },
      'text',
      null,
    ]) {
      expect(verdictOf(text, request({ args }))).toBe(expected);
    }
  });

  test('an approval that one permit asks for is not escaped by hiding what the permit looks at', () => {
    const bundle = rules(
      `${ALLOW_ALL}\n- { id: large, on: { tool: pay.send }, when: args.amount > 100, effect: allow, obligations: [{ approve: { of: role:ops } }] }`,
    );
    const pay = (args: JsonValue) => decide(bundle, request({ tool: 'pay.send', args }));

    expect(pay({ amount: 50 })).toMatchObject({ verdict: 'allow', obligations: [] });
    for (const args of [{ amount: 500 }, {}, { amount: '500' }]) expect(pay(args).verdict).toBe('escalate');
    expect(pay({}).determining).toMatchObject([{ rule: 'test/large', because: 'unknown' }]);
  });

  test('what a permit asks for in return permits nothing where the permit is in doubt', () => {
    const text =
      '- { id: r, on: any, when: args.amount > 100, effect: allow, obligations: [{ approve: { of: role:ops } }] }';

    expect(verdictOf(text, request({ args: { amount: 500 } }))).toBe('escalate');
    expect(verdictOf(text, request())).toBe('deny');
  });

  test('is told as such', () => {
    const bundle = rules(`${ALLOW_ALL}\n- { id: r, on: any, when: args.amount > 100, effect: deny }`);

    expect(decide(bundle, request())).toMatchObject({
      determining: [{ rule: 'test/r', because: 'unknown' }],
      message: 'test/r says so (its condition is unknown for this request)',
    });
  });

  test('of the subject counts as well: a tenant’s denial holds for who may belong to it, its permit does not', () => {
    const deny = `${ALLOW_ALL}\n- { id: r, on: { tenant: acme }, effect: deny }`;
    const allow = '- { id: r, on: { tenant: acme, role: clerk }, effect: allow }';

    expect(verdictOf(deny, request())).toBe('deny');
    expect(verdictOf(deny, request({ subject: { tenant: 'globex' } }))).toBe('allow');
    expect(verdictOf(allow, request())).toBe('deny');
    expect(verdictOf(allow, request({ subject: { tenant: 'acme' } }))).toBe('deny');
    expect(verdictOf(allow, request({ subject: { tenant: 'acme', roles: ['clerk'] } }))).toBe('allow');
  });
});

describe('five conditions that other engines let pass', () => {
  test.each([
    ['not (args.safe == true)', { safe: false }],
    ['(args.amount > 100)', { amount: 250 }],
    ['args.balance < -50', { balance: -100 }],
    ['args.amount >= 100 and (args.to == "eve" or args.to == "mallory")', { amount: 100, to: 'eve' }],
    ['args.note == "a and b" or args.note == "x or y"', { note: 'a and b' }],
  ])('a denial with %s denies', (when, args) => {
    expect(verdictOf(`${ALLOW_ALL}\n- { id: r, on: any, when: '${when}', effect: deny }`, request({ args }))).toBe(
      'deny',
    );
  });
});

describe('obligations', () => {
  test('add up, each once, the stricter of two', () => {
    const bundle = rules(`${ALLOW_ALL}
- { id: a, on: any, effect: oblige, obligations: [{ sandbox: 2 }, { notify: ops }, { label: [x] }, { log: {} }] }
- { id: b, on: any, effect: oblige, obligations: [{ sandbox: 3 }, { notify: ops }, { label: [y] }, { log: { level: warn } }] }
- { id: c, on: { tool: fs.read }, effect: oblige, obligations: [{ notify: other }] }`);

    expect(decide(bundle, request()).obligations).toEqual([
      { kind: 'label', add: ['x', 'y'] },
      { kind: 'log', level: 'warn', fields: [] },
      { kind: 'notify', to: 'ops' },
      { kind: 'sandbox', ring: 3 },
    ]);
  });

  test('of two approvals by the same people the stricter one stands', () => {
    const bundle =
      rules(`- { id: a, on: any, effect: escalate, obligations: [{ approve: { of: role:fin, quorum: 1, expires: 10m } }] }
- { id: b, on: any, effect: escalate, obligations: [{ approve: { of: role:fin, quorum: 2, expires: 1h } }] }
${ALLOW_ALL}`);

    expect(decide(bundle, request()).obligations).toMatchObject([{ kind: 'approve', quorum: 2, expiresMs: 600_000 }]);
  });

  test('that contradict each other deny', () => {
    const bundle = rules(`${ALLOW_ALL}
- { id: a, on: any, effect: oblige, obligations: [{ redact: { path: /x, with: A } }] }
- { id: b, on: any, effect: oblige, obligations: [{ redact: { path: /x, with: B } }] }`);

    expect(decide(bundle, request())).toMatchObject({ verdict: 'deny', code: 'policy.obligation_conflict' });
  });
});
