/** Messages that came from other nodes, and messages that were sent: what they took is known after a restart, and decided again. */
import { expect, test } from 'vitest';
import type { Bundle } from '../../policies/bundle/bundle.ts';
import { Counter, counter } from '../../runtime/actor/agents.fixture.ts';
import { refTo } from '../../runtime/actor/ref.ts';
import type { Incoming } from '../../runtime/actor/remote.ts';
import { TestNode } from '../../runtime/actor/test-kit.ts';
import { type Did, parseDid } from '../../runtime/codec/did.ts';
import { sha256 } from '../../runtime/codec/digest.ts';
import { digestText } from '../../runtime/codec/record.ts';
import type { Millis } from '../../runtime/core/brand.ts';
import { utf8 } from '../../runtime/core/bytes.ts';
import { unwrap } from '../../runtime/core/result.ts';
import { eventIdOf } from '../../runtime/kernel/event-id.ts';
import type { Endorsement } from '../../runtime/kernel/ring.ts';
import { govern } from '../governance.ts';
import { replayDecisions } from './decide-again.ts';
import { rulesOf } from './office.fixture.ts';
import { recordedBundles } from './policy-journal.ts';
import { reconsider } from './reconsider.ts';
import { isReadable, recordedDecisions } from './recorded-decisions.ts';

const HEAD = 'apiVersion: ringmesh.policy/v1\nname: talk\nlayer: org\n';
const ALLOWED = '  - { id: talk, on: { verb: [ask, tell] }, effect: allow }\n';
const open = rulesOf(`${HEAD}rules:\n${ALLOWED}`);
const limited = rulesOf(
  `${HEAD}rules:\n${ALLOWED}  - rateLimit: { limit: 3, per: 1h, on: { verb: [ask, tell], tool: counter.add@two } }\n`,
);
const counted = rulesOf(`${HEAD}facts:
  said: { of: counter.add@two, by: [subject.id], within: 30m }
rules:
${ALLOWED}  - id: enough
    on: { verb: [ask, tell], tool: counter.add@two }
    when: facts.count("said", "30m") >= 3
    effect: deny
    because: two has heard enough
`);

/** A node with the agents `one` and `two`, under the bundle in each of its lives. */
async function aNode(bundle: Bundle, endorsements: readonly Endorsement[] = []) {
  const kit = new TestNode({
    implementations: [counter],
    made: async (life) => {
      const { gates, epochs } = govern({ ...life, bundle: () => bundle, endorsements });
      return { gates, epochs };
    },
  });
  await kit.open();
  await kit.node.spawn(Counter, 'one');
  await kit.node.spawn(Counter, 'two');
  return kit;
}

const didOf = (name: string): Did => unwrap(parseDid(`did:example:${name}`), 'a DID');

let sent = 0;
async function arrive(kit: TestNode, kind: 'ask' | 'tell', agent = 'far') {
  const message = eventIdOf('arriving', sent++);
  const incoming: Incoming = {
    ...{ message, kind, from: { agent, did: didOf(agent) }, to: 'two', name: 'add', body: { n: 1 } },
    ...{ chain: [], deadline: kit.clock.now() + 60_000, correlation: message, delegation: [] },
    envelope: digestText(sha256(utf8(message))),
  };
  const answer = await (kind === 'ask' ? kit.node.answer(incoming) : kit.node.accept(incoming));
  return 'code' in answer ? answer.code : answer.type;
}

async function flood(kit: TestNode, kind: 'ask' | 'tell', count: number): Promise<readonly string[]> {
  const answers: string[] = [];
  for (let n = 0; n < count; n++) answers.push(await arrive(kit, kind));
  return answers;
}

test.each([
  ['of its ring', open, 10, 'busy'],
  ['of a rule', limited, 3, 'busy'],
  ['that a rule counts to', counted, 3, 'policy.denied'],
] as const)(
  'a flood from another node finds the limit %s where it was before a restart',
  async (_, bundle, limit, code) => {
    for (const kind of ['ask', 'tell'] as const) {
      await using kit = await aNode(bundle);
      expect(await flood(kit, kind, limit - 1)).toEqual(Array.from({ length: limit - 1 }, () => 'ok'));
      await kit.crash();
      await kit.open();
      expect(await flood(kit, kind, 3)).toEqual(['ok', code, code]);
      await kit.crash();
      await kit.open();
      expect(await flood(kit, kind, 2)).toEqual([code, code]);
      expect(await arrive(kit, kind, 'other')).toBe('ok'); // another sender's limit is its own
      await kit.settle();

      const report = replayDecisions(kit.log, recordedBundles(kit.log));
      expect(report).toMatchObject({ differences: 0, notReplayable: {} });
      expect(report.same).toBeGreaterThan(limit);
      expect(reconsider(kit.log, bundle)).toMatchObject({ inexact: 0, newly: { deny: { count: 0 } } });
    }
  },
);

