import { describe, expect, test } from 'vitest';
import { request, TOOLS, yaml } from '../policy.fixture.ts';
import { bundle } from './bundle.ts';
import { decide } from './decide.ts';

describe('layers', () => {
  const org = (text: string) => yaml(`name: org\nlayer: org\nrules: [${text}]`);
  const tenant = (text: string) => yaml(`name: acme\nlayer: tenant\nfor: { tenant: acme }\nrules: [${text}]`);
  const agent = (text: string) => yaml(`name: ada\nlayer: agent\nfor: { agent: ada }\nrules: [${text}]`);
  const ada = (tool: string) => request({ tool, subject: { tenant: 'acme' } });

  test('a child cannot allow what its parent does not list', () => {
    const under = bundle([
      TOOLS,
      org('{ id: reads, on: { effect: read }, effect: allow }'),
      agent('{ id: all, on: any, effect: allow }'),
    ]);

    expect(decide(under, ada('crm.lookup'))).toMatchObject({ verdict: 'allow' });
    expect(decide(under, ada('pay.send'))).toMatchObject({ verdict: 'deny', code: 'policy.outside_layer' });
  });

  test('a child can list less', () => {
    const under = bundle([
      TOOLS,
      org('{ id: all, on: any, effect: allow }'),
      tenant('{ id: crm, on: { tool: crm.* }, effect: allow }'),
      agent('{ id: look, on: { tool: crm.lookup }, effect: allow }'),
    ]);

    expect(decide(under, ada('crm.lookup')).verdict).toBe('allow');
    expect(decide(under, ada('crm.update')).message).toContain('the agent layer');
    expect(decide(under, ada('fs.read')).message).toContain('the tenant and the agent layer');
    expect(
      decide(under, request({ tool: 'crm.update', subject: { id: 'did:example:bob', name: 'bob', tenant: 'acme' } }))
        .verdict,
    ).toBe('allow');
  });

  test('a parent’s denial and escalation are not lifted', () => {
    const under = bundle([
      TOOLS,
      org(
        '{ id: all, on: any, effect: allow }, { id: no, on: { tool: fs.write }, effect: deny }, { id: ask, on: { effect: money }, effect: escalate }',
      ),
      agent('{ id: all, on: any, effect: allow }'),
    ]);

    expect(decide(under, ada('fs.write')).verdict).toBe('deny');
    expect(decide(under, ada('pay.send')).verdict).toBe('escalate');
    expect(decide(under, ada('fs.read')).verdict).toBe('allow');
  });

  test('a layer that only restricts lists nothing, and what it does not speak of is left to the others', () => {
    const under = bundle([
      TOOLS,
      org('{ id: no, on: { tool: fs.write }, effect: deny }'),
      tenant('{ id: all, on: any, effect: allow }'),
    ]);

    expect(decide(under, ada('fs.read')).verdict).toBe('allow');
    expect(decide(under, ada('fs.write')).verdict).toBe('deny');
  });

  test('a layer lists per point: what an agent may use says nothing of whom it may ask', () => {
    const under = bundle([
      TOOLS,
      org('{ id: all, on: any, effect: allow }'),
      agent('{ id: look, on: { point: pre_tool, tool: crm.lookup }, effect: allow }'),
    ]);
    const message = request({
      tool: 'quote.price@desk',
      point: 'agent_message',
      action: { verb: 'ask' },
      subject: { tenant: 'acme' },
    });

    expect(decide(under, message).verdict).toBe('allow');
    expect(decide(under, ada('fs.read')).verdict).toBe('deny');
  });

  test('what is written for one tenant does not concern another', () => {
    const under = bundle([TOOLS, tenant('{ id: all, on: any, effect: allow }')]);

    expect(decide(under, ada('crm.lookup')).verdict).toBe('allow');
    expect(decide(under, request({ subject: { tenant: 'globex' } })).code).toBe('policy.no_permit');
    expect(decide(under, request()).verdict).toBe('deny');
  });

  test('a list that may be for a subject, its tenant being unknown, has to be met and permits nothing', () => {
    const asking = yaml('name: ask\nlayer: tenant\nrules: [{ id: ask, on: any, effect: escalate }]');
    const list = tenant('{ id: all, on: any, effect: allow }');
    const alone = bundle([TOOLS, asking, list]);
    const under = bundle([TOOLS, org('{ id: all, on: any, effect: allow }'), asking, list]);

    expect(decide(alone, ada('crm.lookup')).verdict).toBe('escalate');
    expect(decide(alone, request()).code).toBe('policy.no_permit');
    expect(decide(under, request()).verdict).toBe('escalate');
  });
});
