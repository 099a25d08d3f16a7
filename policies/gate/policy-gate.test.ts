import { describe, expect, test } from 'vitest';
import { parseDid } from '../../runtime/codec/did.ts';
import type { JsonValue } from '../../runtime/codec/json.ts';
import { parseStreamId } from '../../runtime/codec/record.ts';
import type { Millis } from '../../runtime/core/brand.ts';
import { unwrap } from '../../runtime/core/result.ts';
import { ManualClock, seededRandom } from '../../runtime/core/simulation.ts';
import { type Action, actionDigest } from '../../runtime/kernel/action.ts';
import { decide as passGates } from '../../runtime/kernel/gate.ts';
import { Kernel } from '../../runtime/kernel/kernel.ts';
import { MemoryWorld } from '../../runtime/log/memory-log.ts';
import type { Bundle } from '../bundle/bundle.ts';
import { BundleHolder } from '../bundle/bundle-holder.ts';
import { rules } from '../policy.fixture.ts';
import { RateBuckets } from './buckets.ts';
import { FactMonitors } from './fact-monitors.ts';
import { type PolicyHost, policyGate } from './policy-gate.ts';

const actor = unwrap(parseDid('did:example:ada'), 'a DID');
const stream = unwrap(parseStreamId('agent/ada'), 'a stream');
const ALLOW_ALL = '- { id: all, on: any, effect: allow }';

function action(over: Partial<Action> = {}): Action {
  return {
    key: 't/0',
    agent: 'ada',
    actor,
    stream,
    verb: 'use',
    target: 'fs.read',
    effect: 'pure',
    risk: 0,
    input: {},
    withinMs: 100,
    ...over,
  };
}

function asked(over: Partial<Action> = {}, at = 0) {
  const acted = action(over);
  return { action: acted, digest: actionDigest(acted), at: at as Millis, epochs: { trust: 0, revocation: 0, kill: 0 } };
}

function gateOf(bundle: Bundle | undefined, host: Partial<PolicyHost> = {}) {
  return policyGate({ bundle: () => bundle, subjectOf: () => ({ ring: 2, trust: 600 }), ...host });
}

