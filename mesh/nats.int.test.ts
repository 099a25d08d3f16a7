/** The transport and the permissions on real brokers. */
import { type ConnectionOptions, connect, type NatsConnection } from 'nats';
import { describe, expect, test } from 'vitest';
import type { Did } from '../runtime/codec/did.ts';
import { generateKeyPair, type KeyPair } from '../runtime/codec/ed25519.ts';
import { utf8, view } from '../runtime/core/bytes.ts';
import { unwrap } from '../runtime/core/result.ts';
import { systemClock, systemRandom } from '../runtime/core/system.ts';
import { hopContract } from './hop.contract.ts';
import { natsConfig } from './nats-config.ts';
import { type Broker, brokerBinaries, startBroker } from './nats-server.fixture.ts';
import { connectNats } from './nats-transport.ts';
import { signNonce } from './nkey.ts';
import { ALL, LANES, nodeToken, parseRealm, subject } from './subject.ts';
import { transportContract } from './transport.contract.ts';
import { didOf, TestNode } from './world.fixture.ts';

const realm = unwrap(parseRealm('acme'), 'a realm');
const ports = { clock: systemClock, random: systemRandom };

type Member = { readonly did: Did; readonly node: KeyPair; readonly login: KeyPair };

function member(): Member {
  const [node, login] = [generateKeyPair(systemRandom), generateKeyPair(systemRandom)];
  return { did: didOf(node), node, login };
}

type Members = readonly [Member, Member, Member];

async function openRealm(binary: string): Promise<{ broker: Broker; members: Members }> {
  const members: Members = [member(), member(), member()];
  const users = members.map(({ node, login }, n) => ({
    node: node.publicKey,
    login: login.publicKey,
    mayControl: n === 2,
  }));
  const broker = await startBroker(binary, natsConfig({ listen: '127.0.0.1:-1', realm, users }));
  return { broker, members };
}

/** A client that is not ours: it says what it likes, as whoever it can log in as. */
async function enemy(broker: Broker, login: KeyPair): Promise<NatsConnection & { refused: () => Promise<string> }> {
  const options: ConnectionOptions = {
    servers: [broker.url],
    authenticator: (nonce) => signNonce(login, nonce),
    reconnect: false,
  };
  const connection = await connect(options);
  const statuses = connection.status()[Symbol.asyncIterator]();
  return Object.assign(connection, {
    refused: async (): Promise<string> => {
      await connection.flush();
      for (let status = await statuses.next(); status.done !== true; status = await statuses.next()) {
        if (status.value.type === 'error') return status.value.error.message;
      }
      return 'nothing';
    },
  });
}

const soon = (): AbortSignal => AbortSignal.timeout(10_000);

