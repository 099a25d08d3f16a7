import { describe, expect, test } from 'vitest';
import type { Bundle } from '../../policies/bundle/bundle.ts';
import { BundleHolder } from '../../policies/bundle/bundle-holder.ts';
import { signBundle } from '../../policies/bundle/signed.ts';
import { generateKeyPair } from '../../runtime/codec/ed25519.ts';
import { digestText, parseStreamId } from '../../runtime/codec/record.ts';
import { CodedError } from '../../runtime/core/errors.ts';
import { unwrap } from '../../runtime/core/result.ts';
import { ManualClock, seededRandom } from '../../runtime/core/simulation.ts';
import { eventIdOf } from '../../runtime/kernel/event-id.ts';
import type { EventLog } from '../../runtime/log/event-log.ts';
import { MemoryWorld } from '../../runtime/log/memory-log.ts';
import { jsonOf } from '../../runtime/log/upcast.ts';
import { eventType } from '../../runtime/log/vocabulary.ts';
import { decideAgain, replayDecisions } from './decide-again.ts';
import { HOUSE, office, officeOver, rulesOf } from './office.fixture.ts';
import { activations, PolicyJournal, recordedBundles } from './policy-journal.ts';
import { reconsider } from './reconsider.ts';
import { type Decided, isReadable, recordedDecisions } from './recorded-decisions.ts';

const house = rulesOf(HOUSE);
const stricter = rulesOf(HOUSE.replace('10000', '100'));

function decisions(log: EventLog): readonly Decided[] {
  return [...recordedDecisions(log)].filter(isReadable);
}

function typesOf(log: EventLog): readonly string[] {
  return [...log.read()].map(({ type }) => type).filter((type) => type.startsWith('policy.'));
}

