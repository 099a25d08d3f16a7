/** What is accepted and what it costs are one: power is lost at every event that a run records, and each message is paid once. */
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { Admitted } from '../../mesh/admit.ts';
import { Ledger } from '../../mesh/delegation/ledger.ts';
import { contract } from '../../runtime/actor/contract.ts';
import { implement } from '../../runtime/actor/implement.ts';
import { refTo } from '../../runtime/actor/ref.ts';
import { type CrashRun, crashAfter, TestNode } from '../../runtime/actor/test-kit.ts';
import { provide, tool } from '../../runtime/actor/tool.ts';
import type { Cid } from '../../runtime/codec/cid.ts';
import type { Did } from '../../runtime/codec/did.ts';
import { sha256 } from '../../runtime/codec/digest.ts';
import { type DigestText, digestText, type LogRecord } from '../../runtime/codec/record.ts';
import { utf8 } from '../../runtime/core/bytes.ts';
import { eventIdOf } from '../../runtime/kernel/event-id.ts';
import { jsonOf } from '../../runtime/log/upcast.ts';
import { NodeAuthority } from './node-authority.ts';
import { House } from './realm.fixture.ts';

const stamp = tool('desk.stamp', { in: z.object({}), out: z.null(), effect: 'idempotent' });
const Clerk = contract('clerk', {
  messages: {
    note: { in: z.object({ n: z.int() }), out: z.object({}), risk: 1 },
    ask: { in: z.object({ times: z.int() }), out: z.object({ ok: z.int(), codes: z.array(z.string()) }), within: '1h' },
    tell: { in: z.object({ times: z.int() }) },
    stamp: { in: z.object({}), out: z.object({ type: z.string() }) },
  },
  events: { Noted: z.object({ n: z.int() }) },
  uses: { stamp },
});
const clerk = implement(Clerk, {
  state: () => ({ noted: 0 }),
  evolve: { Noted: ({ noted }) => ({ noted: noted + 1 }) },
  on: {
    note({ n }, ctx) {
      ctx.emit('Noted', { n });
      return {};
    },
    async ask({ times }, ctx) {
      const answers = await ctx.all(
        Array.from({ length: times }, (_, n) => ctx.ask(refTo(Clerk, 'clerk')).note({ n })),
      );
      const codes = answers.flatMap((answer) => ('code' in answer && answer.code !== undefined ? [answer.code] : []));
      return { ok: answers.filter(({ type }) => type === 'ok').length, codes };
    },
    tell({ times }, ctx) {
      for (let n = 0; n < times; n++) ctx.tell(refTo(Clerk, 'clerk')).note({ n });
    },
    stamp: async (_, ctx) => ({ type: (await ctx.use.stamp({})).type }),
  },
});

const chief = refTo(Clerk, 'chief');
const desk = refTo(Clerk, 'clerk');

/** A node whose `chief` may send `calls` notes to the clerk, and stamp; `rogue`, from another node, as many. */
async function aWorld(seed: string, calls: number) {
  const house = new House(seed);
  const grant = { command: '/clerk/note', depth: 0, budget: { calls } };
  const [noting, stamps, others] = [
    await house.grant('chief', grant),
    await house.grant('chief', { command: '/tool/desk', depth: 0, budget: { calls: 1 } }),
    await house.grant('rogue', grant),
  ];
  let authority: NodeAuthority | undefined;
  const stamped: string[] = [];
  const kit = new TestNode({
    implementations: [clerk],
    made: async ({ log, clock, random }) => {
      authority = await NodeAuthority.open({ ...house.parts, log, clock, random, node: log.did });
      await authority.learn([noting.token, stamps.token, others.token]);
      const policy = { check: () => ({ verdict: 'allow' as const }) };
      const made = authority;
      return {
        gates: { delegation: made.gate, policy },
        didOf: (agent) => made.didOf(agent) ?? log.did,
        pay: made.pay.bind(made),
        tools: [
          provide(stamp, (_, { key }) => {
            stamped.push(key);
            return null;
          }),
        ],
      };
    },
  });
  const open = async (): Promise<void> => {
    await kit.open();
    expect(debits(kit)).toHaveLength(notes(kit).length); // at any moment that a power loss leaves
  };
  /** A message of another node's agent, as its link hands it over. */
  const arrives = (n: number) => {
    if (authority === undefined) throw new Error('expected an open node');
    const { chains } = authority.linkParts(() => Clerk);
    const id = eventIdOf('arrival', n);
    const from = house.didOf('rogue');
    const named = digestText(sha256(utf8(`message ${n}`)));
    const admitted = admittedOf({ id, from, to: house.didOf('clerk'), delegation: [others.delegation], named });
    return kit.node.accept({
      ...{ message: id, kind: 'tell', from: { agent: 'rogue', did: from }, to: 'clerk', name: 'note', body: { n } },
      ...{ chain: [], deadline: kit.clock.now() + 3_600_000, correlation: id, delegation: [others.delegation] },
      envelope: named,
      pay: () => chains.pay(admitted, kit.clock.now()),
    });
  };
  const spent = () => [noting, stamps, others].map(({ delegation }) => authority?.ledger.spent(delegation).calls ?? 0);
  return { kit, open, arrives, spent, stamped, authority: () => authority };
}

