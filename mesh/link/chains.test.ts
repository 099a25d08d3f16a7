/** Chains on the wire: shown before they are named, waited for, and shown again to who has forgotten them. */
import { describe, expect, test } from 'vitest';
import { formatDidKey } from '../../runtime/codec/did-key.ts';
import { generateKeyPair } from '../../runtime/codec/ed25519.ts';
import type { Millis } from '../../runtime/core/brand.ts';
import { unwrap } from '../../runtime/core/result.ts';
import { realmAuthority } from '../delegation/authority.ts';
import { Delegations } from '../delegation/delegations.ts';
import { delegationCheck } from '../delegation/gate.ts';
import { Ledger } from '../delegation/ledger.ts';
import { mint } from '../delegation/mint.ts';
import { learnDelegations } from '../delegation/presentation.ts';
import { Directory } from '../directory.ts';
import { Revocations } from '../revocation/revocations.ts';
import { type Handler, LinkNode } from './link.fixture.ts';
import { Net } from './net.fixture.ts';

const echo: Handler = ({ body }) => ({ type: 'ok', value: { echo: body } });

/** `desk` on A has a delegation of the operator for all that it asks of `quote` on B, who asks everybody for one. */
async function aPairWithChains(seed: string) {
  const net = new Net(seed);
  const operator = generateKeyPair(net.random);
  const a = new LinkNode(net, 'a', { desk: echo });
  const b = new LinkNode(net, 'b', { quote: echo });
  const known = [a, b].map(() => {
    const directory = new Directory();
    const revocations = new Revocations(() => true);
    const subject = directory.subject.bind(directory);
    const authority = realmAuthority({ subject, operators: new Set([formatDidKey(operator.publicKey)]), revocations });
    return { directory, authority, delegations: new Delegations(authority) };
  });
  const [ofA, ofB] = known as [(typeof known)[number], (typeof known)[number]];
  const issuer = formatDidKey(operator.publicKey);
  const now = net.clock.now();
  const audience = unwrap({ ok: true, value: a.keys.didOf('desk') ?? issuer } as const, 'a DID');
  const terms = { issuer, audience, command: '/quote', notBefore: now, expires: (now + 3_600_000) as Millis };
  const token = unwrap(await mint(terms, [], { pair: operator, random: net.random }), 'a delegation');
  const { delegation } = unwrap(await ofA.delegations.learn(token, now), 'a delegation');
  const world = { forgets: false, reading: Promise.resolve(), learned: 0, delegations: ofB.delegations };
  a.over = {
    directory: ofA.directory,
    chains: {
      toShow: () => [[delegation]],
      learn: async () => [],
      recorded: async () => undefined,
      pay: () => ({ ok: true, value: [] }),
    },
  };
  const { check } = delegationCheck({
    authority: ofB.authority,
    delegations: {
      verify: (...args: Parameters<Delegations['verify']>) => world.delegations.verify(...args),
    } as Delegations,
    ledger: new Ledger(),
    heardAt: () => net.clock.now(),
    riskOf: ({ command }) => (command.startsWith('/mesh/') ? undefined : 1),
  });
  b.over = {
    directory: ofB.directory,
    checks: [check],
    chains: {
      toShow: () => [],
      async learn(content, at) {
        await world.reading;
        world.learned += 1;
        const learned = await learnDelegations(content, world.delegations, at);
        return learned.flatMap((one) => (one.ok ? [] : [one.error]));
      },
      recorded: async () => undefined,
      pay: () => ({ ok: true, value: [] }),
    },
  };
  await a.start();
  await b.start();
  await net.until('each knows the other', () => {
    return a.link.find('quote') !== undefined && b.link.find('desk') !== undefined;
  });
  const ask = (n: number, delegations: readonly string[] = [delegation.cid]) => {
    const outgoing = a.outgoing('ask', { from: 'desk', to: 'quote', body: n, withinMs: 60_000 });
    return a.link.ask({ ...outgoing, delegations }, new AbortController().signal);
  };
  const forget = (): void => {
    world.delegations = new Delegations(ofB.authority);
  };
  return { net, a, b, ask, world, forget };
}

describe('a message that names a chain', () => {
  test('Z4: is obeyed though it comes with what shows the chain, and the chain is shown no more', async () => {
    const { net, b, ask, world } = await aPairWithChains('shown');
    const asks = Array.from({ length: 5 }, (_, n) => ask(n));
    expect(await net.outcome(Promise.all(asks))).toEqual(asks.map((_, n) => ({ type: 'ok', value: { echo: n } })));
    const { learned } = world;
    expect(await net.outcome(ask(5))).toMatchObject({ type: 'ok' });
    expect(b.refusals()).toEqual([]);
    expect(world.learned).toBe(learned);
  });

  test('Z4: waits while the chain is read, and so does what comes after it', async () => {
    const { net, b, ask, world } = await aPairWithChains('waits');
    const { promise, resolve } = Promise.withResolvers<void>();
    world.reading = promise;
    const first = ask(1);
    const second = ask(2);
    await net.until('it has arrived', () => net.sent.some(({ lane }) => lane === 'ask'));
    expect(b.receiver.arrived).toEqual([]);
    resolve();
    expect(await net.outcome(Promise.all([first, second]))).toMatchObject([{ type: 'ok' }, { type: 'ok' }]);
    expect(b.refusals()).toEqual([]);
  });

  test('W3: is shown again to who has forgotten it', async () => {
    const { net, b, ask, forget } = await aPairWithChains('again');
    expect(await net.outcome(ask(1))).toMatchObject({ type: 'ok' });
    forget();
    expect(await net.outcome(ask(2))).toMatchObject({ type: 'ok' });
    expect(b.refusals()).toEqual(['delegation.unknown']);
  });

  test('is refused without one, and nothing is obeyed', async () => {
    const { net, b, ask } = await aPairWithChains('none');
    expect(await net.outcome(ask(1, []))).toMatchObject({ type: 'denied', code: 'delegation.none' });
    expect(b.receiver.arrived).toEqual([]);
  });
});