describe('a bundle on record', () => {
  test('J1, J2: is told before the first decision under it, with its bytes under its digest', async () => {
    const { log, act, recorded } = await office(() => house);
    await act('file.write');
    await recorded();

    expect(typesOf(log)).toEqual(['policy.stored', 'policy.activated']);
    expect(activations(log)[0]?.index).toBeLessThan(decisions(log)[0]?.record.index ?? 0);
    expect(activations(log)).toMatchObject([{ digest: house.digest, version: 1, replaced: null }]);
    expect(recordedBundles(log)(house.digest)?.bytes).toEqual(house.bytes);
    expect(decisions(log)[0]?.decision.policy).toBe(house.digest);
  });

  test('J2: another one takes over with its own event, and the first is stored once', async () => {
    let now: Bundle | undefined = house;
    const { log, act, recorded } = await office(() => now);
    await act('refund.issue', { amount: 500 });
    now = stricter;
    await act('refund.issue', { amount: 500 });
    now = house;
    await act('refund.issue', { amount: 500 });
    await recorded();

    expect(activations(log).map(({ digest, replaced }) => [digest, replaced])).toEqual([
      [house.digest, null],
      [stricter.digest, house.digest],
      [house.digest, stricter.digest],
    ]);
    expect(typesOf(log).filter((type) => type === 'policy.stored')).toHaveLength(2);
    expect(decisions(log).map(({ decision }) => decision.verdict)).toEqual(['allow', 'escalate', 'allow']);
  });

  test('J2: a restart under the same bundle is no event', async () => {
    const clock = new ManualClock();
    const world = new MemoryWorld(seededRandom(3));
    const sizes: number[] = [];
    for (const seed of [1, 2]) {
      const { log } = await world.open(clock);
      await officeOver(log, { clock, random: seededRandom(seed), bundle: () => house }).recorded();
      sizes.push(typesOf(log).length);
      await log[Symbol.asyncDispose]();
    }
    expect(sizes).toEqual([2, 2]);
  });

  test('J3: a load that fails is on record, and the old one decides on', async () => {
    const pair = generateKeyPair(seededRandom(9));
    const holder = new BundleHolder(house);
    const { log, act, policies } = await office(() => holder.current);
    const file = signBundle(rulesOf(HOUSE.replace('10000', '100')), new Map([['ops', pair]]));
    const keys = new Map([['ops', pair.publicKey]]);

    const tampered = Uint8Array.from(file);
    tampered.set([0x20], file.length - 9);
    expect(await policies.load(holder, tampered, { keys })).toMatchObject({ ok: false });
    expect(await policies.load(holder, file, { keys: new Map() })).toMatchObject({ ok: false });
    expect(holder.current).toBe(house);
    await act('refund.issue', { amount: 500 });
    expect(await policies.load(holder, file, { keys })).toMatchObject({ ok: true });
    await act('refund.issue', { amount: 500 });

    const rejected = [...log.read()].filter(({ type }) => type === 'policy.rejected');
    expect(rejected.map((record) => jsonOf(record, log))).toMatchObject([
      { code: 'policy.bundle_bad_signature', kept: house.digest },
      { code: 'policy.bundle_unsigned', kept: house.digest },
    ]);
    expect(activations(log).map(({ digest }) => digest)).toEqual([house.digest, stricter.digest]);
    expect(decisions(log).map(({ decision }) => decision.verdict)).toEqual(['allow', 'escalate']);
  });

  test('J1: a large one is a blob under the digest that decisions name, and other bytes are no bundle', async () => {
    const more = Array.from(
      { length: 60 },
      (_, n) => `  - { id: more-${n}, on: { tool: file.read }, effect: allow }\n`,
    );
    const large = rulesOf(HOUSE + more.join(''));
    const { log, recorded } = await office(() => large);
    await recorded();
    const other = { readStream: log.readStream.bind(log), blob: () => house.bytes };

    expect(log.blob(large.digest)).toEqual(large.bytes);
    expect(recordedBundles(log)(large.digest)?.digest).toBe(large.digest);
    expect(recordedBundles(other)(large.digest)).toBeUndefined();
    expect(recordedBundles(log)(house.digest)).toBeUndefined();
  });

  test('J1: a log that refuses once is told again by the next decision', async () => {
    const { log } = await new MemoryWorld(seededRandom(3)).open(new ManualClock());
    let refusals = 1;
    const append: EventLog['append'] = async (writes) => {
      if (refusals-- > 0) throw new CodedError('log.busy', 'expected room, found none');
      return log.append(writes);
    };
    const { did } = log;
    const [find, versionOf] = [log.find.bind(log), log.versionOf.bind(log)];
    const busy = { append, did, find, versionOf, readStream: log.readStream.bind(log), blob: log.blob.bind(log) };
    const journal = new PolicyJournal(busy);

    journal.inForce(house);
    await journal.recorded();
    expect(activations(log)).toEqual([]);
    expect(journal.inForce(house)).toBe(house);
    await journal.recorded();

    expect(activations(log)).toMatchObject([{ digest: house.digest, replaced: null }]);
    expect(recordedBundles(log)(house.digest)?.digest).toBe(house.digest);
  });
});

