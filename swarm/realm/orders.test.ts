/** A node and its operators’ orders, over a wire that loses what it likes and a log that survives. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { Epoch } from '../../mesh/head.ts';
import { nodeDid } from '../../mesh/message.ts';
import { ORDER_MS, type Order, type Report, readReport, writeOrder } from '../../mesh/order.ts';
import { nodeToken } from '../../mesh/subject.ts';
import type { Incoming } from '../../runtime/actor/remote.ts';
import { generateKeyPair } from '../../runtime/codec/ed25519.ts';
import type { Millis } from '../../runtime/core/brand.ts';
import { CodedError } from '../../runtime/core/errors.ts';
import { ManualClock, seededRandom } from '../../runtime/core/simulation.ts';
import { newEventId } from '../../runtime/kernel/event-id.ts';
import type { Outcome } from '../../runtime/kernel/outcome.ts';
import type { EventLog } from '../../runtime/log/event-log.ts';
import { MemoryWorld } from '../../runtime/log/memory-log.ts';
import { jsonOf } from '../../runtime/log/upcast.ts';
import { Orders, type OrdersParts } from './orders.ts';

const random = seededRandom('orders of a node');
const [operator, node, stranger] = [generateKeyPair(random), generateKeyPair(random), generateKeyPair(random)];
const [by, self] = [nodeDid(operator.publicKey), nodeDid(node.publicKey)];
const to = nodeToken(by);

/** A node whose log stays; its lives come and go. */
class Office {
  readonly clock = new ManualClock();
  readonly world = new MemoryWorld(random, 'test/orders/log/0');
  readonly done: string[] = [];
  readonly sent: Uint8Array[] = [];
  readonly asked: Incoming[] = [];
  /** What the agent that is asked says. */
  answering: (asked: Incoming) => Promise<Outcome> = async () => ({ type: 'ok', value: 42 });
  living: string[] = ['desk', 'desk/1', 'quote'];
  /** What happens before an agent is acted upon. */
  before: () => void = () => undefined;
  authority: OrdersParts['authority'];
  log: EventLog | undefined;
  orders: Orders | undefined;

  async start(hasStarted = true): Promise<this> {
    await this.log?.[Symbol.asyncDispose]();
    this.log = (await this.world.open(this.clock)).log;
    const act = (what: string) => (agent: string) => {
      this.before();
      if (!this.living.includes(agent)) return Promise.reject(new CodedError('agent.not_found', agent));
      if (what === 'kill') this.living = this.living.filter((name) => name !== agent);
      this.done.push(`${what} ${agent}`);
      return Promise.resolve();
    };
    const office = this;
    const agents = {
      get living() {
        return office.living;
      },
      answer: (asked: Incoming) => {
        this.asked.push(asked);
        return this.answering(asked);
      },
      suspend: act('suspend'),
      resume: act('resume'),
      stop: act('kill'),
    };
    this.orders = new Orders({
      node: { pair: node, epoch: random.bytes(8) as Epoch },
      ...{ realm: 'acme', operators: new Set([by]), log: this.log, clock: this.clock, random },
      agents: () => (hasStarted ? agents : undefined),
      ...(this.authority === undefined ? {} : { authority: this.authority }),
      transport: { send: (_lane, _to, bytes) => void this.sent.push(bytes) },
    });
    return this;
  }

  order(over: Partial<Order> = {}, pair = operator, without: readonly string[] = []) {
    const at = this.clock.now();
    const id = newEventId(this.clock, random);
    const said = {
      action: 'suspend',
      agent: 'desk',
      by,
      id,
      node: self,
      realm: 'acme',
      why: 'a test',
      ...over,
    } as const;
    const whole = { at, expires: (at + ORDER_MS) as Millis, ...said };
    const order = Object.fromEntries(Object.entries(whole).filter(([name]) => !without.includes(name)));
    return writeOrder(order as Order, pair);
  }

  async hear(bytes: Uint8Array, from = to): Promise<void> {
    this.orders?.hear(bytes, from);
    await this.orders?.idle;
    await this.orders?.answered;
  }