describe('the policy gate', () => {
  test('answers for a bundle: allow, deny, escalate, with code and rule', () => {
    const gate = gateOf(
      rules(
        `${ALLOW_ALL}\n- { id: no, on: { tool: fs.write }, effect: deny, because: closed }\n- { id: ask, on: { effect: money }, effect: escalate }`,
      ),
    );

    expect(gate.check(asked())).toEqual({ verdict: 'allow', rule: 'test/all' });
    expect(gate.check(asked({ target: 'fs.write' }))).toEqual({
      verdict: 'deny',
      code: 'policy.denied',
      message: 'closed',
      rule: 'test/no',
    });
    expect(gate.check(asked({ target: 'pay.send' }))).toMatchObject({
      verdict: 'escalate',
      code: 'policy.escalated',
      rule: 'test/ask',
    });
    expect(gate.check(asked({ target: 'none' }))).toMatchObject({ verdict: 'deny', code: 'policy.unknown_tool' });
  });

  test('without a bundle nothing is allowed', () => {
    const gate = gateOf(undefined);

    expect(passGates({ policy: gate }, asked())).toMatchObject({ verdict: 'deny', code: 'policy.missing' });
    expect(gate.policy).toBeUndefined();
  });

  test('knows who acts from its host, and how risky the act is from the tool', () => {
    const bundle = rules(
      `${ALLOW_ALL}\n- { id: no, on: { agent: did:example:ada, tenant: acme }, when: subject.ring == 3 and action.risk == 2, effect: deny }`,
    );
    const gate = gateOf(bundle, {
      subjectOf: ({ agent }) => ({ ring: agent === 'ada' ? 3 : 1, trust: 1, tenant: 'acme' }),
    });

    expect(gate.check(asked({ risk: 2 })).verdict).toBe('deny');
    expect(gate.check(asked({ risk: 1 })).verdict).toBe('allow');
    expect(gate.check(asked({ risk: 2, agent: 'bob' })).verdict).toBe('allow');
  });

  test('what an agent says of itself in its arguments changes nothing', () => {
    const gate = gateOf(rules('- { id: ring-0, on: any, when: subject.ring == 0, effect: allow }'));
    const claims = { subject: { ring: 0 }, ring: 0, agent_id: 'root', approved: true, notes: { approved: true } };

    expect(gate.check(asked({ input: claims })).verdict).toBe('deny');
    expect(gate.requestOf(asked({ input: claims }))).toMatchObject({ subject: { ring: 2, name: 'ada' } });
  });

  test('each verb stands at its own point', () => {
    const gate = gateOf(rules('- { id: talk, on: { point: agent_message }, effect: allow }'));

    expect(gate.check(asked({ verb: 'ask', target: 'quote.price@desk' })).verdict).toBe('allow');
    expect(gate.check(asked({ verb: 'tell', target: 'quote.price@desk' })).verdict).toBe('allow');
    expect(gate.check(asked({ verb: 'spawn', target: 'desk' })).verdict).toBe('deny');
    expect(gate.check(asked()).verdict).toBe('deny');
  });

  test('G1: what the host cannot do is denied', () => {
    const bundle = rules(
      `${ALLOW_ALL}\n- { id: tell, on: any, effect: oblige, obligations: [{ notify: ops }] }\n- { rateLimit: { limit: 1, per: 1m } }`,
    );

    expect(gateOf(bundle).check(asked())).toMatchObject({ verdict: 'deny', code: 'policy.obligation_unsupported' });
    expect(gateOf(bundle, { honours: ['notify'] }).check(asked())).toMatchObject({
      code: 'policy.obligation_unsupported',
    });
    expect(gateOf(bundle, { honours: ['notify'], buckets: new RateBuckets() }).check(asked()).verdict).toBe('allow');
  });

  test('G2: what is consumed is taken with the permit, and not by who is refused', () => {
    const gate = gateOf(rules(`${ALLOW_ALL}\n- { rateLimit: { limit: 2, per: 1m } }`), {
      buckets: new RateBuckets(),
    });

    for (let n = 0; n < 5; n++) expect(gate.check(asked({}, n)).verdict).toBe('allow'); // and refused by a later gate
    gate.hold?.(asked({}, 10));
    gate.hold?.(asked({}, 20));
    expect(gate.check(asked({}, 30))).toMatchObject({
      verdict: 'deny',
      code: 'policy.rate_exceeded',
      retryAfterMs: 29_980,
    });
    expect(gate.check(asked({ agent: 'bob', actor: unwrap(parseDid('did:example:bob'), 'a DID') }, 30)).verdict).toBe(
      'allow',
    );
    expect(gate.check(asked({ target: 'crm.lookup' }, 30)).verdict).toBe('allow');
    expect(gate.check(asked({}, 30_010)).verdict).toBe('allow');
  });
});

describe('what comes back', () => {
  const allowed = `${ALLOW_ALL}\n`;
  const returned = (value: JsonValue) => ({ point: 'post_tool', value }) as const;

  test.each<[string, string, JsonValue, object]>([
    ['needs no list', '- { id: look, on: { point: pre_tool }, effect: allow }', { a: 1 }, { verdict: 'allow' }],
    [
      'is denied by a rule that names the point',
      `${allowed}- { id: no, on: { point: post_tool }, when: has(output.token), effect: deny }`,
      { token: 'x' },
      { verdict: 'deny', code: 'policy.denied', rule: 'test/no' },
    ],
    [
      'is denied where the rule cannot tell',
      `${allowed}- { id: no, on: { point: post_tool }, when: output.text like "*secret*", effect: deny }`,
      { text: 7 },
      { verdict: 'deny', code: 'policy.denied' },
    ],
    [
      'is not asked about again by rules for any point',
      `${allowed}- { id: ask, on: { tool: fs.read }, effect: escalate }\n- { rateLimit: { limit: 1, per: 1h } }`,
      {},
      { verdict: 'allow' },
    ],
    [
      'may need a human, whom nobody can ask any more',
      `${allowed}- { id: ask, on: { point: post_tool }, effect: escalate }`,
      {},
      { verdict: 'escalate', rule: 'test/ask' },
    ],
    [
      'G1: cannot be limited by a rate',
      `${allowed}- { rateLimit: { limit: 1, per: 1h, on: { point: post_tool } } }`,
      {},
      { verdict: 'deny', code: 'policy.obligation_unsupported' },
    ],
    [
      'is redacted',
      `${allowed}- { id: hide, on: { point: post_tool }, effect: oblige, obligations: [{ redact: { path: /ssn } }] }`,
      { ssn: '1' },
      { verdict: 'allow', obligations: [{ kind: 'redact', path: '/ssn', with: '[redacted]' }] },
    ],
  ])('%s', (_name, text, value, expected) => {
    const gate = gateOf(rules(text), { buckets: new RateBuckets() });

    expect(gate.checkOutput?.(asked(), returned(value))).toMatchObject(expected);
  });

  test('is seen by nobody without a bundle', () => {
    expect(gateOf(undefined).checkOutput?.(asked(), returned({}))).toMatchObject({ code: 'policy.missing' });
  });

  test('at the point `output`, is what an agent says', () => {
    const gate = gateOf(
      rules(
        `${allowed}- { id: no, on: { point: output, agent: ada }, when: 'contains(lower(output.text), "password")', effect: deny }`,
      ),
    );
    const says = (text: string) => gate.checkOutput?.(asked({ verb: 'ask' }), { point: 'output', value: { text } });

    expect(says('the Password is x')).toMatchObject({ verdict: 'deny', rule: 'test/no' });
    expect(says('good day')).toMatchObject({ verdict: 'allow' });
  });
});

