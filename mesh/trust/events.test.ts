import { expect, test } from 'vitest';
import { seededRandom } from '../../runtime/core/simulation.ts';
import { anAgent } from '../world.fixture.ts';
import { identityLearned, inceptionIn, TRUST_EVENTS } from './events.ts';

test('an inception comes back from its event as it went in, to the byte', () => {
  const [inception = new Uint8Array()] = anAgent('quote', seededRandom('events')).identity.history;
  expect(Buffer.from(inceptionIn(identityLearned(inception)) ?? []).equals(inception)).toBe(true);
});

test.each([[null], [7], ['x'], [[]], [{}], [{ inception: 7 }], [{ inception: '%%' }]])(
  '%j holds no inception',
  (payload) => {
    expect(inceptionIn(payload)).toBeUndefined();
  },
);

test('the names of the events stay as they are: logs have them for ever', () => {
  expect(TRUST_EVENTS).toEqual({ learned: 'identity.learned', changed: 'trust.changed' });
});
