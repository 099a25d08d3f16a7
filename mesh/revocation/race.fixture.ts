/**
 * Two nodes on one wire: on A an operator takes back what he gave, on B somebody acts under it. Each knows of revocations what
 * it was sent; A is the realm's authority, whose heartbeat makes a view fresh.
 */
import type { Cid } from '../../runtime/codec/cid.ts';
import type { Did } from '../../runtime/codec/did.ts';
import { formatDidKey } from '../../runtime/codec/did-key.ts';
import { generateKeyPair } from '../../runtime/codec/ed25519.ts';
import { parseStreamId } from '../../runtime/codec/record.ts';
import type { Millis } from '../../runtime/core/brand.ts';
import { toBase64url } from '../../runtime/core/bytes.ts';
import { unwrap } from '../../runtime/core/result.ts';
import { nextTurn } from '../../runtime/core/system.ts';
import type { Risk } from '../../runtime/kernel/action.ts';
import { allowList } from '../../runtime/kernel/allow-list.ts';
import { Kernel } from '../../runtime/kernel/kernel.ts';
import type { Outcome } from '../../runtime/kernel/outcome.ts';
import type { EventLog } from '../../runtime/log/event-log.ts';
import { realmAuthority } from '../delegation/authority.ts';
import { Delegations } from '../delegation/delegations.ts';
import { delegationCheck, delegationGate } from '../delegation/gate.ts';
import { Ledger } from '../delegation/ledger.ts';
import { mint } from '../delegation/mint.ts';
import { Directory } from '../directory.ts';
import { readBeat, writeBeat } from '../heartbeat.ts';
import type { Chains } from '../link/chains.ts';
import { LinkNode } from '../link/link.fixture.ts';
import { OwnHead } from '../link/log-heads.ts';
import { Net } from '../link/net.fixture.ts';
import { ALL } from '../subject.ts';
import { revocationCheck } from './check.ts';
import { RevocationFeed } from './feed.ts';
import { writeRevocationOf } from './revocation.ts';
import { Revocations } from './revocations.ts';

const HOUR_MS = 3_600_000;
const BEAT_MS = 5_000;
const never = new AbortController().signal;

/** What a node knows and how it hears of more. */
function known(node: LinkNode, operator: Did, isAuthority: (did: Did) => boolean) {
  const directory = new Directory();
  const revocations = new Revocations(() => true);
  const news = new Map<string, Millis>();
  const subject = directory.subject.bind(directory);
  const authority = realmAuthority({ subject, operators: new Set([operator]), revocations });
  const feed = new RevocationFeed({
    ...{ revocations, isAuthority },
    send: (content) => node.transport.send('revoke', ALL, content),
    onNews: ({ target }) => news.set(target, node.net.clock.now()),
  });
  const other: NonNullable<LinkNode['over']['other']> = ({ lane, bytes, from }) => {
    if (lane === 'revoke') feed.arrived(bytes);
    if (lane !== 'beat') return;
    const beat = readBeat(bytes, node.net.clock.now(), from);
    if (beat.ok) feed.beat(beat.value.node, beat.value.revocations, node.net.clock.now());
  };
  return { directory, revocations, news, authority, feed, other, delegations: new Delegations(authority) };
}

/** The log, on a disk that takes as long as it is told. */
function slowly(log: EventLog, delayMs: () => number, clock: Net['clock']): EventLog {
  return new Proxy(log, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== 'function') return member;
      if (name !== 'flushed') return member.bind(target);
      return async () => {
        const { promise, resolve } = Promise.withResolvers<void>();
        clock.after(delayMs(), resolve);
        await promise;
        return target.flushed();
      };
    },
  });
}

