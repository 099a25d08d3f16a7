import { describe, expect, test } from 'vitest';
import { bundle } from '../policies/bundle/bundle.ts';
import { policy } from '../policies/document/document.ts';
import { parseStreamId } from '../runtime/codec/record.ts';
import type { Millis } from '../runtime/core/brand.ts';
import { unwrap } from '../runtime/core/result.ts';
import { ManualClock, seededRandom } from '../runtime/core/simulation.ts';
import type { Action } from '../runtime/kernel/action.ts';
import { type Executor, Kernel } from '../runtime/kernel/kernel.ts';
import { MemoryWorld } from '../runtime/log/memory-log.ts';
import { jsonOf } from '../runtime/log/upcast.ts';
import { govern } from './governance.ts';

const live = new AbortController().signal;
const rules = bundle([
  policy({
    name: 'house',
    layer: 'org',
    tools: {
      'file.read': { effects: ['read'], reversibility: 'reversible' },
      'file.write': { effects: ['write'], reversibility: 'reversible' },
      'file.publish': { effects: ['write'], reversibility: 'reversible', risk: 3 },
      'file.erase': { effects: ['write'], reversibility: 'irreversible' },
    },
    rules: [{ id: 'files', on: { tool: 'file.*' }, effect: 'allow' }],
  }),
]);

/** A node whose agent `clerk` is endorsed for ring 2. Opening it again is what a restart does. */
async function office() {
  const clock = new ManualClock();
  const world = new MemoryWorld(seededRandom(3));
  let starts = 0;
  const open = async (bundleNow = () => rules as typeof rules | undefined) => {
    const { log } = await world.open(clock);
    const random = seededRandom(++starts);
    const expiresAt = (clock.now() + 3_600_000) as Millis;
    const endorsements = [{ agent: 'clerk', ring: 2, trustFloor: 650, expiresAt }] as const;
    const governance = govern({ log, clock, random, bundle: bundleNow, endorsements });
    const did: string[] = [];
    const executor: Executor = {
      run: async (_, { action }) => {
        did.push(action.target);
        return { type: 'ok', value: null };
      },
    };
    const { gates, epochs } = governance;
    const kernel = new Kernel({ log, clock, random, gates, epochs, executorOf: () => executor });
    let acts = 0;
    const act = (target: string, agent = 'clerk') => {
      const stream = unwrap(parseStreamId(`agent/${agent}`), 'a stream');
      const action: Action = {
        key: `${clock.now()}/${acts++}`,
        agent,
        actor: log.did,
        stream,
        verb: 'use',
        target,
        effect: 'idempotent',
        risk: 1,
        input: {},
        withinMs: 1_000,
      };
      return kernel.perform(action, live);
    };
    const rings = () =>
      [...log.readStream(unwrap(parseStreamId('ring/clerk'), 'a stream'))].map((record) => [
        record.type,
        jsonOf(record, log),
      ]);
    return { ...governance, log, act, did, ringEvents: rings };
  };
  return { clock, open };
}

