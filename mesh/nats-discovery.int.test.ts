/** Nodes found by the service discovery of NATS, as an operator's tools do it, on real brokers. */
import { connect, type NatsConnection } from 'nats';
import { describe, expect, test } from 'vitest';
import { generateKeyPair } from '../runtime/codec/ed25519.ts';
import { unwrap } from '../runtime/core/result.ts';
import { systemClock, systemRandom } from '../runtime/core/system.ts';
import { type NodeCard, VERBS, type Verb } from './discovery.ts';
import { natsConfig } from './nats-config.ts';
import { answerDiscovery } from './nats-discovery.ts';
import { type Broker, brokerBinaries, startBroker } from './nats-server.fixture.ts';
import { connectNats, type NatsTransport } from './nats-transport.ts';
import { signNonce } from './nkey.ts';
import { nodeToken, parseRealm, subject } from './subject.ts';
import { didOf } from './world.fixture.ts';

const realm = unwrap(parseRealm('acme'), 'a realm');
const members = [0, 1].map(() => ({ node: generateKeyPair(systemRandom), login: generateKeyPair(systemRandom) }));
const operator = generateKeyPair(systemRandom);
const soon = (): AbortSignal => AbortSignal.timeout(10_000);

function start(binary: string): Promise<Broker> {
  const users = members.map(({ node, login }) => ({ node: node.publicKey, login: login.publicKey, mayControl: false }));
  const operators = [{ operator: operator.publicKey, login: operator.publicKey }];
  return startBroker(binary, natsConfig({ listen: '127.0.0.1:-1', realm, users, operators }));
}

async function openNodes(url: string): Promise<readonly NatsTransport[]> {
  const transports: NatsTransport[] = [];
  for (const [n, { node, login }] of members.entries()) {
    const [did, clock, random] = [didOf(node), systemClock, systemRandom];
    const self = nodeToken(did);
    const transport = await connectNats({ servers: [url], realm, self, login, clock, random }, soon());
    const card: NodeCard = { node: did, self, realm, version: '0.1.0', epoch: `life-${n}`, started: clock.now() };
    answerDiscovery(transport.link, card, () => ({
      agents: n + 1,
      names: ['quote'],
      mailbox: 5,
      turn: 20,
      asks: 7,
      refused: 2,
      now: systemClock.now(),
      clocksApart: 0,
    }));
    await transport.flush(soon());
    transports.push(transport);
  }
  return transports;
}

async function ask(tools: NatsConnection, address: string): Promise<readonly Record<string, unknown>[]> {
  const answers: Record<string, unknown>[] = [];
  const options = { maxWait: 5_000, strategy: 'stall', stall: 300 } as const;
  for await (const answer of await tools.requestMany(address, '', options)) answers.push(answer.json());
  return answers;
}

describe.each(brokerBinaries(process.env['RINGMESH_NATS_SERVERS']))('%s', (binary) => {
  test('all nodes, those of a name and one by its id answer who, where and how they are', async () => {
    await using broker = await start(binary);
    const nodes = await openNodes(broker.url);
    const tools = await connect({ servers: broker.url, authenticator: (nonce) => signNonce(operator, nonce) });
    const [first] = nodes;
    for (const verb of VERBS) {
      const [all = '', named = '', one = ''] = subject.discovery(verb, first?.self ?? nodeToken(didOf(operator)));
      expect(await ask(tools, all)).toHaveLength(2);
      expect(await ask(tools, named)).toHaveLength(2);
      expect(await ask(tools, one)).toMatchObject([
        {
          id: first?.self,
          metadata: { agents: '1', epoch: 'life-0', node: didOf(members[0]?.node ?? operator), realm },
          name: 'ringmesh',
          type: `io.nats.micro.v1.${verb.toLowerCase()}_response`,
          version: '0.1.0',
        },
      ]);
    }
    const [stats] = await ask(tools, subject.discovery('STATS', first?.self as never)[2] ?? '');
    expect(stats).toMatchObject({
      endpoints: [{ name: 'ask', num_requests: 7, num_errors: 2, data: { agents: 1, mailbox: 5, turn_ms: 20 } }],
      started: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    });
    await tools.close();
    for (const node of nodes) await node[Symbol.asyncDispose]();
  });

  test('whoever asks cannot make a node answer on another subject than an inbox (Y1)', async () => {
    await using broker = await start(binary);
    const [node, other] = (await openNodes(broker.url)) as [NatsTransport, NatsTransport];
    const tools = await connect({ servers: broker.url, authenticator: (nonce) => signNonce(operator, nonce) });
    const [, , one = ''] = subject.discovery('PING' satisfies Verb, node.self);
    const reply = subject.message(realm, 'tell', { to: other.self, from: node.self });
    for (const address of [reply, '_INBOX', '_INBOX.>', '_INBOX.*', '$SRV.PING'])
      tools.publish(one, '', { reply: address });
    await tools.flush();
    expect(await ask(tools, one)).toHaveLength(1);
    node.send('tell', other.self, new Uint8Array(1));
    for await (const group of other.arrivals(soon())) {
      expect(group).toMatchObject([{ type: 'message', lane: 'tell', bytes: { length: 1 } }]);
      break;
    }
    await tools.close();
    for (const each of [node, other]) await each[Symbol.asyncDispose]();
  });
});