/** `desk` on A asks `quote` on B, which then acts: each under a chain that begins with the operator's word to the desk. */
export async function aRace(seed: string, messageRisk: Risk) {
  const net = new Net(seed);
  const { clock, random } = net;
  const operator = generateKeyPair(random);
  const issuer = formatDidKey(operator.publicKey);
  /** What this moment is about, how old the view was whenever an act started, and how many messages were accepted. */
  const now = { risk: 1 as Risk, diskMs: 0, started: [] as number[], admitted: 0 };
  const a = new LinkNode(net, 'a', { desk: () => ({ type: 'ok', value: null }) });
  const b = new LinkNode(net, 'b', {
    quote: ({ message }) => act(message).then((outcome): Outcome => ({ type: 'ok', value: { outcome } as never })),
  });
  const [ofA, ofB] = [a, b].map((node) => known(node, issuer, (did) => did === a.did)) as [Known, Known];
  const ledger = new Ledger();
  const parts = { ...ofB, ledger, heardAt: () => ofB.revocations.heardAt };
  const guard = delegationCheck({
    ...parts,
    riskOf: ({ command }) => (command.startsWith('/mesh/') ? undefined : messageRisk),
  });
  const isFollowed = (): boolean => true; // heartbeats say who lives
  a.over = { isFollowed, directory: ofA.directory, other: ofA.other, chains: NO_CHAINS };
  b.over = {
    isFollowed,
    ...{ directory: ofB.directory, other: ofB.other, checks: [revocationCheck(ofB.authority), guard.check] },
    chains: {
      ...NO_CHAINS,
      pay(admitted, at) {
        const debited = guard.debit(admitted, at);
        if (debited.ok) now.admitted += 1;
        return debited.ok ? { ok: true, value: [] } : debited;
      },
    },
  };
  await a.start();
  await b.start();
  await net.until('each knows the other', () => {
    return a.link.find('quote') !== undefined && b.link.find('desk') !== undefined;
  });
  const [desk, quote] = [a.keys.agents.get('desk'), b.keys.agents.get('quote')];
  if (desk === undefined || quote === undefined) throw new Error('expected two agents');
  const kernel = new Kernel({
    ...{ log: slowly(b.log, () => now.diskMs, clock), clock, random },
    gates: { policy: allowList({ '*': ['*'] }), delegation: delegationGate(parts) },
    epochs: () => ({ trust: 0, revocation: ofB.revocations.epoch, kill: 0 }),
    executorOf: () => ({
      run: async () => {
        now.started.push(clock.now() - ofB.revocations.heardAt);
        return { type: 'ok', value: null };
      },
    }),
  });
  const act = (message: string): Promise<Outcome> =>
    kernel.perform(
      {
        ...{ key: message, agent: 'quote', actor: quote.did, stream: unwrap(parseStreamId('agent/quote'), 'a stream') },
        ...{ verb: 'use', target: 'mail.send', effect: 'unsafe', risk: now.risk, input: {}, withinMs: 1_000 },
      },
      never,
    );
  const beat = (): void => {
    for (const [node, { revocations }] of [[a, ofA] as const, [b, ofB] as const]) {
      const { epoch, pair, did: self } = node;
      const said = {
        ...{ agents: 1, at: clock.now(), epoch: toBase64url(epoch), every: BEAT_MS, head: new OwnHead(node.log).now() },
        ...{ mailbox: 0, node: self, number: 0, phase: 'up' as const, revocations: revocations.head(), turn: 0 },
      };
      node.transport.send('beat', ALL, writeBeat(said, pair));
    }
  };
  let beatAt = clock.now();
  /** Lets time pass in steps, with a heartbeat of each node when it is due. */
  const pass = async (ms: number, stepMs = 1): Promise<void> => {
    for (let passed = 0; passed < ms; passed += stepMs) {
      if (clock.now() >= beatAt) {
        beat();
        beatAt = (clock.now() + BEAT_MS) as Millis;
      }
      clock.advance(stepMs);
      await nextTurn();
    }
  };
  const given = async (from: { did: Did; pair: typeof operator }, to: Did, above: Cid | undefined): Promise<Cid> => {
    const at = clock.now();
    const parent = above === undefined ? [] : (ofB.delegations.chain(above) ?? []);
    const terms = { issuer: from.did, audience: to, notBefore: at, expires: (at + HOUR_MS) as Millis };
    const over = above === undefined ? { command: '/', depth: 1 } : { command: '/tool/mail', depth: 0 };
    const token = unwrap(await mint({ ...terms, ...over }, parent, { pair: from.pair, random }), 'a token');
    return unwrap(await ofB.delegations.learn(token, at), 'a delegation that B knows').delegation.cid;
  };
  return {
    ...{ net, a, b, now, pass, ofB },
    /** A chain for one moment: the desk's own, and a part of it for the quote. */
    async grant(): Promise<Cid> {
      const root = await given({ did: issuer, pair: operator }, desk.did, undefined);
      await given({ did: desk.did, pair: desk.key }, quote.did, root);
      return root;
    },
    ask: (root: Cid): Promise<Outcome> =>
      a.link.ask(
        { ...a.outgoing('ask', { from: 'desk', to: 'quote', body: {}, withinMs: HOUR_MS }), delegations: [root] },
        never,
      ),
    revoke: (root: Cid): void => {
      const statement = writeRevocationOf({ at: clock.now(), reason: 'no longer', target: root }, operator);
      unwrap(ofA.feed.announce(statement), 'a revocation');
    },
  };
}

type Known = ReturnType<typeof known>;

const NO_CHAINS: Chains = {
  toShow: () => [],
  learn: async () => [],
  recorded: async () => undefined,
  pay: () => ({ ok: true, value: [] }),
};