describe('deciding again', () => {
  /** One decision of every kind. */
  async function busyDay() {
    let now: Bundle | undefined = house;
    const at = await office(() => now);
    for (const amount of [1, 10_001, 0]) await at.act('refund.issue', { amount });
    await at.act('file.erase', {}, 'chief'); // allowed by policy; the ring wants people
    await at.act('file.write', { path: 'a' }, 'stranger'); // the ring refuses
    for (let n = 0; n < 4; n++) await at.act('file.read', {}, 'chief'); // the fourth exceeds the rule's rate
    await at.act('refund.issue', { amount: 5 }, 'chief');
    at.clock.advance(4_000_000); // endorsements have run out
    await at.act('refund.issue', { amount: 5 }, 'chief');
    now = undefined;
    await at.act('file.read', {}, 'chief');
    return at;
  }

  test('R1, R2: gives what was recorded, and counts what the policy was not asked', async () => {
    const { log } = await busyDay();

    const replay = replayDecisions(log, recordedBundles(log));

    expect(replay).toMatchObject({ differences: 0, different: [], notReplayable: {} });
    expect(replay.notAsked['ring']).toBeGreaterThan(0);
    expect(replay.same).toBe(replay.decisions - Object.values(replay.notAsked).reduce((a, b) => a + b, 0));
    const codes = decisions(log).map(({ decision }) => decision.code);
    for (const code of ['policy.allowed', 'policy.escalated', 'policy.denied', 'policy.rate_exceeded']) {
      expect(codes).toContain(code);
    }
  });

  test('a record says the moment, the ring, the trust and its index', async () => {
    const { log } = await busyDay();

    const [first] = decisions(log);

    expect(first).toMatchObject({ isExact: true, isWhole: true, standing: { ring: 2, trust: 650 } });
    expect(first?.request).toMatchObject({ subject: { name: 'clerk', ring: 2, trust: 650 }, args: { amount: 1 } });
    expect(first?.asOf).toBeLessThanOrEqual(first?.record.index ?? 0);
  });

  test('R1: tells both sides where a record is not what its bundle says', async () => {
    const { log } = await busyDay();
    const [first] = decisions(log);
    if (first === undefined) throw new Error('expected a decision');
    const { decision } = first;
    const forged = { ...first, decision: { ...decision, verdict: 'deny', code: 'policy.denied' } } as const;

    expect(decideAgain(forged, () => house)).toEqual({
      type: 'different',
      recorded: { verdict: 'deny', code: 'policy.denied', rule: 'house/refunds' },
      again: { verdict: 'allow', code: 'policy.allowed', rule: 'house/refunds' },
    });
  });

  test('R1: a bundle of the right digest and other rules would show', async () => {
    const { log } = await busyDay();

    const replay = replayDecisions(log, () => rulesOf(HOUSE.replace('10000', '0')));

    expect(replay.differences).toBeGreaterThan(0);
    expect(replay.different[0]).toMatchObject({ recorded: { verdict: 'allow' }, again: { verdict: 'escalate' } });
  });

  test.each<[string, (decided: Decided) => Decided, string]>([
    ['its input was redacted', (d) => ({ ...d, isWhole: false }), 'the input was redacted'],
    ['it names no ring', (d) => ({ ...d, isExact: false }), 'the record says neither the moment nor the ring'],
    [
      'its bundle is unknown',
      (d) => ({ ...d, decision: { ...d.decision, policy: digestText(d.asked.digest) } }),
      'the bundle is not in the log',
    ],
  ])('R2: a record cannot be decided again where %s', async (_, changed, why) => {
    const { log } = await busyDay();
    const [first] = decisions(log);
    if (first === undefined) throw new Error('expected a decision');

    expect(decideAgain(changed(first), recordedBundles(log))).toEqual({ type: 'not_replayable', why });
  });
});

describe('messages sent', () => {
  test('are compared with the ring that the log said before them, and are not said to be decided again', async () => {
    const { log, act, recorded } = await office(() => house);
    await act('refund.issue', { amount: 1 });
    await recorded();
    const stream = unwrap(parseStreamId('agent/clerk'), 'a stream');
    const sent = { turn: 't', message: 'm', to: 'desk', contract: 'notes', name: 'add', body: { n: 1 } };
    const payloads = [sent, { to: 'desk' }];
    const events = payloads.map((value, n) => ({
      id: eventIdOf('sent', n),
      type: eventType('message.sent'),
      actor: log.did,
      decision: { verdict: 'deny', code: 'policy.no_permit', policy: house.digest } as const,
      payload: { type: 'json', value } as const,
    }));
    await log.append([{ stream, expected: 'any', events }]);

    const { request, isExact } = decisions(log).at(-1) ?? {};
    expect(request).toMatchObject({
      point: 'agent_message',
      subject: { name: 'clerk', ring: 2, trust: 650 },
      action: { tool: 'notes.add@desk', verb: 'tell' },
      args: { n: 1 },
    });
    expect(isExact).toBe(false);
    expect(replayDecisions(log, recordedBundles(log)).notReplayable).toEqual({
      'event.unknown_type': 1,
      'the record says neither the moment nor the ring': 1,
    });
    const chatty = rulesOf(HOUSE.replace('rules:', 'rules:\n  - { id: chat, on: { verb: tell }, effect: allow }'));
    expect(reconsider(log, chatty)).toMatchObject({
      decisions: 3,
      compared: 2,
      inexact: 1,
      left: { 'event.unknown_type': 1 },
      newly: { allow: { count: 1, byRule: { 'house/chat': 1 }, byAgent: { clerk: 1 } } },
      isLaxer: true,
    });
  });
});