type Named = {
  readonly id: string;
  readonly from: Did;
  readonly to: Did;
  readonly delegation: readonly Cid[];
  readonly named: DigestText;
};

/** As much of an envelope as the check of delegations looks at. */
function admittedOf({ named, ...claims }: Named): Admitted {
  const body = { media: 'application/json' };
  const said = { ...claims, command: '/clerk/note', correlation: claims.id, body };
  return { head: { kind: 'tell' }, claims: said, content: utf8('{}'), message: named } as unknown as Admitted;
}

type World = Awaited<ReturnType<typeof aWorld>>;

/** Does each step until it is done, however often the power fails. */
async function run({ kit, open, arrives }: World): Promise<void> {
  const steps: readonly (() => Promise<unknown>)[] = [
    () => kit.node.spawn(Clerk, 'chief'),
    () => kit.node.spawn(Clerk, 'clerk'),
    () => kit.node.tell(chief).tell({ times: 2 }),
    () => arrives(1),
    () => kit.node.tell(chief).ask({ times: 1 }),
    () => arrives(2),
    () => kit.node.tell(chief).stamp({}),
  ];
  for (const [n, step] of steps.entries()) {
    for (;;) {
      if (!kit.isOpen) await open();
      const before = kit.accepted;
      const done = await Promise.race([
        step().then(
          () => true,
          () => false,
        ),
        kit.node.ended.then(() => false),
      ]);
      if (done && !kit.hasFailed) break;
      await kit.crash();
      await open();
      const isArrival = n === 3 || n === 5; // a sender sends again what it has heard nothing of
      if (n >= 2 && !isArrival && kit.accepted > before) break;
    }
  }
  for (let n = 0; n < 8; n++) {
    await kit.settle();
    if (kit.hasFailed) {
      await kit.crash();
      await open();
    }
    await kit.advance('1s');
  }
}

const named = (kit: TestNode, type: string) => kit.events.filter((event) => event.type === type);
const notes = (kit: TestNode) =>
  named(kit, 'message.accepted').filter(({ payload }) => (payload as { readonly name: string }).name === 'note');
const debits = (kit: TestNode): readonly LogRecord[] =>
  [...kit.log.read()].filter(({ type }) => type === 'budget.debited');

/** What must hold however the power failed. */
function end({ kit, spent, authority, stamped }: World) {
  const again = new Ledger();
  for (const past of kit.log.read()) again.relive(past, kit.log);
  expect(again.toJSON()).toEqual(authority()?.ledger.toJSON());
  const keys = debits(kit).map((record) => (jsonOf(record, kit.log) as { readonly key: string }).key);
  expect(new Set(keys).size).toBe(keys.length);
  expect(keys).toHaveLength(notes(kit).length);
  return {
    spent: spent(),
    noted: (kit.stateOf(desk) as { readonly noted: number }).noted,
    stamps: new Set(stamped).size,
  };
}