describe('behind a kernel', () => {
  let clock = new ManualClock();

  async function world(bundle: Bundle, result?: JsonValue) {
    const facts = new FactMonitors(bundle.facts, 0);
    clock = new ManualClock();
    const random = seededRandom(1);
    const { log } = await new MemoryWorld(random).open(clock);
    const holder = new BundleHolder(bundle);
    const policy = policyGate({
      bundle: () => holder.current,
      subjectOf: () => ({ ring: 2, trust: 600 }),
      buckets: new RateBuckets(),
      facts: () => facts,
    });
    let runs = 0;
    const seen: JsonValue[] = [];
    const executor = {
      run: async (input: JsonValue) => {
        seen.push(input);
        return { type: 'ok' as const, value: result ?? ++runs };
      },
    };
    const kernel = new Kernel({ log, clock, random, gates: { policy }, executorOf: () => executor });
    const use = (target: string) =>
      kernel.perform({ ...action({ target }), actor: log.did }, new AbortController().signal);
    return { use, kernel, log, seen, runs: () => runs, holder };
  }

  test('a decision is on record with its rule and the digest of its bundle', async () => {
    const bundle = rules(`${ALLOW_ALL}\n- { id: no, on: { tool: fs.write }, effect: deny }`);
    const { use, log } = await world(bundle);

    await use('fs.read');
    expect(await use('fs.write')).toMatchObject({ type: 'denied', code: 'policy.denied' });

    const decisions = [...log.readStream(stream)].flatMap(({ decision }) => (decision === undefined ? [] : [decision]));
    expect(decisions).toMatchObject([
      { verdict: 'allow', rule: 'test/all', policy: bundle.digest },
      { verdict: 'deny', code: 'policy.denied', rule: 'test/no', policy: bundle.digest },
    ]);
  });

  test('of ten uses at once under a limit of three, three happen', async () => {
    const { use, runs } = await world(rules(`${ALLOW_ALL}\n- { rateLimit: { limit: 3, per: 1m } }`));

    const outcomes = await Promise.all(Array.from({ length: 10 }, () => use('fs.read')));

    expect(outcomes.filter(({ type }) => type === 'ok')).toHaveLength(3);
    expect(outcomes.filter(({ type }) => type === 'busy')).toHaveLength(7);
    expect(runs()).toBe(3);
  });

  test('what people have to agree to does not happen without them', async () => {
    const { use, runs } = await world(rules(`${ALLOW_ALL}\n- { id: ask, on: { effect: money }, effect: escalate }`));

    expect(await use('pay.send')).toMatchObject({ type: 'denied', code: 'approval.required' });
    expect(runs()).toBe(0);
  });

  test('a secret in a tool’s result reaches neither the author nor the log', async () => {
    const secret = 'AKIA-0123456789';
    const bundle = rules(
      `${ALLOW_ALL}\n- { id: leak, on: { point: post_tool }, when: output.text like "*AKIA*", effect: deny, because: it holds a key }`,
    );
    const { use, log } = await world(bundle, { text: `key: ${secret}` });

    const told = await use('fs.read');

    expect(told).toMatchObject({ type: 'denied', code: 'policy.denied' });
    await log.flushed();
    const written = [...log.readStream(stream)].map(({ payload }) => JSON.stringify(payload)).join();
    expect(JSON.stringify(told) + written).not.toContain(secret);
    expect([...log.readStream(stream)].at(-1)?.payload).toMatchObject({
      value: { status: 'ok', withheld: { code: 'policy.denied', rule: 'test/leak' } },
    });
  });

  test('what is redacted reaches neither the executor, nor the author, nor the log', async () => {
    const bundle = rules(
      `${ALLOW_ALL}\n- { id: hide, on: { point: [pre_tool, post_tool] }, effect: oblige, obligations: [{ redact: { path: /ssn, with: null } }] }`,
    );
    const { kernel, log, seen } = await world(bundle, { ssn: '078-05-1120', name: 'ann' });

    const told = await kernel.perform(
      { ...action({ input: { ssn: '219-09-9999' } }), actor: log.did },
      new AbortController().signal,
    );

    expect(told).toMatchObject({ type: 'ok', value: { ssn: null, name: 'ann' } });
    expect(seen).toEqual([{ ssn: null }]);
    await log.flushed();
    const written = [...log.readStream(stream)].map(({ payload }) => JSON.stringify(payload)).join();
    expect(written).not.toMatch(/078|219/);
  });

  test('W4: a node that starts again knows what was consumed', async () => {
    const bundle = rules(`${ALLOW_ALL}\n- { rateLimit: { limit: 2, per: 1m } }`);
    const { use, log } = await world(bundle);
    await use('fs.read');
    await use('fs.read');

    const buckets = new RateBuckets();
    for (const { type, payload } of log.readStream(stream)) {
      if (type === 'action.decided' && payload.type === 'json') buckets.relive(payload.value as never);
    }

    const gate = gateOf(bundle, { buckets });
    expect(gate.check({ ...asked({ actor: log.did }), at: clock.now() })).toMatchObject({
      code: 'policy.rate_exceeded',
    });
  });

  test('of five payments at once under a cap, those happen that it covers, and a restart lifts it for none', async () => {
    const bundle = rules(
      `${ALLOW_ALL}\n- { id: cap, on: { tool: pay.send }, when: 'facts.sum("paid", "24h") + args.amount > 100', effect: deny }`,
      'facts: { paid: { of: pay.send, sum: /amount, by: [subject.id], within: [24h] } }\n',
    );
    const { kernel, log, runs } = await world(bundle);
    const pay = (amount: number) => ({ ...action({ target: 'pay.send', input: { amount } }), actor: log.did });
    const live = new AbortController().signal;

    const outcomes = await Promise.all([40, 40, 40, 20, 1].map((amount) => kernel.perform(pay(amount), live)));

    expect(outcomes.map(({ type }) => type)).toEqual(['ok', 'ok', 'denied', 'ok', 'denied']);
    expect(runs()).toBe(3);

    const facts = new FactMonitors(bundle.facts, 0);
    for (const { type, payload, actor } of log.readStream(stream)) {
      const subject = { id: actor, name: 'ada', ring: 2, trust: 600 } as const;
      if (type === 'action.decided' && payload.type === 'json') facts.relive(payload.value as never, subject);
    }
    const again = gateOf(bundle, { facts: () => facts });
    expect(again.check({ ...asked(pay(1)), at: clock.now() })).toMatchObject({ rule: 'test/cap' });
    expect(again.check({ ...asked(pay(0)), at: clock.now() })).toMatchObject({ verdict: 'allow' });
  });

  test('telling takes from the rate, in the tick that decides it', async () => {
    const { kernel, log } = await world(
      rules(`${ALLOW_ALL}\n- { rateLimit: { limit: 3, per: 1m, on: { point: agent_message } } }`),
    );
    const tell = () => kernel.admit({ ...action({ verb: 'tell', target: 'quote.price@desk' }), actor: log.did });

    const verdicts = Array.from({ length: 5 }, () => tell().decision.verdict);

    expect(verdicts).toEqual(['allow', 'allow', 'allow', 'deny', 'deny']);
  });
});
