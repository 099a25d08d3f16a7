/** Nothing is spent twice, nothing is spent unseen: acts and messages of a family, at once, under one budget. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Cid } from '../../runtime/codec/cid.ts';
import type { JsonValue } from '../../runtime/codec/json.ts';
import { type EventId, parseStreamId } from '../../runtime/codec/record.ts';
import { unwrap } from '../../runtime/core/result.ts';
import { ManualClock } from '../../runtime/core/simulation.ts';
import type { Action } from '../../runtime/kernel/action.ts';
import { allowList } from '../../runtime/kernel/allow-list.ts';
import { eventIdOf } from '../../runtime/kernel/event-id.ts';
import { Kernel } from '../../runtime/kernel/kernel.ts';
import { MemoryWorld } from '../../runtime/log/memory-log.ts';
import { NOW } from '../world.fixture.ts';
import { delegationEvent } from './authority.ts';
import type { Delegation } from './delegation.ts';
import { delegationGate } from './gate.ts';
import { Ledger } from './ledger.ts';
import { type Party, Realm } from './realm.fixture.ts';

type Deed = { readonly who: number; readonly type: 'use' | 'fails' | 'tell'; readonly at: number };
type Family = { readonly budgets: readonly number[]; readonly parents: readonly number[]; readonly deeds: Deed[] };

const live = new AbortController().signal;
const stream = unwrap(parseStreamId('agent/clerk'), 'a stream');

/** Up to five agents, each a child of one before it, with a budget of calls of its own; and what they do, and when. */
const families: fc.Arbitrary<Family> = fc.integer({ min: 1, max: 5 }).chain((size) =>
  fc.record({
    budgets: fc.array(fc.integer({ min: 0, max: 8 }), { minLength: size, maxLength: size }),
    parents: fc.tuple(...Array.from({ length: size }, (_, n) => fc.integer({ min: -1, max: n - 1 }))),
    deeds: fc.array(
      fc.record({
        who: fc.nat(size - 1),
        type: fc.constantFrom('use' as const, 'fails' as const, 'tell' as const),
        at: fc.nat(30),
      }),
      { maxLength: 24 },
    ),
  }),
);

/** What a family does, each deed after so many ticks; and under whose chain what was allowed. */
async function lived(seed: string, { budgets, parents, deeds }: Family) {
  const realm = new Realm(seed);
  const clock = new ManualClock(NOW);
  const { log } = await new MemoryWorld(realm.random).open(clock);
  const gate = delegationGate(realm.parts);
  const kernel = new Kernel({
    ...{ log, clock, random: realm.random, gates: { policy: allowList({ '*': ['*'] }), delegation: gate } },
    executorOf: () => ({
      run: async (input: JsonValue) =>
        (input as { readonly fails: boolean }).fails
          ? { type: 'failed', code: 'tool.failed', message: 'no' }
          : { type: 'ok', value: null },
    }),
  });
  const chains: { readonly party: Party; readonly chain: readonly Delegation[] }[] = [];
  for (const [n, calls] of budgets.entries()) {
    const parent = chains[parents[n] ?? -1];
    const party = realm.party();
    const from = parent?.party ?? realm.operator;
    const above = parent?.chain ?? [];
    const budget = { calls: Math.min(calls, least(above)) };
    chains.push({ party, chain: [...above, await realm.link(from, party, above, { budget })] });
    await realm.learn(chains.at(-1)?.chain ?? []);
  }
  let isKept = true;
  const isBounded = (): boolean =>
    chains.every(({ chain }) =>
      chain.every(({ cid, claims }) => (realm.ledger.spent(cid).calls ?? 0) <= (claims.bud.calls ?? Infinity)),
    );
  const spentBy = new Map<Cid, number>();
  const spend = (cids: readonly Cid[]): void => {
    for (const cid of cids) spentBy.set(cid, (spentBy.get(cid) ?? 0) + 1);
  };
  const act = ({ who, type }: Deed, key: string): Action => ({
    ...{ key, agent: 'clerk', actor: (chains[who] as (typeof chains)[number]).party.did, stream, withinMs: 1_000 },
    ...{ verb: 'use', target: 'mail.send', effect: 'idempotent', risk: 1, input: { fails: type === 'fails' } },
  });
  await Promise.all(
    deeds.map(async (deed, n) => {
      for (let tick = 0; tick < deed.at; tick++) await undefined;
      const cids = chains[deed.who]?.chain.map(({ cid }) => cid) ?? [];
      const action = act(deed, `${n}`);
      if (deed.type !== 'tell') {
        const outcome = await kernel.perform(action, live);
        if (outcome.type === 'ok' || outcome.type === 'failed') spend(cids);
        else expect(outcome).toMatchObject({ type: 'denied', code: 'delegation.overdrawn' });
      } else {
        const debited = gate.debit(action, cids, NOW);
        if (debited.ok && debited.value !== undefined) {
          spend(cids);
          const id = eventIdOf('debited', action.actor, action.key) as EventId;
          const event = delegationEvent('budget.debited', debited.value, { id, actor: log.did });
          const authority = unwrap(parseStreamId('authority'), 'a stream');
          await log.append([{ stream: authority, expected: 'any', events: [event] }]);
        } else expect(debited).toMatchObject({ error: { code: 'delegation.overdrawn' } });
      }
      isKept &&= isBounded();
    }),
  );
  await log.flushed();
  return { realm, log, chains, spentBy, wasBounded: isKept };
}

function least(chain: readonly Delegation[]): number {
  return Math.min(...chain.map(({ claims }) => claims.bud.calls ?? Infinity));
}

describe('a budget that a family shares', () => {
  test('is never overdrawn, by any of it or all together, and counts what was done and nothing else', async () => {
    let seed = 0;
    const property = fc.asyncProperty(families, async (family) => {
      const { realm, log, chains, spentBy, wasBounded } = await lived(`family ${seed++}`, family);
      expect(wasBounded).toBe(true);
      for (const { chain } of chains) {
        const [last] = chain.slice(-1);
        if (last === undefined) continue;
        expect(realm.ledger.spent(last.cid).calls ?? 0).toBe(spentBy.get(last.cid) ?? 0);
      }
      const again = new Ledger();
      for (const past of log.read()) again.relive(past, log);
      expect(again.toJSON()).toEqual(realm.ledger.toJSON());
    });
    await expect(fc.assert(property, { numRuns: 60 })).resolves.toBeUndefined();
  }, 60_000);

  test('is spent to the last call by as many as want it at once, and no further', async () => {
    const deeds = Array.from(
      { length: 40 },
      (_, n): Deed => ({ who: 1 + (n % 3), type: n % 2 ? 'use' : 'tell', at: n % 5 }),
    );
    const { realm, chains } = await lived('rush', { budgets: [7, 5, 5, 5], parents: [-1, 0, 0, 0], deeds });
    const [root] = chains[0]?.chain ?? [];
    expect(root === undefined ? undefined : realm.ledger.spent(root.cid)).toEqual({ calls: 7 });
  });
});
