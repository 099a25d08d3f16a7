/** What was counted: by the node as it goes, after a restart, and by whoever decides again from the log. */
import { expect, test } from 'vitest';
import { parseStreamId } from '../../runtime/codec/record.ts';
import { unwrap } from '../../runtime/core/result.ts';
import { seededRandom } from '../../runtime/core/simulation.ts';
import { eventIdOf } from '../../runtime/kernel/event-id.ts';
import { Kernel } from '../../runtime/kernel/kernel.ts';
import { eventType } from '../../runtime/log/vocabulary.ts';
import { replayDecisions } from './decide-again.ts';
import { explainDecided } from './explanation.ts';
import { office, officeOver, rulesOf } from './office.fixture.ts';
import { recordedBundles } from './policy-journal.ts';
import { reconsider } from './reconsider.ts';
import { isReadable, recordedDecisions } from './recorded-decisions.ts';

const capped = (cap: number) =>
  rulesOf(`apiVersion: ringmesh.policy/v1
name: till
layer: org
tools:
  refund.issue: { effects: [money], reversibility: compensatable, parameters: { amount: { type: integer, min: 1 } } }
facts:
  refunded: { of: refund.issue, sum: /amount, by: [subject.id], within: 30m }
rules:
  - id: refunds
    on: { tool: refund.issue }
    effect: allow
  - id: half-an-hour
    on: { tool: refund.issue }
    when: facts.sum("refunded", "30m") + args.amount > ${cap}
    effect: escalate
    because: more than that in half an hour is looked at
`);

test('F1: a sum over half an hour holds across a restart, is replayed alike, and answers what if', async () => {
  const bundle = capped(1_000);
  const first = await office(() => bundle);
  const refund = (of: typeof first, amount: number) => of.act('refund.issue', { amount });
  expect(await refund(first, 600)).toMatchObject({ type: 'ok' });
  expect(await refund(first, 600)).toMatchObject({ type: 'denied', code: 'approval.required' });
  await first.recorded();

  const { clock, log } = first;
  const second = { ...officeOver(log, { clock, random: seededRandom(2), bundle: () => bundle }), clock };
  expect(await refund(second, 401)).toMatchObject({ type: 'denied' });
  expect(await refund(second, 400)).toMatchObject({ type: 'ok' });
  clock.advance(1_800_001);
  expect(await refund(second, 1_000)).toMatchObject({ type: 'ok' });
  await second.recorded();

  expect(replayDecisions(log, recordedBundles(log))).toMatchObject({ decisions: 5, same: 5, differences: 0 });
  expect(reconsider(log, capped(1_200)).newly).toMatchObject({ allow: { count: 1 }, escalate: { count: 0 } });
  const denied = [...recordedDecisions(log)].filter(isReadable).find(({ decision }) => decision.verdict === 'escalate');
  if (denied === undefined) throw new Error('expected a denial');
  const report = JSON.stringify(explainDecided(log, denied, recordedBundles(log)));
  expect(report).toContain('"value":600');
});

const talk = rulesOf(`apiVersion: ringmesh.policy/v1
name: talk
layer: org
facts:
  said: { of: desk.note@bob, by: [subject.id], within: 30m }
rules:
  - id: notes
    on: { verb: tell, tool: desk.note@bob }
    effect: allow
  - id: enough
    on: { verb: tell, tool: desk.note@bob }
    when: facts.count("said", "30m") >= 2
    effect: deny
    because: bob has heard enough
`);

test('F1: a message that was sent counts across a restart, as it did when it was sent', async () => {
  const { clock, log, ...first } = await office(() => talk);
  let turns = 0;
  const tell = async ({ gates, epochs }: Pick<typeof first, 'gates' | 'epochs'>): Promise<string> => {
    const kernel = new Kernel({ log, clock, random: seededRandom(7), gates, epochs, executorOf: () => undefined });
    const [turn, stream] = [`turn-${turns++}`, unwrap(parseStreamId('agent/clerk'), 'a stream')];
    const act = { agent: 'clerk', actor: log.did, stream, target: 'desk.note@bob', input: { text: 'hello' } };
    const { decision, recorded } = kernel.admit({
      ...{ ...act, key: `${turn}/m`, verb: 'tell', effect: 'idempotent', risk: 1, withinMs: 1 },
    });
    const value = { turn, message: 'm', to: 'bob', contract: 'desk', name: 'note', body: act.input, risk: 1 };
    const sent = { id: eventIdOf('sent', turn), type: eventType('message.sent'), actor: log.did, decision: recorded };
    if (decision.verdict === 'allow')
      await log.append([{ stream, expected: 'any', events: [{ ...sent, payload: { type: 'json', value } }] }]);
    return decision.code;
  };
  expect(await tell(first)).toBe('policy.allowed');
  await first.recorded();
  clock.advance(60_000);

  const second = officeOver(log, { clock, random: seededRandom(2), bundle: () => talk });

  expect([await tell(second), await tell(second)]).toEqual(['policy.allowed', 'policy.denied']);
});
