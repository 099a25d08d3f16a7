/** What was counted: by the node as it goes, after a restart, and by whoever decides again from the log. */
import { expect, test } from 'vitest';
import { seededRandom } from '../../runtime/core/simulation.ts';
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
