import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseFromHost } from './from-host.ts';
import type { FromHost } from './protocol.ts';

const id = '0190a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2b';
const options = {
  restart: 'transient',
  stop_within_ms: 5,
  supervise: { strategy: 'one_for_all', restarts: '5 in 30s', backoff: { min: 1, max: 2 } },
};
const segment = { entries: [], total: 0, digest: '' };

/** One of each kind, with every kind of part. */
const samples: readonly FromHost[] = [
  { type: 'ready', contracts: [{ name: 'counter', digest: 'd' }] },
  { type: 'operation', turn: 't', ordinal: 0, operation: { verb: 'use', tool: 'a', input: {}, under: null } },
  {
    type: 'operation',
    turn: 't',
    ordinal: 1,
    operation: { verb: 'ask', agent: 'a', contract: 'c', message: 'm', input: null, withinMs: 5 },
  },
  {
    type: 'operation',
    turn: 't',
    ordinal: 2,
    operation: { verb: 'tell', agent: 'a', contract: 'c', message: 'm', input: 1, retryForMs: 5 },
  },
  { type: 'operation', turn: 't', ordinal: 3, operation: { verb: 'spawn', agent: 'a', contract: 'c', options } },
  { type: 'operation', turn: 't', ordinal: 4, operation: { verb: 'stop', agent: 'a' } },
  { type: 'operation', turn: 't', ordinal: 5, operation: { verb: 'approve', tool: 'a', input: [], withinMs: 1 } },
  {
    type: 'park',
    turn: 't',
    waits: [{ ordinal: 0, name: 'sleep', digest: 'd', event: null, withinMs: null }],
    segment: { entries: [{ type: 'cancel', timer: 'x' }], total: 1, digest: 'd' },
  },
  {
    type: 'done',
    turn: 't',
    reply: { type: 'ok', value: 1 },
    state: 'd',
    kept: { code: 'c', emitted: 256, state: {} },
    segment: {
      entries: [
        { type: 'emit', name: 'Added', data: { n: 1 } },
        { type: 'tell', message: id, agent: 'a', contract: 'c', name: 'm', input: {}, retryForMs: 1 },
        { type: 'arm', timer: 'x', delayMs: 1, everyMs: null, message: 'm', input: {} },
        { type: 'watch', agent: 'a', message: 'm' },
      ],
      total: 4,
      digest: '',
    },
  },
  { type: 'done', turn: 't', reply: { type: 'failed', code: 'c', message: 'm' }, segment, state: 'd' },
  { type: 'done', turn: 't', reply: { type: 'busy', retryAfterMs: 1 }, segment, state: 'd' },
  { type: 'failed', turn: 't', code: 'c', message: 'm' },
  { type: 'stale', turn: 't' },
  { type: 'diverged', turn: 't', expected: 'a', found: 'b' },
];

describe('what a host says', () => {
  test.each(samples.map((sample) => [sample.type, sample] as const))('%s is taken as it is', (_, sample) => {
    expect(parseFromHost(JSON.parse(JSON.stringify(sample)))).toEqual({ ok: true, value: sample });
  });

  test.each([
    ['nothing', null],
    ['no object', 'done'],
    ['no kind', {}],
    ['a kind of another protocol', { type: 'begin' }],
    ['an end without what it leaves', { type: 'done', turn: 't', reply: { type: 'ok', value: 1 }, state: 'd' }],
    ['an answer without a value', { type: 'done', turn: 't', reply: { type: 'ok' }, segment, state: 'd' }],
    ['an answer of no kind', { type: 'done', turn: 't', reply: { type: 'splendid' }, segment, state: 'd' }],
    ['an operation before the first', { ...samples[5], ordinal: -1 }],
    ['an operation of no kind', { type: 'operation', turn: 't', ordinal: 0, operation: { verb: 'rule' } }],
    ['a wait in the past', { type: 'park', turn: 't', segment, waits: [{ ...waitOf(), withinMs: -1 }] }],
    ['more than there is room for', { type: 'stale', turn: 't', also: 'this' }],
  ])('%s is refused by a code', (_, message) => {
    expect(parseFromHost(message)).toMatchObject({ ok: false, error: { code: 'host.malformed' } });
  });

  test('any JSON gets an answer, and whoever takes a part out or puts another in gets the same or a refusal', () => {
    const pick = fc.constantFrom(...samples.map((sample) => JSON.stringify(sample)));
    fc.assert(
      fc.property(fc.jsonValue(), pick, fc.nat(), (value, sample, at) => {
        expect(parseFromHost(value).ok).toBe(false);
        const paths = pathsOf(JSON.parse(sample));
        const broken: unknown = JSON.parse(sample, (key, old: unknown) =>
          key === paths[at % paths.length] ? value : old,
        );
        const parsed = parseFromHost(broken);
        expect(parsed).toEqual(parsed.ok ? { ok: true, value: broken } : { ok: false, error: expect.any(Object) });
      }),
    );
  });
});

function waitOf() {
  return { ordinal: 0, name: 'sleep', digest: 'd', event: null, withinMs: 1 };
}

/** Every key anywhere. */
function pathsOf(value: unknown): readonly string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => [key, ...pathsOf(inner)]);
}
