import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseDid } from '../runtime/codec/did.ts';
import type { JsonValue } from '../runtime/codec/json.ts';
import { unwrap } from '../runtime/core/result.ts';
import type { Death } from './death.ts';
import { clockEvent, VITAL_EVENT_TYPES, type VitalEvents, vitalEvent } from './heartbeat-events.ts';
import type { PeerNews } from './heartbeat-peers.ts';
import { nodeToken } from './subject.ts';
import { NOW } from './world.fixture.ts';

/** One sample of every version of every type, as it was first recorded. Old logs hold these for ever: never edit one. */
const golden = JSON.parse(readFileSync(new URL('golden/heartbeat-events.json', import.meta.url), 'utf8')) as {
  readonly [T in keyof VitalEvents]: { readonly 1: VitalEvents[T] & JsonValue };
};

const { node, epoch, by } = golden['peer.suspected'][1];
const notice: Death = { at: NOW, by: unwrap(parseDid(by ?? ''), 'a DID'), cause: 'exited', epoch, node };

test.each<[string, PeerNews, Death | undefined]>([
  ['peer.suspected', { type: 'suspected', node, epoch }, notice],
  ['peer.died', { type: 'died', node, epoch, why: 'accused' }, undefined],
  ['peer.returned', { type: 'returned', node, epoch }, undefined],
])('%s is recorded as its golden sample is', (type, news, told) => {
  const event = vitalEvent(news, told);
  expect(event?.stream).toBe(`peer/${nodeToken(node)}`);
  expect(event?.event).toEqual({ type, payload: { type: 'json', value: golden[type as keyof VitalEvents][1] } });
});

test('whoever saw it himself names nobody; that a life began is not recorded here: its handshake is', () => {
  expect(vitalEvent({ type: 'suspected', node, epoch })?.event.payload).toMatchObject({
    value: { by: null, cause: 'silent' },
  });
  expect(vitalEvent({ type: 'refuted', node, epoch })?.event.payload).toMatchObject({ value: { after: 'suspicion' } });
  expect(vitalEvent({ type: 'joined', node, epoch })).toBeUndefined();
  expect(Object.keys(golden)).toEqual(VITAL_EVENT_TYPES);
});

test('that a clock differs is recorded as its golden sample is', () => {
  const sample = golden['peer.clock_differs'][1];
  const { stream, event } = clockEvent(sample);
  expect(stream).toBe(`peer/${nodeToken(node)}`);
  expect(event).toEqual({ type: 'peer.clock_differs', payload: { type: 'json', value: sample } });
});
