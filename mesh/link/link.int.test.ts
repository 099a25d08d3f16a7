/** The loop over real brokers and real disks: the `nats-server` on the PATH. */
import { expect, test } from 'vitest';
import type { Did } from '../../runtime/codec/did.ts';
import { generateKeyPair, type KeyPair } from '../../runtime/codec/ed25519.ts';
import type { JsonValue } from '../../runtime/codec/json.ts';
import { unwrap } from '../../runtime/core/result.ts';
import { nextTurn, systemClock, systemRandom } from '../../runtime/core/system.ts';
import { newEventId } from '../../runtime/kernel/event-id.ts';
import type { EventLog } from '../../runtime/log/event-log.ts';
import { type ScratchLog, scratchLog } from '../../runtime/log/scratch-log.fixture.ts';
import { soundEventsOf } from '../../runtime/log/sound-events.fixture.ts';
import type { Epoch } from '../head.ts';
import { nodeDid } from '../message.ts';
import { natsConfig } from '../nats-config.ts';
import { type Broker, startBroker } from '../nats-server.fixture.ts';
import { connectNats } from '../nats-transport.ts';
import { nodeToken, parseRealm } from '../subject.ts';
import { anAgent } from '../world.fixture.ts';
import { Keys, LogReceiver, payloadOf } from './link.fixture.ts';
import { MeshLink } from './link.ts';

const realm = unwrap(parseRealm('acme'), 'a realm');
const forever = new AbortController().signal;

/** A node whose disk and keys stay. */
class RealNode {
  readonly pair: KeyPair = generateKeyPair(systemRandom);
  readonly login: KeyPair = generateKeyPair(systemRandom);
  readonly agent: string;
  readonly keys: Keys;
  readonly disk: ScratchLog;
  life: { link: MeshLink; log: EventLog; receiver: LogReceiver; end: () => Promise<void> } | undefined;

  constructor(agent: string, disk: ScratchLog) {
    this.agent = agent;
    this.keys = new Keys(systemClock, [anAgent(agent, systemRandom)]);
    this.disk = disk;
  }

  get did(): Did {
    return nodeDid(this.pair.publicKey);
  }

  async start(broker: Broker): Promise<void> {
    const log = await this.disk.open();
    const options = {
      servers: [broker.url],
      realm,
      self: nodeToken(this.did),
      login: this.login,
      clock: systemClock,
      random: systemRandom,
    };
    const transport = await connectNats(options, AbortSignal.timeout(10_000));
    const node = { pair: this.pair, epoch: systemRandom.bytes(8) as Epoch };
    const link = new MeshLink({
      ...{ node, transport, log, identities: this.keys, clock: systemClock, random: systemRandom, nextTurn },
      mayMeet: () => true,
    });
    link.ended.catch(() => undefined);
    const receiver = new LogReceiver(
      log,
      new Map([[this.agent, ({ body }) => ({ type: 'ok', value: { echo: body } })]]),
    );
    link.start(receiver, [this.agent]);
    const end = async (): Promise<void> => {
      await transport[Symbol.asyncDispose]();
      await log[Symbol.asyncDispose]();
    };
    this.life = { link, log, receiver, end };
  }

  get alive(): NonNullable<RealNode['life']> {
    if (this.life === undefined) throw new Error('expected a node that runs');
    return this.life;
  }

  send(kind: 'ask' | 'tell', to: string, body: JsonValue) {
    const { link } = this.alive;
    const did = this.keys.didOf(this.agent) ?? this.did;
    return link[kind](
      {
        message: newEventId(systemClock, systemRandom),
        kind,
        from: { agent: this.agent, did },
        to,
        contract: to,
        name: 'doIt',
        body,
        chain: [this.agent],
        deadline: systemClock.now() + 20_000,
        correlation: newEventId(systemClock, systemRandom),
      },
      forever,
    );
  }
}

async function until(what: string, holds: () => boolean): Promise<void> {
  const end = systemClock.monotonicMs() + 20_000;
  while (!holds()) {
    if (systemClock.monotonicMs() > end) throw new Error(`expected ${what} within 20 s`);
    const { promise, resolve } = Promise.withResolvers<void>();
    systemClock.after(10, resolve);
    await promise;
  }
}

test('three nodes on a broker that pins their names: they find each other, ask, tell, end and come back', async () => {
  await using disks = new AsyncDisposableStack();
  const open = async (agent: string): Promise<RealNode> => new RealNode(agent, disks.use(await scratchLog()));
  const nodes = [await open('desk'), await open('quote'), await open('audit')] as const;
  const users = nodes.map(({ pair, login }) => ({ node: pair.publicKey, login: login.publicKey, mayControl: false }));
  const broker = disks.use(await startBroker('nats-server', natsConfig({ listen: '127.0.0.1:-1', realm, users })));
  for (const node of nodes) await node.start(broker);
  const [desk, quote, audit] = nodes;
  const known = (): boolean =>
    nodes.every(({ alive, agent }) =>
      nodes.every((other) => other.agent === agent || alive.link.find(other.agent) !== undefined),
    );
  await until('all know all', known);

  const asks = Array.from({ length: 50 }, (_, n) => desk.send('ask', n % 2 === 0 ? 'quote' : 'audit', n));
  expect(await Promise.all(asks)).toEqual(asks.map((_, n) => ({ type: 'ok', value: { echo: n } })));
  const tells = Array.from({ length: 20 }, (_, n) => audit.send('tell', 'desk', n));
  expect((await Promise.all(tells)).map(({ type }) => type)).toEqual(Array(20).fill('ok'));

  const large = 'x'.repeat(3 * 1024 * 1024); // by digest, there and back, over a broker that takes 1 MiB
  expect(await desk.send('ask', 'audit', large)).toEqual({ type: 'ok', value: { echo: large } });

  await quote.alive.end(); // as kill -9 does: nobody is told
  await quote.start(broker);
  expect(await desk.send('ask', 'quote', 'after a restart')).toMatchObject({ type: 'ok' });

  await quote.alive.link.stop();
  await until('it is known to have left', () => desk.alive.link.find('quote') === undefined);
  expect(await desk.send('ask', 'quote', 'gone')).toMatchObject({ type: 'died' });

  for (const { alive } of nodes) {
    const events = soundEventsOf(alive.log);
    expect(events.filter(({ type }) => type === 'message.refused').map(payloadOf)).toEqual([]);
  }
  const told = soundEventsOf(desk.alive.log).filter(({ type }) => type === 'message.accepted');
  expect(told.map((record) => (payloadOf(record) as { body: number }).body)).toEqual(
    Array.from({ length: 20 }, (_, n) => n),
  );
  for (const { alive } of nodes) {
    await alive.link.stop();
    await alive.end();
  }
});
