/** Properties of chains that nobody forged: they only narrow. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Cid, cidOf } from '../../runtime/codec/cid.ts';
import type { JsonValue } from '../../runtime/codec/json.ts';
import { utf8 } from '../../runtime/core/bytes.ts';
import { codeOf, later, NOW } from '../world.fixture.ts';
import { realmAuthority } from './authority.ts';
import { type Invocation, verifyChain } from './chain.ts';
import { type Delegation, type DelegationClaims, readDelegation } from './delegation.ts';
import { Delegations } from './delegations.ts';
import { anyArguments, anyPredicate } from './random.fixture.ts';
import { anAct, Realm } from './realm.fixture.ts';

const realm = new Realm('properties');
const parties = Array.from({ length: 9 }, () => realm.party());
const nobody = realm.party();

/** What one link says, as fast-check draws it; who says it to whom is fixed. */
const anyTerms = fc.record({
  cmd: fc.constantFrom('/tool', '/tool/mail', '/tool/mail/send', '/quote'),
  pol: fc.array(anyPredicate, { maxLength: 2 }),
  nbf: fc.constantFrom(0, 10, 100),
  exp: fc.constantFrom(200, 500, 900),
  dep: fc.nat(7),
  tcl: fc.constantFrom(100, 500, 1000),
  bud: fc.constantFrom({}, { calls: 1 }, { calls: 3, cents: 10 }),
  ctx: fc.option(fc.constantFrom('one', 'two'), { nil: undefined, freq: 4 }),
});
type Drawn = typeof anyTerms extends fc.Arbitrary<infer T> ? T : never;

/** Links without signatures: whether those hold is asked when a token is read. */
function chainOf(drawn: readonly Drawn[]): readonly Delegation[] {
  const chain: Delegation[] = [];
  for (const [n, { ctx, ...terms }] of drawn.entries()) {
    const parent = chain.at(-1);
    const claims: DelegationClaims = {
      ...terms,
      ...(ctx === undefined ? {} : { ctx }),
      nbf: NOW / 1000 + terms.nbf,
      exp: NOW / 1000 + terms.exp,
      iss: (n === 0 ? realm.operator : (parties[n - 1] ?? nobody)).did,
      aud: (parties[n] ?? nobody).did,
      sub: realm.operator.did,
      ...(parent === undefined ? {} : { prf: parent.cid }),
      nnc: 'A'.repeat(22),
    };
    const token = JSON.stringify(claims);
    chain.push({ claims, token, cid: cidOf(utf8(token)), key: undefined });
  }
  return chain;
}

const anyInvocation = fc.record({
  command: fc.constantFrom('/tool/mail', '/tool/mail/send', '/tool/mail/send/now', '/quote/price'),
  args: anyArguments as fc.Arbitrary<JsonValue>,
  context: fc.option(fc.constantFrom('one', 'two'), { nil: undefined }),
  cost: fc.constantFrom({}, { calls: 1 }, { calls: 2, cents: 5 }),
  trust: fc.constantFrom(0, 300, 700),
  at: fc.constantFrom(0, 50, 300, 600),
});
type Asked = typeof anyInvocation extends fc.Arbitrary<infer T> ? T : never;

function isAllowed(chain: readonly Delegation[], { context, at, ...asked }: Asked): boolean {
  const holder = parties[chain.length - 1] ?? nobody;
  const act: Invocation = { ...anAct(holder), ...asked, ...(context === undefined ? {} : { context }) };
  return verifyChain(chain, act, later(at * 1_000), realm.view).ok;
}