  report(order: Report['order']): Report | undefined {
    const read = readReport(this.sent.at(-1) ?? new Uint8Array(), { node: self, order, carriedFrom: nodeToken(self) });
    return read.ok ? read.value : undefined;
  }

  recorded(): readonly (readonly [string, unknown])[] {
    const log = this.log;
    return log === undefined
      ? []
      : [...log.read()]
          .map((record) => [record.type, jsonOf(record, log)] as const)
          .filter(([type]) => type.startsWith('order.'));
  }
}

test.each([
  [{ action: 'suspend' }, ['suspend desk'], 'suspended: desk'],
  [{ action: 'resume', agent: 'quote' }, ['resume quote'], 'resumed: quote'],
  [{ action: 'kill' }, ['kill desk'], 'ended: desk'],
] as const)('%j is obeyed, on record before and after, and reported', async (over, done, detail) => {
  const office = await new Office().start();
  const { bytes, cid } = office.order(over);
  await office.hear(bytes);
  expect(office.done).toEqual(done);
  expect(office.report(cid)).toMatchObject({ outcome: 'done', detail });
  expect(office.recorded()).toMatchObject([
    ['order.accepted', { action: over.action, by, order: cid, why: 'a test' }],
    ['order.settled', { outcome: 'done', code: null, order: cid }],
  ]);
});

const QUESTION = { action: 'ask', agent: 'desk', message: 'open', body: '{"n":1}' } as const;

test('an ask is a message of the operator to the agent, whose answer is reported; said again, it is one message (C5)', async () => {
  const office = await new Office().start();
  const { bytes, cid } = office.order(QUESTION);
  await office.hear(bytes);
  expect(office.report(cid)).toMatchObject({ outcome: 'done', answer: '{"type":"ok","value":42}' });
  const [asked] = office.asked;
  expect(asked).toMatchObject({ from: { agent: 'guest/operator', did: by }, to: 'desk', name: 'open', body: { n: 1 } });
  await office.start();
  await office.hear(bytes);
  expect(office.asked[1]?.message).toBe(asked?.message); // its node answers that from the agent's record
  expect(office.recorded()).toMatchObject([
    ['order.accepted', { action: 'ask', agent: 'desk' }],
    ['order.settled', { detail: 'answered: ok' }],
  ]);
});

test('an agent that takes its time keeps no other order waiting (C4), and is asked once meanwhile', async () => {
  const office = await new Office().start();
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  office.answering = () => promise;
  const question = office.order(QUESTION);
  for (let n = 0; n < 3; n++) office.orders?.hear(question.bytes, to);
  const { bytes, cid } = office.order({ action: 'suspend' });
  office.orders?.hear(bytes, to);
  await office.orders?.idle;
  expect(office.report(cid)).toMatchObject({ detail: 'suspended: desk' });
  resolve({ type: 'denied', code: 'policy.denied', message: 'no' });
  await office.orders?.answered;
  expect(office.report(question.cid)).toMatchObject({ outcome: 'done', detail: 'answered: denied: policy.denied' });
  expect(office.asked).toHaveLength(1);
});

test.each([[{ action: 'ask', agent: 'desk' }], [{ ...QUESTION, body: '{"n":1,"n":2}' }]] as const)(
  'attack: %j is no question, and reaches nobody',
  async (over) => {
    const office = await new Office().start();
    const { bytes, cid } = office.order(over);
    await office.hear(bytes);
    expect([office.asked, office.report(cid)]).toMatchObject([[], { outcome: 'refused', code: 'order.no_question' }]);
    expect(office.recorded()).toMatchObject([['order.refused', { by, code: 'order.no_question' }]]); // C3
  },
);

test('more asks under way than there is room for are refused, on record (C3)', async () => {
  const office = await new Office().start();
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  office.answering = () => promise;
  for (let n = 0; n < 64; n++) office.orders?.hear(office.order(QUESTION).bytes, to);
  const { bytes, cid } = office.order(QUESTION);
  office.orders?.hear(bytes, to);
  await office.orders?.idle;
  expect(office.report(cid)).toMatchObject({ outcome: 'refused', code: 'quota.exceeded' });
  expect(office.recorded().at(-1)).toMatchObject(['order.refused', { by, code: 'quota.exceeded' }]);
  resolve({ type: 'ok', value: 1 });
  await office.orders?.answered;
  expect(office.asked).toHaveLength(64);
});