test('whoever is endorsed is limited as before a restart, not as in the ring that it would start in', async () => {
  const endorsed = { agent: 'far', ring: 2, trustFloor: 650, expiresAt: (2 ** 50) as Millis } as const;
  await using kit = await aNode(open, [endorsed]);
  expect(await flood(kit, 'tell', 39)).not.toContain('busy');
  await kit.crash();
  await kit.open();
  expect(await flood(kit, 'tell', 2)).toEqual(['ok', 'busy']);
});

test('a message from another node is told as its sender’s act, by the ring and the moment that it was decided by', async () => {
  await using kit = await aNode(open);
  await arrive(kit, 'ask');
  kit.clock.advance(5_000);
  const [arrived] = [...recordedDecisions(kit.log)];

  if (arrived === undefined || !isReadable(arrived)) throw new Error('expected a decision that can be read back');
  expect(arrived.request).toMatchObject({
    point: 'agent_message',
    at: arrived.record.wallMs,
    subject: { name: 'far', id: didOf('far'), ring: 3, trust: 20 },
    action: { tool: 'counter.add@two', verb: 'ask', risk: 0 },
    args: { n: 1 },
  });
  expect(arrived).toMatchObject({ isExact: true, isWhole: true });
});

test('what an agent told others takes from a rule’s rate after a restart, too, and is decided again alike', async () => {
  await using kit = await aNode(limited);
  const say = async () => {
    await kit.node.ask(refTo(Counter, 'one')).say({ to: 'two', n: 1 });
    await kit.settle();
    return kit.count('message.sent');
  };
  expect([await say(), await say()]).toEqual([1, 2]);
  await kit.crash();
  await kit.open();

  expect([await say(), await say(), await say()]).toEqual([3, 3, 3]);
  const report = replayDecisions(kit.log, recordedBundles(kit.log));
  expect(report).toMatchObject({ decisions: 5, same: 5, differences: 0, notReplayable: {} });
});

test('what an agent told others is not said to be decided again where counts matter: its record comes after others', async () => {
  await using kit = await aNode(counted);
  await kit.node.ask(refTo(Counter, 'one')).say({ to: 'two', n: 1 });
  await kit.settle();

  const report = replayDecisions(kit.log, recordedBundles(kit.log));
  const notReplayable = { 'what was counted when it was said is not known': 1 };
  expect(report).toMatchObject({ decisions: 1, same: 0, differences: 0, notReplayable });
});

test('a dead letter that is put back is an act of whoever had sent it, and is decided again alike', async () => {
  await using kit = await aNode(limited);
  await kit.node.ask(refTo(Counter, 'one')).say({ to: 'three', n: 1 }); // nobody has this agent
  await kit.advance('1h');
  await kit.node.spawn(Counter, 'three');
  const [letter] = kit.node.deadLetters();
  if (letter === undefined) throw new Error('expected a dead letter');
  expect(await kit.node.retry(letter.message)).toMatchObject({ type: 'ok' });
  await kit.settle();
  const decided = [...recordedDecisions(kit.log)].at(-1);

  expect(decided).toMatchObject({
    record: { type: 'message.retried' },
    request: { subject: { name: 'one', id: kit.log.did }, action: { tool: 'counter.add@three' }, args: { n: 1 } },
    isExact: true,
  });
  expect(replayDecisions(kit.log, recordedBundles(kit.log))).toMatchObject({
    decisions: 2,
    same: 2,
    notReplayable: {},
  });
});

test('F1, F2: what was counted before a decision is the same whether it is asked about at once or after all of them', async () => {
  await using kit = await aNode(counted);
  await flood(kit, 'tell', 5);
  const readings = (decided: ReturnType<typeof recordedDecisions> extends Generator<infer D> ? D : never) =>
    isReadable(decided)
      ? decided
          .facts(counted)
          .read(decided.request)
          .readings['said']?.map(({ count }) => count)
      : [];
  const atOnce = [...recordedDecisions(kit.log).map(readings)];
  const afterwards = [...recordedDecisions(kit.log)].map(readings);

  expect(atOnce).toEqual([[0], [1], [2], [3], [3]]);
  expect(afterwards).toEqual(atOnce);
});