describe('for random chains and arguments', () => {
  test('what a child may do, each of its ancestors may do: another link never adds rights', () => {
    let allowed = 0;
    fc.assert(
      fc.property(fc.array(anyTerms, { minLength: 1, maxLength: 5 }), anyInvocation, (drawn, asked) => {
        const chain = chainOf(drawn);
        if (!isAllowed(chain, asked)) return;
        allowed += 1;
        for (let length = 1; length < chain.length; length++) {
          expect(isAllowed(chain.slice(0, length), asked)).toBe(true);
        }
      }),
      { numRuns: 10_000 },
    );
    expect(allowed).toBeGreaterThan(20);
  });

  test('taking a predicate of any link away never takes a right', () => {
    fc.assert(
      fc.property(fc.array(anyTerms, { minLength: 1, maxLength: 4 }), fc.nat(3), anyInvocation, (drawn, n, asked) => {
        const looser = drawn.map((terms, index) => (index === n ? { ...terms, pol: terms.pol.slice(1) } : terms));
        expect(isAllowed(chainOf(drawn), asked) && !isAllowed(chainOf(looser), asked)).toBe(false);
      }),
      { numRuns: 5_000 },
    );
  });

  test('the grant is the smallest of everything in the chain', () => {
    fc.assert(
      fc.property(fc.array(anyTerms, { minLength: 1, maxLength: 4 }), anyInvocation, (drawn, asked) => {
        const chain = chainOf(drawn);
        const holder = parties[chain.length - 1] ?? nobody;
        const act = { ...anAct(holder), command: asked.command, args: asked.args, cost: {} };
        const verified = verifyChain(chain, act, later(asked.at * 1_000), realm.view);
        if (!verified.ok) return;
        const claims = chain.map((link) => link.claims);
        expect(verified.value.ceiling).toBe(Math.min(...claims.map(({ tcl }) => tcl)));
        expect(verified.value.expires).toBe(Math.min(...claims.map(({ exp }) => exp)) * 1_000);
        expect(verified.value.depth).toBeGreaterThanOrEqual(0);
      }),
      { numRuns: 5_000 },
    );
  });
});

test('a token that was changed anywhere is refused, and nothing throws', async () => {
  const own = new Realm('mutations');
  const [link] = await own.chain([own.party()]);
  const token = link?.token ?? '';
  await fc.assert(
    fc.asyncProperty(fc.nat(token.length - 1), fc.constantFrom('', '.', 'A', '\u0000', '{', 'é'), async (at, put) => {
      const changed = token.slice(0, at) + put + token.slice(at + 1);
      if (changed === token) return;
      expect((await readDelegation(changed, (did) => own.subject(did))).ok).toBe(false);
    }),
    { numRuns: 120 },
  );
});

test('R2: an executor may be a root for what it answers, and for nothing else', async () => {
  const own = new Realm('executor');
  const [executor, guest] = [own.party(), own.party()];
  const authority = realmAuthority({
    subject: (did) => own.subject(did),
    operators: new Set(),
    revocations: own.revocations,
    ownRoot: (did, command) => did === executor.did && command.startsWith('/quote/'),
    mayBegin: (did) => did === executor.did,
  });
  const link = await own.link(executor, guest, [], { command: '/' });
  const view = { ...own.view, ...authority };
  const ask = (command: string): unknown => codeOf(verifyChain([link], anAct(guest, { command }), NOW, view));
  expect(ask('/quote/price')).toMatchObject({ admitted: { root: executor.did } });
  expect(ask('/tool/mail/send')).toBe('delegation.no_root');
  expect((await new Delegations(authority).learn(link.token, NOW)).ok).toBe(true);
});

test('eight links are a chain', async () => {
  const chain = await realm.chain(parties.slice(0, 8));
  expect(verifyChain(chain, anAct(parties[7] ?? nobody), NOW, realm.view).ok).toBe(true);
});