test('attack: no words of an agent end its node, wherever a report has to cut them', async () => {
  const office = await new Office().start();
  for (const before of ['', 'x']) {
    office.answering = async () => ({
      type: 'failed',
      code: `${before}${'\u{1F4A5}'.repeat(400)}`,
      message: '\u{2028}',
    });
    const { bytes, cid } = office.order(QUESTION);
    await office.hear(bytes);
    expect(office.report(cid)?.detail).toHaveLength(500);
  }
});

test('a revocation that an order carries is taken back once, and its epoch reported each time (C6)', async () => {
  const office = await new Office().start();
  const handed: string[] = [];
  office.authority = {
    revocations: { epoch: 3 },
    takeBack: async (statement) => {
      handed.push(Buffer.from(statement).toString());
      return { ok: true, value: { target: by, by: [by], isNews: true, isKnown: true, epoch: 3 } };
    },
  };
  const { bytes, cid } = office.order({ action: 'revoke', body: '{"signed":1}' }, operator, ['agent']);
  for (let n = 0; n < 2; n++) {
    await office.start();
    await office.hear(bytes);
    expect(office.report(cid)).toMatchObject({ outcome: 'done', answer: '{"epoch":3}' });
    expect(office.report(cid)?.detail).toBe(`revoked: ${by}, on record and in force, epoch 3`);
  }
  expect([handed, office.done]).toEqual([['{"signed":1}'], []]);
  expect(office.recorded().map(([type]) => type)).toEqual(['order.accepted', 'order.settled']);
});

test('a revocation that is refused, or at a node that asks for no delegations, is refused in the report', async () => {
  const office = await new Office().start();
  const first = office.order({ action: 'revoke', body: '{}' }, operator, ['agent']);
  await office.hear(first.bytes);
  expect(office.report(first.cid)).toMatchObject({ outcome: 'refused', code: 'revocation.no_authority' });
  const refusal = { code: 'revocation.not_entitled', message: 'no part in it' };
  office.authority = { revocations: { epoch: 0 }, takeBack: async () => ({ ok: false, error: refusal }) };
  await office.start();
  const second = office.order({ action: 'revoke', body: '{}' }, operator, ['agent']);
  await office.hear(second.bytes);
  expect(office.report(second.cid)).toMatchObject({ outcome: 'refused', code: 'revocation.not_entitled' });
});

test('an answer too long for a report is told of, and stays in the log', async () => {
  const office = await new Office().start();
  office.answering = async () => ({ type: 'ok', value: 'x'.repeat(5_000) });
  const { bytes, cid } = office.order(QUESTION);
  await office.hear(bytes);
  expect(office.report(cid)).toMatchObject({ outcome: 'done', detail: 'answered: ok' });
  expect(office.report(cid)?.answer).toBeUndefined();
});

test('an order without an agent is for all that live there', async () => {
  const office = await new Office().start();
  const { agent: _, ...rest } = { agent: undefined };
  const at = office.clock.now();
  const id = newEventId(office.clock, random);
  const said = {
    action: 'kill',
    by,
    id,
    node: self,
    realm: 'acme',
    why: '',
    at,
    expires: (at + 1_000) as Millis,
  } as const;
  const { bytes, cid } = writeOrder({ ...said, ...rest }, operator);
  await office.hear(bytes);
  expect([office.living, office.report(cid)?.detail]).toEqual([[], 'ended: 3 agents']);
});

test('the request or the report is lost and said again, before and after a restart: obeyed once, told alike', async () => {
  const office = await new Office().start();
  const { bytes, cid } = office.order({ action: 'kill' });
  for (let n = 0; n < 3; n++) await office.hear(bytes);
  await office.start();
  await office.hear(bytes);
  expect(office.done).toEqual(['kill desk']);
  expect(office.sent).toHaveLength(4);
  expect(office.report(cid)).toMatchObject({ outcome: 'done', detail: 'ended: desk' });
  expect(office.recorded()).toHaveLength(2);
});