describe('a governed node', () => {
  test('lets an endorsed agent do on the first day what its ring may', async () => {
    const { act, rings } = await (await office()).open();
    expect(await act('file.write')).toMatchObject({ type: 'ok' });
    expect(rings.ringOf('clerk')).toBe(2);
  });

  test('keeps an agent that nobody endorsed to what ring 3 may', async () => {
    const { act, did } = await (await office()).open();
    expect(await act('file.read', 'stranger')).toMatchObject({ type: 'denied', code: 'ring.too_far_out' });
    expect(did).toEqual([]);
  });

  test('holds an agent to the risk class that a tool’s manifest says, whatever its ring', async () => {
    const { act, did, elevate, clock, rings } = await (async () => {
      const { open, clock } = await office();
      return { ...(await open()), clock };
    })();
    expect(await act('file.publish')).toMatchObject({ type: 'denied', code: 'trust.too_low' });
    const until = (clock.now() + 60_000) as Millis;
    elevate({ agent: 'clerk', ring: 1, until, by: 'did:example:ops' as never });
    expect(await act('file.publish')).toMatchObject({ type: 'ok' });
    clock.advance(60_000);
    expect(await act('file.publish')).toMatchObject({ type: 'denied', code: 'trust.too_low' });
    expect(did).toEqual(['file.publish']);
    expect(rings.ringOf('clerk')).toBe(2); // too little trust is no violation
  });

  test('V2: demotes at the first act out of bounds, and records it', async () => {
    const { act, did, rings, recorded, ringEvents } = await (await office()).open();
    expect(await act('shell.run')).toMatchObject({ type: 'denied' });
    expect(rings.ringOf('clerk')).toBe(3);
    expect(await act('file.write')).toMatchObject({ type: 'denied', code: 'ring.too_far_out' });
    expect(did).toEqual([]);
    await recorded();
    expect(ringEvents().map(([type]) => type)).toEqual(['agent.endorsed', 'ring.promoted', 'ring.demoted']);
    expect(ringEvents().at(-1)?.[1]).toEqual({ agent: 'clerk', from: 2, to: 3, score: 20 });
  });

  test('V2: a permit of before a demotion is worthless', async () => {
    const { act, did } = await (await office()).open();
    const [written, refused] = await Promise.all([act('file.write'), act('shell.run')]);
    expect(refused).toMatchObject({ type: 'denied' });
    expect(written.type === 'ok' ? did : []).toHaveLength(written.type === 'ok' ? 1 : 0);
    expect(await act('file.write')).toMatchObject({ type: 'denied' });
  });

  test('V1: a restart neither forgives a violation nor forgets clean work', async () => {
    const { open } = await office();
    const first = await open();
    await first.act('shell.run');
    await first.recorded();
    await first.log[Symbol.asyncDispose]();
    const second = await open();
    expect(second.rings.ringOf('clerk')).toBe(3);
    expect(await second.act('file.write')).toMatchObject({ type: 'denied', code: 'ring.too_far_out' });
  });

  test('V2: a change of ring that the power took before it was recorded is recorded by the next start', async () => {
    const { open } = await office();
    const { act, log, ringEvents, recorded } = await open();
    await act('shell.run');
    await recorded();
    const kept = [...log.read()].filter(({ type, stream }) => type !== 'ring.demoted' && stream !== 'policy');
    const { log: bare } = await new MemoryWorld(seededRandom(4)).open(new ManualClock());
    for (const { payload, ...record } of kept) {
      if (payload.type !== 'json') throw new Error('expected events that are data');
      await bare.append([{ stream: record.stream, expected: 'any', events: [{ ...record, payload }] }]);
    }
    const parts = { log: bare, clock: new ManualClock(), random: seededRandom(9), bundle: () => rules };
    await govern(parts).recorded();
    await govern({ ...parts, random: seededRandom(10) }).recorded();

    expect(ringEvents().map(([type]) => type)).toContain('ring.demoted');
    const moves = [...bare.read()].filter(({ type }) => type.startsWith('ring.'));
    expect(moves.map((record) => [record.type, jsonOf(record, bare)])).toEqual([
      ['ring.promoted', { agent: 'clerk', from: 3, to: 2, score: 650 }],
      ['ring.demoted', { agent: 'clerk', from: 2, to: 3, score: 20 }],
    ]);
  });

  test('V1: a restart gives nobody a fresh bucket', async () => {
    const { open, clock } = await office();
    const first = await open();
    for (let n = 0; n < 40; n++) await first.act('file.read');
    expect(await first.act('file.read')).toMatchObject({ type: 'busy' });
    await first.recorded();
    await first.log[Symbol.asyncDispose]();
    const second = await open();
    expect(await second.act('file.read')).toMatchObject({ type: 'busy' });
    clock.advance(50);
    expect(await second.act('file.read')).toMatchObject({ type: 'ok' });
  });

  test('V1: an elevation is on record, outlives a restart, and ends when it says', async () => {
    const { open, clock } = await office();
    const first = await open();
    await first.act('file.read');
    const until = (clock.now() + 60_000) as Millis;
    expect(first.elevate({ agent: 'clerk', ring: 1, until, by: first.log.did })).toMatchObject({ ok: true });
    expect(first.elevate({ agent: 'nobody', ring: 1, until, by: first.log.did })).toMatchObject({ ok: false });
    await first.recorded();
    expect(first.ringEvents().map(([type]) => type)).toContain('ring.elevated');
    await first.log[Symbol.asyncDispose]();
    const second = await open();
    expect(second.rings.ringOf('clerk')).toBe(1);
    clock.advance(60_000);
    await second.act('file.read');
    expect(second.rings.ringOf('clerk')).toBe(2);
  });

  test('asks a human for what cannot be undone, and nobody answers: nothing happens', async () => {
    const { act, did } = await (await office()).open();
    expect(await act('file.erase')).toMatchObject({ type: 'denied' });
    expect(did).toEqual([]);
  });

  test('V3: without a bundle nothing executes', async () => {
    const { act, did } = await (await office()).open(() => undefined);
    expect(await act('file.write')).toMatchObject({ type: 'denied' });
    expect(did).toEqual([]);
  });

  test('slows an agent down to the rate of its ring', async () => {
    const { clock, open } = await office();
    const { act } = await open();
    const burst = await Promise.all(Array.from({ length: 8 }, () => act('file.read')));
    expect(burst.every(({ type }) => type === 'ok')).toBe(true);
    for (let n = 8; n < 40; n++) expect(await act('file.read')).toMatchObject({ type: 'ok' });
    expect(await act('file.read')).toMatchObject({ type: 'busy' });
    clock.advance(50);
    expect(await act('file.read')).toMatchObject({ type: 'ok' });
  });
});
