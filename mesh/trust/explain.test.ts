import { expect, test } from 'vitest';
import { explainTrust, grainsInUnits, inUnits, type TrustChange, trustChanged } from './explain.ts';
import { score } from './score.ts';
import { subjectOf } from './standing.ts';
import { Trail } from './trail.fixture.ts';
import { Trust } from './trust.ts';

const brief = ({ index, why, weightQuarters, left, from, to }: TrustChange) =>
  `${index} ${why} ${inUnits(weightQuarters)}: ${left} > ${from} > ${to.score} ${to.tier}`;

test('tells of every event that moved a score: what it weighed, what time had left of it, and where it went', async () => {
  const trail = await Trail.begin();
  await trail.endorsed('clerk', 650);
  await trail.did('clerk');
  trail.clock.advance(86_400_000);
  await trail.did('clerk', { effect: 'pure' });
  await trail.denied('clerk', 'policy');
  await trail.denied('clerk', 'ring', { risk: 2 });

  expect([...explainTrust(trail.log)].map(brief)).toMatchInlineSnapshot(`
    [
      "0 endorsed 0: 21 > 21 > 650 standard",
      "2 good 1: 650 > 650 > 650 standard",
      "4 good 0.25: 650 > 650 > 650 standard",
      "5 policy 5: 650 > 650 > 76 untrusted",
      "6 policy 20: 76 > 76 > 21 untrusted",
    ]
  `);
});

test('tells of a sponsor’s liability where it lowers a sibling', async () => {
  const trail = await Trail.begin();
  await trail.endorsed('clerk', 950);
  await trail.did('clerk');
  await trail.denied('rogue', 'policy', { risk: 4 });
  const clerk = subjectOf('clerk', trail.log.did);

  const changes = [...explainTrust(trail.log, (subject) => subject === clerk)];

  expect(changes.map(brief).at(-1)).toMatch(/^\d sponsor 0: 950 > 950 > 761 trusted$/);
});

test('ends where the fold ends: the last change is the score at its moment', async () => {
  const trail = await Trail.begin();
  await trail.worked('clerk', 25);
  await trail.denied('clerk', 'delegation', {}, 'delegation.args_denied');
  const last = [...explainTrust(trail.log)].at(-1);
  const subject = subjectOf('clerk', trail.log.did);

  expect(last?.to).toEqual(score(new Trust(trail.log).state.ledger, { subject, at: last?.at ?? 0 }));
  expect(last === undefined ? undefined : trustChanged(last)).toMatchObject({ by: 50, why: 'scope', strikes: 1 });
});

test('writes weights as people read them', () => {
  expect([0, 1, 6, 40].map(inUnits)).toEqual(['0', '0.25', '1.5', '10']);
  expect([0, 4_096, 6_144, 41].map(grainsInUnits)).toEqual(['0.00', '1.00', '1.50', '0.01']);
});
