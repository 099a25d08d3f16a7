import { describe, expect, test } from 'vitest';
import type { PolicyRequest } from '../decision/request.ts';
import { policy } from '../document/document.ts';
import { rateLimit, readOnly, requireApproval } from '../document/sugar.ts';
import { request, rules, TOOLS, yaml } from '../policy.fixture.ts';
import { bundle } from './bundle.ts';
import { decide } from './decide.ts';

const ALLOW_ALL = '- { id: all, on: any, effect: allow }';

describe('manifests', () => {
  test('what a manifest does not say is the worst', () => {
    const bundle = rules(
      `${ALLOW_ALL}\n- { id: no, on: { effect: admin, reversibility: irreversible }, effect: deny }`,
    );

    expect(decide(bundle, request({ tool: 'shell.run' })).verdict).toBe('deny');
    expect(decide(bundle, request({ tool: 'crm.lookup' })).verdict).toBe('allow');
  });

  test('a request can say worse of an act than its manifest, and not better', () => {
    const bundle = rules(
      `${ALLOW_ALL}\n- { id: no, on: any, when: '"money" in action.effects or action.risk >= 3', effect: deny }`,
    );

    expect(decide(bundle, request({ action: { effects: ['money'] } })).verdict).toBe('deny');
    expect(decide(bundle, request({ action: { risk: 4 } })).verdict).toBe('deny');
    expect(
      decide(bundle, request({ tool: 'pay.send', action: { effects: ['read'], risk: 0, reversibility: 'reversible' } }))
        .verdict,
    ).toBe('deny');
    expect(decide(bundle, request()).verdict).toBe('allow');
  });

  test('an agent’s manifest lists what it may use, within bounds, and nothing else', () => {
    const ada = yaml(`
name: ada
agent:
  id: ada
  manifest:
    tools:
      - name: refund
        effects: [money]
        max_calls_per_minute: 10
        max_amount: 10000
        classification: confidential
        requires_human_approval: true
        parameters:
          amount: { type: integer, min: 1 }
          currency: { type: string, enum: [EUR, USD] }
          note: { type: string, max_length: 20, required: false }
      - name: crm.lookup
    denied_tools: [fs.*]
`);
    const open = yaml('name: open\nlayer: org\nrules: [{ id: all, on: any, effect: allow }]');
    const under = bundle([TOOLS, ada, open]);
    const refund = (args: PolicyRequest['args']) => decide(under, request({ tool: 'refund', args }));

    expect(refund({ amount: 500, currency: 'EUR' })).toMatchObject({
      verdict: 'escalate',
      determining: [{ rule: 'ada/refund.requires_human_approval', line: 8 }],
      obligations: [
        { kind: 'approve' },
        { kind: 'consume', limit: 10, perMs: 60_000 },
        { kind: 'label', add: ['classification-confidential'] },
      ],
    });
    for (const [args, why] of [
      [{ amount: 10_001, currency: 'EUR' }, 'an amount of refund is a whole number from 0 to 10000'],
      [{ amount: 0, currency: 'EUR' }, 'expected "amount" to be at least 1'],
      [{ amount: -1, currency: 'EUR' }, 'an amount'],
      [{ amount: 100.01, currency: 'EUR' }, 'unknown'],
      [{ amount: Number.POSITIVE_INFINITY, currency: 'EUR' }, 'unknown'],
      [{ amount: '100', currency: 'EUR' }, 'unknown'],
      [{ amount: 5, currency: 'eur' }, 'one of EUR, USD'],
      [{ amount: 5 }, 'expected the argument "currency", found none'],
      [{ amount: 5, currency: 'EUR', to: 'eve' }, 'expected no argument "to"'],
      [{ amount: 5, currency: 'EUR', note: 'x'.repeat(21) }, 'at most 20 characters'],
      [[], 'unknown'],
      [null, 'unknown'],
    ] as const) {
      expect(refund(args as PolicyRequest['args'])).toMatchObject({
        verdict: 'deny',
        code: 'policy.denied',
        message: expect.stringContaining(why),
      });
    }
    expect(decide(under, request({ tool: 'crm.lookup' })).verdict).toBe('allow');
    expect(decide(under, request({ tool: 'crm.update' }))).toMatchObject({ code: 'policy.outside_layer' });
    expect(decide(under, request({ tool: 'fs.read' }))).toMatchObject({ determining: [{ rule: 'ada/denied_tools' }] });
  });
});

describe('rules in a word', () => {
  const under = bundle([
    TOOLS,
    policy({
      name: 'words',
      layer: 'org',
      rules: [
        readOnly(),
        rateLimit(100, '1m'),
        requireApproval({ actions: ['crm.*'], of: 'role:support', quorum: 2, expires: '30m' }),
      ],
    }),
  ]);

  test('readOnly allows tools that only read, or do nothing', () => {
    expect(decide(under, request({ tool: 'fs.read' })).verdict).toBe('allow');
    expect(decide(under, request({ tool: 'sum' })).verdict).toBe('allow');
    for (const tool of ['fs.write', 'mail.send', 'pay.send', 'shell.run']) {
      expect(decide(under, request({ tool })).verdict).toBe('deny');
    }
  });

  test('rateLimit is a bucket by tenant, agent and tool', () => {
    expect(decide(under, request({ tool: 'fs.read' })).obligations).toEqual([
      { kind: 'consume', bucket: 'rate-limit-100-1m', limit: 100, perMs: 60_000, by: ['agent', 'tenant', 'tool'] },
    ]);
  });

  test('requireApproval asks people', () => {
    expect(decide(under, request({ tool: 'crm.lookup' }))).toMatchObject({
      verdict: 'escalate',
      obligations: [{ kind: 'approve', of: 'role:support', quorum: 2, expiresMs: 1_800_000 }, { kind: 'consume' }],
    });
  });
});