test('attack: a captured order is worth nothing when it is over, in any life', async () => {
  const office = await new Office().start();
  const { bytes, cid } = office.order();
  office.clock.advance(ORDER_MS + 1);
  await office.hear(bytes);
  await office.start();
  await office.hear(bytes);
  expect([office.done, office.report(cid)]).toMatchObject([[], { outcome: 'refused', code: 'order.expired' }]);
});

test('a node that crashes after it acted and before it said so ends the order in its next life', async () => {
  const office = await new Office().start();
  const { bytes, cid } = office.order({ action: 'kill' });
  office.before = () => {
    office.living = office.living.filter((name) => name !== 'desk');
    throw new Error('power cut');
  };
  const failed = office.orders?.failed.catch((error: Error) => error.message);
  await office.hear(bytes);
  expect(await failed).toBe('power cut');
  office.before = () => undefined;
  await office.start();
  await office.hear(bytes);
  expect(office.report(cid)).toMatchObject({ outcome: 'done', detail: 'desk has ended' });
  expect(office.recorded().map(([type]) => type)).toEqual(['order.accepted', 'order.settled']);
});

test('an agent that does not live there is no order to obey, and a node that has not started says so', async () => {
  const office = await new Office().start();
  const { bytes, cid } = office.order({ agent: 'nobody' });
  await office.hear(bytes);
  expect(office.report(cid)).toMatchObject({ outcome: 'refused', code: 'agent.not_found' });
  await office.start(false);
  const early = office.order();
  await office.hear(early.bytes);
  expect(office.report(early.cid)).toMatchObject({ outcome: 'refused', code: 'order.too_early' });
  await office.start();
  await office.hear(early.bytes);
  expect(office.report(early.cid)).toMatchObject({ outcome: 'done' });
});

test('attack: nobody else is obeyed or told anything; each of ten a minute is on record, the rest is counted', async () => {
  const office = await new Office().start();
  const foreign = nodeDid(stranger.publicKey);
  for (let n = 0; n < 30; n++) {
    await office.hear(office.order({ by: foreign }, stranger).bytes, nodeToken(foreign));
    await office.hear(office.order({}, stranger).bytes);
    await office.hear(office.order({ node: foreign }).bytes.subarray(1));
  }
  expect([office.done, office.sent]).toEqual([[], []]);
  expect(office.recorded()).toHaveLength(10);
  expect(new Set(office.recorded().map(([, payload]) => (payload as { by: null }).by))).toEqual(new Set([null]));
  expect(Object.keys(office.orders?.refused ?? {}).sort()).toEqual([
    'order.not_operator',
    'order.wrong_key',
    'statement.malformed',
  ]);
});

test('attack: a flood of orders is looked at at a bounded rate', async () => {
  const office = await new Office().start();
  for (let n = 0; n < 1_000; n++) office.orders?.hear(new Uint8Array(3), to);
  await office.orders?.idle;
  expect(office.orders?.refused['quota.exceeded']).toBeGreaterThan(800);
});

test('what is recorded has the form of its golden sample', async () => {
  const golden = JSON.parse(readFileSync(new URL('golden/order-events.json', import.meta.url), 'utf8')) as {
    readonly [type: string]: { readonly 1: { readonly [member: string]: unknown } };
  };
  const office = await new Office().start();
  await office.hear(office.order({ action: 'kill' }).bytes);
  await office.hear(office.order({}, stranger).bytes);
  const shapeOf = (value: object): readonly string[] =>
    Object.entries(value)
      .map(([name, found]) => `${name}: ${found === null ? 'null' : typeof found}`)
      .sort();
  const found = office.recorded().map(([type, payload]) => [type, shapeOf(payload as object)]);
  expect(found).toEqual(Object.entries(golden).map(([type, versions]) => [type, shapeOf(versions[1])]));
});
