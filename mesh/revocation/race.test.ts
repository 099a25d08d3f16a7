/** A revocation on one node, an act on another, and a wire between them that delays, loses and is cut. */
import { describe, expect, test } from 'vitest';
import type { Risk } from '../../runtime/kernel/action.ts';
import { REVOCATION_AGE_MS_MAX } from '../limits.ts';
import { payloadOf } from '../link/link.fixture.ts';
import { aRace } from './race.fixture.ts';

const WORLDS = Array.from({ length: 10 }, (_, world) => world);
const PER_WORLD = 100;
const STEP_MS = 2;

/** What became of an ask: of the message itself, or of the act that it led to. */
function codeOf(outcome: { readonly type: string; readonly code?: string; readonly value?: unknown }): string {
  if (outcome.type !== 'ok') return outcome.code ?? outcome.type;
  const { outcome: acted } = outcome.value as { readonly outcome: { readonly type: string; readonly code?: string } };
  return acted.code ?? acted.type;
}

/** How often each end was seen, over all worlds. */
const ended = new Map<string, number>();

describe('of 1,000 interleavings of a revocation on one node with an act on another', () => {
  test.each(WORLDS)(
    'no act starts after it arrived, nor one of class 2 on a stale view: world %i',
    async (world) => {
      const race = await aRace(`race ${world}`, world % 2 === 0 ? 0 : 2);
      const { net, b, now, pass, ofB } = race;
      const draw = net.random.stream('moments');
      const ageMs = (): number => net.clock.now() - ofB.revocations.heardAt;
      const stepTo = (leftMs: number): Promise<void> => (leftMs > 2_000 ? pass(1_000, 1_000) : pass(STEP_MS, STEP_MS));
      let isCut = false;
      net.wire = ({ lane }) => {
        const isNews = lane === 'revoke' || lane === 'beat';
        if (isNews && (isCut || draw.below(10) === 0)) return [];
        return [draw.below(isNews ? 30 : 15)];
      };
      await pass(11_000, 50); // both have heard each other's hearts
      for (let n = 0; n < PER_WORLD; n++) {
        const root = await race.grant();
        now.risk = (1 + draw.below(3)) as Risk;
        now.diskMs = draw.below(12);
        isCut = draw.below(6) === 0;
        if (isCut) {
          const untilMs = REVOCATION_AGE_MS_MAX - draw.below(90);
          while (ageMs() < untilMs) await stepTo(untilMs - ageMs());
        }
        const [askAt, revokeAt] = [draw.below(15), draw.below(40)];
        const where = { world, n, askAt, revokeAt, isCut, risk: now.risk };
        let code: string | undefined;
        [now.started, now.admitted] = [[], 0];
        for (let step = 0; code === undefined || !ofB.news.has(root); step++) {
          if (step === askAt) {
            void race.ask(root).then((outcome) => {
              code = codeOf(outcome);
            });
          }
          if (step === revokeAt) race.revoke(root);
          const [before, wasKnown] = [now.started.length + now.admitted, ofB.news.has(root)];
          const stepMs = code === undefined ? STEP_MS : STEP_MS * 100;
          await pass(stepMs, stepMs);
          const begun = now.started.length + now.admitted > before;
          if (wasKnown) expect({ ...where, begun }).toMatchObject({ begun: false });
          const isStale = now.risk >= 2 && now.started.some((age) => age >= REVOCATION_AGE_MS_MAX);
          expect({ ...where, isStale }).toMatchObject({ isStale: false });
          if (code !== undefined && step > askAt) isCut = false; // what was lost comes with a later heartbeat
          expect(step).toBeLessThan(10_000);
        }
        ended.set(code, (ended.get(code) ?? 0) + 1);
        const onRecord = [...b.log.read()].slice(-6).flatMap((record) => {
          const said = payloadOf(record) as { readonly code?: string; readonly outcome?: { readonly type: string } };
          return [record.decision?.code, said.code, said.outcome?.type];
        });
        expect(onRecord).toContain(code);
        if (ageMs() > 20_000) await pass(7_000, 100);
      }
      await Promise.all([race.a.kill(), b.kill()]);
    },
    120_000,
  );

  test('every way that it can end was reached', () => {
    for (const code of ['ok', 'permit.stale', 'delegation.revoked', 'revocation.stale']) {
      expect([code, (ended.get(code) ?? 0) > 20]).toEqual([code, true]);
    }
    expect([...ended.values()].reduce((sum, count) => sum + count, 0)).toBe(WORLDS.length * PER_WORLD);
  });
});