describe.each(brokerBinaries(process.env['RINGMESH_NATS_SERVERS']))('%s', (binary) => {
  transportContract('over NATS', async () => {
    const { broker, members } = await openRealm(binary);
    return {
      nodes: [members[0].did, members[1].did, members[2].did],
      attach: (did) => {
        const login = members.find((candidate) => candidate.did === did)?.login ?? members[0].login;
        return connectNats({ ...ports, servers: [broker.url], realm, self: nodeToken(did), login }, soon());
      },
      [Symbol.asyncDispose]: () => broker[Symbol.asyncDispose](),
    };
  });

  hopContract('over NATS', async () => {
    const { broker, members } = await openRealm(binary);
    const [a, b] = members;
    const open = ({ did, login }: Member) =>
      connectNats({ ...ports, servers: [broker.url], realm, self: nodeToken(did), login }, soon());
    const transports = [await open(a), await open(b)] as const;
    return {
      nodes: [new TestNode(systemRandom, a.node), new TestNode(systemRandom, b.node)],
      transports,
      [Symbol.asyncDispose]: async () => {
        for (const transport of transports) await transport[Symbol.asyncDispose]();
        await broker[Symbol.asyncDispose]();
      },
    };
  });

  test('the broker refuses a message in the name of another node, on every lane', async () => {
    const { broker, members } = await openRealm(binary);
    await using _ = broker;
    const [thief, victim, target] = members;
    await using receiver = await connectNats(
      { ...ports, servers: [broker.url], realm, self: nodeToken(target.did), login: target.login },
      soon(),
    );
    const connection = await enemy(broker, thief.login);
    const [to, from] = [nodeToken(target.did), nodeToken(victim.did)];
    for (const lane of LANES) {
      connection.publish(subject.message(realm, lane, { to, from }), utf8('as the victim'));
      expect(await connection.refused()).toMatch(/permissions violation/i);
    }
    connection.publish(subject.message(realm, 'tell', { to, from: nodeToken(thief.did) }), utf8('as himself'));
    for await (const group of receiver.arrivals(soon())) {
      expect(group).toMatchObject([{ type: 'message', from: nodeToken(thief.did) }]);
      break;
    }
    await connection.close();
  });

  test('the broker refuses the control lane to who has no grant, and gives it to who has', async () => {
    const { broker, members } = await openRealm(binary);
    await using _ = broker;
    const [plain, target, operator] = members;
    const connection = await enemy(broker, plain.login);
    const to = nodeToken(target.did);
    connection.publish(subject.message(realm, 'control', { to, from: nodeToken(plain.did) }), utf8('kill'));
    expect(await connection.refused()).toMatch(/permissions violation/i);
    await connection.close();
    const open = ({ did, login }: Member) =>
      connectNats({ ...ports, servers: [broker.url], realm, self: nodeToken(did), login }, soon());
    await using receiver = await open(target);
    await using sender = await open(operator);
    sender.send('control', to, utf8('kill'));
    for await (const [arrival] of receiver.arrivals(soon())) {
      expect(arrival).toMatchObject({ type: 'message', lane: 'control' });
      break;
    }
  });

  test('the broker refuses to let a node listen to what is not for it', async () => {
    const { broker, members } = await openRealm(binary);
    await using _ = broker;
    const [spy, victim] = members;
    const connection = await enemy(broker, spy.login);
    const tapped = [
      subject.arriving(realm, nodeToken(victim.did)),
      subject.message(realm, 'ask', { to: nodeToken(victim.did), from: nodeToken(spy.did) }),
      subject.inbox(nodeToken(victim.did)),
      ...[
        '>',
        '*',
        '*.>',
        '_I.>',
        '_INBOX.>',
        '$SYS.>',
        '$JS.>',
        '*.acme.>',
        '*.*.*.*.*',
        '$SRV.>',
        '_INBOX.*',
        '_M.>',
      ],
    ];
    for (const pattern of tapped) {
      const refused = Promise.withResolvers<string>();
      connection.subscribe(pattern, { callback: (error) => refused.resolve(error?.message ?? 'a message') });
      expect(await refused.promise).toMatch(/permissions violation/i);
    }
    await connection.close();
  });

  test('the broker refuses other subjects: its own, JetStream’s, other realms, other inboxes, wildcards', async () => {
    const { broker, members } = await openRealm(binary);
    await using _ = broker;
    const [thief, victim] = members;
    const connection = await enemy(broker, thief.login);
    const other = unwrap(parseRealm('other'), 'a realm');
    const [to, from] = [nodeToken(victim.did), nodeToken(thief.did)];
    for (const address of [
      '$SYS.REQ.SERVER.PING',
      '$JS.API.INFO',
      '$SRV.PING',
      subject.letter(realm, { to, from }),
      subject.absence(to, 'ask', from),
      subject.message(other, 'ask', { to, from }),
      `${subject.message(realm, 'ask', { to, from })}.x`,
      subject.message(realm, 'tell', { to: ALL, from: nodeToken(victim.did) }),
      subject.message(realm, 'beat', { to, from }),
    ]) {
      connection.publish(address, utf8('x'));
      expect(await connection.refused()).toMatch(/permissions violation/i);
    }
    await connection.close();
  });

  test('the broker lets nobody in without a key that it knows', async () => {
    const { broker, members } = await openRealm(binary);
    await using _ = broker;
    const self = nodeToken(members[0].did);
    const code = expect.objectContaining({ code: 'transport.unreachable', retryable: true });
    await expect(connectNats({ ...ports, servers: [broker.url], realm, self }, soon())).rejects.toThrow(code);
    const stranger = generateKeyPair(systemRandom);
    await expect(
      connectNats({ ...ports, servers: [broker.url], realm, self, login: stranger }, soon()),
    ).rejects.toThrow(code);
  });

  test('a node that logs in as one and speaks as another hears of its refusals', async () => {
    const { broker, members } = await openRealm(binary);
    await using _ = broker;
    const [own, other] = members;
    const refusals: string[] = [];
    const refused = Promise.withResolvers<void>();
    const onRefused = (reason: string): void => {
      refusals.push(reason);
      refused.resolve();
    };
    const options = { ...ports, servers: [broker.url], realm, self: nodeToken(other.did), login: own.login, onRefused };
    await using transport = await connectNats(options, soon());
    await refused.promise;
    expect(refusals[0]).toMatch(/permissions violation/i);
    expect(transport.self).toBe(nodeToken(other.did));
  });

  test('after the broker was gone and came back on the same port there is a gap, and messages flow', async () => {
    const members: Members = [member(), member(), member()];
    const users = members.map(({ node, login }) => ({
      node: node.publicKey,
      login: login.publicKey,
      mayControl: false,
    }));
    const config = (listen: string): string => natsConfig({ listen, realm, users });
    const first = await startBroker(binary, config('127.0.0.1:-1'));
    const open = ({ did, login }: Member) =>
      connectNats({ ...ports, servers: [first.url], realm, self: nodeToken(did), login }, soon());
    await using a = await open(members[0]);
    await using b = await open(members[1]);
    await first[Symbol.asyncDispose]();
    await using _ = await startBroker(binary, config(first.url));
    const gapOf = async (transport: typeof a): Promise<void> => {
      for await (const group of transport.arrivals(soon())) if (group.some(({ type }) => type === 'gap')) return;
    };
    await Promise.all([gapOf(a), gapOf(b)]);
    a.send('tell', b.self, utf8('again'));
    for await (const [arrival] of b.arrivals(soon())) {
      expect(arrival?.type === 'message' && view(arrival.bytes).toString()).toBe('again');
      break;
    }
  });
});