describe('T4: what is accepted is paid for in the same append', () => {
  test('wherever the power fails, before the write or after it', async () => {
    const whole: CrashRun<World & { readonly kit: TestNode }, unknown> = {
      make: () => worlds.pop() as World,
      run,
      end: (world) => {
        const found = end(world);
        expect(found).toEqual({ spent: [3, 1, 2], noted: 5, stamps: 1 });
        return found;
      },
    };
    const worlds: World[] = [];
    const first = await aWorld('crash', 9);
    worlds.push(first);
    await run(first);
    expect(end(first)).toEqual({ spent: [3, 1, 2], noted: 5, stamps: 1 });
    const { length } = first.kit.events;
    await first.kit.crash();
    expect(length).toBeGreaterThan(40);
    worlds.length = 0;
    for (let n = 0; n < 2 * length + 1; n++) worlds.push(await aWorld('crash', 9));
    expect(await crashAfter(whole)).toBeGreaterThan(80);
  }, 300_000);

  test('so what is one record is one record: no log has the one without the other', async () => {
    const world = await aWorld('beside', 9);
    await run(world);
    const records = [...world.kit.log.read()];
    const paid = records.filter(({ type }) => type === 'budget.debited');
    expect(
      paid.map(({ index }) =>
        [records[index - 1]?.type, records[index + 1]?.type].some((type) => type === 'message.accepted'),
      ),
    ).toEqual(paid.map(() => true));
  });
});

describe('T4: what cannot be paid for is not accepted', () => {
  test('between agents of one node: asked, told, or put back', async () => {
    const { kit, open, spent } = await aWorld('poor', 3);
    await open();
    await kit.node.spawn(Clerk, 'chief');
    await kit.node.spawn(Clerk, 'clerk');
    const asked = await kit.node.ask(chief).ask({ times: 5 });
    expect(asked).toMatchObject({ value: { ok: 3, codes: ['delegation.overdrawn', 'delegation.overdrawn'] } });
    await kit.node.tell(chief).tell({ times: 2 });
    await kit.advance('1s');
    expect(named(kit, 'message.delivered').map(({ payload }) => payload)).toMatchObject([
      { type: 'dead', code: 'delegation.overdrawn' },
      { type: 'dead', code: 'delegation.overdrawn' },
    ]);
    for (const letter of kit.node.deadLetters()) {
      expect(await kit.node.retry(letter.message)).toMatchObject({ type: 'denied', code: 'delegation.overdrawn' });
    }
    expect([spent()[0], notes(kit).length]).toEqual([3, 3]);
    await kit.crash();
  });

  test('of another node: twenty at once for three calls, and again after a restart', async () => {
    const { kit, open, arrives, spent } = await aWorld('rush', 3);
    await open();
    await kit.node.spawn(Clerk, 'clerk');
    const outcomes = await Promise.all(Array.from({ length: 20 }, (_, n) => arrives(n)));
    expect(outcomes.map((outcome) => ('code' in outcome ? outcome.code : outcome.type)).toSorted()).toEqual([
      ...Array<string>(17).fill('delegation.overdrawn'),
      ...Array<string>(3).fill('ok'),
    ]);
    await kit.crash();
    await open();
    expect(await arrives(0)).toMatchObject({ type: 'ok' }); // known, and paid for
    expect(await arrives(21)).toMatchObject({ type: 'denied', code: 'delegation.overdrawn' });
    expect([spent()[2], notes(kit).length]).toEqual([3, 3]);
    await kit.crash();
  });

  test('and what was revoked after it was allowed is not accepted either', async () => {
    const { kit, open, authority, arrives } = await aWorld('late', 9);
    await open();
    await kit.node.spawn(Clerk, 'clerk');
    const made = authority();
    const house = new House('late');
    const [rogue] = made?.delegations.to(house.didOf('rogue')) ?? [];
    made?.revoke(house.operator.revocation(rogue as Cid, 'no longer'));
    expect(await arrives(1)).toMatchObject({ type: 'denied', code: 'delegation.revoked' });
    expect(notes(kit)).toEqual([]);
    await kit.crash();
  });
});