describe('the delegations that a node knows', () => {
  async function known() {
    const own = new Realm('known');
    const [chief, clerk, rogue] = [own.party(), own.party(), own.party()];
    const chain = await own.chain([chief, clerk]);
    const cids = chain.map(({ cid }): Cid => cid);
    return { own, chief, clerk, rogue, chain, cids };
  }

  test('S1: are taken from the root on, once', async () => {
    const { own, chain } = await known();
    const [first, second] = chain;
    expect(codeOf(await own.delegations.learn(second?.token ?? '', NOW))).toBe('delegation.unknown');
    expect(await own.delegations.learn(first?.token ?? '', NOW)).toMatchObject({ ok: true, value: { isNews: true } });
    expect(await own.delegations.learn(second?.token ?? '', NOW)).toMatchObject({ ok: true, value: { isNews: true } });
    expect(await own.delegations.learn(second?.token ?? '', NOW)).toMatchObject({ ok: true, value: { isNews: false } });
  });

  test('S1: are not taken from who was given nothing, when over, or when revoked', async () => {
    const { own, chief, rogue, chain, cids } = await known();
    const own1 = await own.link(rogue, chief);
    expect(codeOf(await own.delegations.learn(own1.token, NOW))).toBe('delegation.no_root');
    expect(codeOf(await own.delegations.learn(chain[0]?.token ?? '', later(900_000)))).toBe('delegation.expired');
    own.revoke(cids[0] as Cid, own.operator);
    expect(codeOf(await own.delegations.learn(chain[0]?.token ?? '', NOW))).toBe('delegation.revoked');
  });

  test('are used by exactly their chain, in its order', async () => {
    const { own, clerk, chain, cids } = await known();
    await own.learn(chain);
    const ask = (shown: readonly Cid[]): unknown => codeOf(own.delegations.verify(shown, anAct(clerk), NOW, own.view));
    expect(ask(cids)).toMatchObject({ admitted: { holder: clerk.did } });
    expect(ask(cids.toReversed())).toBe('delegation.broken_chain');
    expect(ask(cids.slice(1))).toBe('delegation.broken_chain');
    expect(ask([...cids, ...cids])).toBe('delegation.broken_chain');
    expect(ask([])).toBe('delegation.none');
    expect(ask([cidOf(utf8('another'))])).toBe('delegation.unknown');
  });

  test('S2: a revocation ends a chain that was put together before it', async () => {
    const { own, chief, clerk, chain, cids } = await known();
    await own.learn(chain);
    expect(own.delegations.verify(cids, anAct(clerk), NOW, own.view).ok).toBe(true);
    own.revoke(cids[1] as Cid, chief);
    expect(codeOf(own.delegations.verify(cids, anAct(clerk), NOW, own.view))).toBe('delegation.revoked');
  });

  test('are found for who acts, and where none allows it the nearest says why', async () => {
    const { own, chief, clerk, rogue, chain } = await known();
    await own.learn(chain);
    await own.learn([await own.link(chief, clerk, chain.slice(0, 1), { command: '/tool/pay', budget: { calls: 1 } })]);
    const find = (over: Partial<Invocation>): unknown =>
      codeOf(own.delegations.find(anAct(clerk, over), NOW, own.view));
    expect(find({ command: '/tool/pay', cost: { calls: 2 } })).toMatchObject({ admitted: { command: '/tool/pay' } });
    expect(find({ command: '/quote/price' })).toBe('delegation.other_command');
    expect(find({ command: '/tool/pay', trust: 1_001 })).toBe('delegation.low_ceiling');
    expect(find({ agent: rogue.did })).toBe('delegation.none');
  });

  test('S1: are bounded, of one issuer and in all, until some are over', async () => {
    const { own, chief, clerk, rogue, chain } = await known();
    const few = new Delegations(own.authority, { all: 3, perIssuer: 1 });
    const brief = await own.link(chief, rogue, chain.slice(0, 1), { expires: later(10_000) });
    const learn = async (token: string | undefined, at = NOW): Promise<unknown> =>
      codeOf(await few.learn(token ?? '', at));
    expect(await learn(chain[0]?.token)).toMatchObject({ admitted: { isNews: true } });
    expect(await learn(brief.token)).toMatchObject({ admitted: { isNews: true } });
    expect(await learn(chain[1]?.token)).toBe('delegation.full');
    expect(await learn(chain[1]?.token, later(10_000))).toMatchObject({ admitted: { isNews: true } });
    expect([few.to(rogue.did), few.to(clerk.did)]).toEqual([[], [chain[1]?.cid]]);
  });

  test('are forgotten when they are over', async () => {
    const { own, clerk, chain, cids } = await known();
    await own.learn(chain);
    own.delegations.expire(later(899_999));
    expect(own.delegations.to(clerk.did)).toEqual([cids[1]]);
    own.delegations.expire(later(900_000));
    expect(own.delegations.to(clerk.did)).toEqual([]);
    expect(own.delegations.chain(cids[0] as Cid)).toBeUndefined();
  });
});
