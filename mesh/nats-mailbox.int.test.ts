/** Mailboxes on real brokers, with JetStream on, off, and with what nodes may not do. */
import { connect, type NatsConnection } from 'nats';
import { describe, expect, test } from 'vitest';
import { generateKeyPair, type KeyPair } from '../runtime/codec/ed25519.ts';
import type { DigestText } from '../runtime/codec/record.ts';
import { utf8, view } from '../runtime/core/bytes.ts';
import { unwrap } from '../runtime/core/result.ts';
import { systemClock, systemRandom } from '../runtime/core/system.ts';
import { mailboxContract, SMALL } from './mailbox.contract.ts';
import { MAILBOX, type Mailbox, type MailboxBounds } from './mailbox.ts';
import { natsConfig } from './nats-config.ts';
import { NatsLink } from './nats-link.ts';
import { natsMailbox, provisionMailbox } from './nats-mailbox.ts';
import { type Broker, brokerBinaries, startBroker } from './nats-server.fixture.ts';
import { signNonce } from './nkey.ts';
import { type NodeToken, nodeToken, parseRealm, subject } from './subject.ts';
import { didOf } from './world.fixture.ts';

const realm = unwrap(parseRealm('acme'), 'a realm');
const members = [0, 1, 2].map(() => ({ node: generateKeyPair(systemRandom), login: generateKeyPair(systemRandom) }));
const operator = generateKeyPair(systemRandom);
const nodes = members.map(({ node }) => nodeToken(didOf(node))) as [NodeToken, NodeToken, NodeToken];
const [a, b, c] = nodes;
const soon = (): AbortSignal => AbortSignal.timeout(20_000);
const id = (text: string): DigestText => text.padEnd(43, 'A') as DigestText;

function start(
  binary: string,
  options: { jetStream?: boolean; directory?: string } = {},
  listen = '127.0.0.1:-1',
): Promise<Broker> {
  const users = members.map(({ node, login }) => ({ node: node.publicKey, login: login.publicKey, mayControl: false }));
  // A placeholder that gives the permissions; where streams really lie is the fixture's business.
  const config = natsConfig({
    listen,
    realm,
    users,
    operators: [{ operator: operator.publicKey, login: operator.publicKey }],
    jetStreamDirectory: '/x',
  });
  const own = config.replace(/^jetstream: .*\n/m, '');
  return startBroker(binary, options.jetStream === false ? own.replace(/^ {4}jetstream: enabled\n/m, '') : own, {
    jetStream: true,
    ...options,
  });
}

function login(url: string, key: KeyPair): Promise<NatsConnection> {
  return connect({ servers: url, authenticator: (nonce) => signNonce(key, nonce), reconnect: false });
}

async function provision(url: string, bounds: MailboxBounds): Promise<void> {
  const tools = await login(url, operator);
  for (const node of [a, b]) await provisionMailbox(tools, { realm, node, bounds });
  await tools.close();
}

async function openMailbox(
  url: string,
  self: NodeToken,
  bounds: MailboxBounds,
): Promise<{ readonly link: NatsLink; readonly mailbox: Mailbox }> {
  const key = members[nodes.indexOf(self)]?.login ?? operator;
  const ports = { clock: systemClock, random: systemRandom };
  const inboxPrefix = subject.inboxPrefix(self);
  const link = await NatsLink.open({ ...ports, servers: [url], name: self, inboxPrefix, login: key }, soon());
  return { link, mailbox: natsMailbox(link, { realm, self, clock: systemClock, bounds }) };
}

describe.each(brokerBinaries(process.env['RINGMESH_NATS_SERVERS']))('%s', (binary) => {
  mailboxContract('on JetStream', async (bounds) => {
    const broker = await start(binary);
    await provision(broker.url, bounds);
    const links: NatsLink[] = [];
    return {
      nodes,
      mailbox: async (node) => {
        const { link, mailbox } = await openMailbox(broker.url, node, bounds);
        links.push(link);
        return mailbox;
      },
      [Symbol.asyncDispose]: async () => {
        for (const link of links) await link[Symbol.asyncDispose]();
        await broker[Symbol.asyncDispose]();
      },
    };
  });

  test('a letter waits while its sender, its receiver and the broker are gone', async () => {
    const first = await start(binary);
    await provision(first.url, MAILBOX);
    const from = await openMailbox(first.url, a, MAILBOX);
    await from.mailbox.leave(b, { id: id('1'), bytes: utf8('still here') }, soon());
    await from.link[Symbol.asyncDispose]();
    await first.kill();
    await using again = await start(binary, { directory: first.directory }, first.url);
    await using to = (await openMailbox(again.url, b, MAILBOX)).link;
    const texts: string[] = [];
    await natsMailbox(to, { realm, self: b, clock: systemClock }).collect((letter) => {
      texts.push(view(letter.bytes).toString());
      return Promise.resolve('accepted');
    }, soon());
    expect(texts).toEqual(['still here']);
  });

  test('a receiver that dies between taking a letter and saying so is given it again (M2)', async () => {
    await using broker = await start(binary);
    const bounds = { ...MAILBOX, receiptMs: 200 };
    await provision(broker.url, bounds);
    await using from = (await openMailbox(broker.url, a, bounds)).link;
    const sender = natsMailbox(from, { realm, self: a, clock: systemClock, bounds });
    await sender.leave(b, { id: id('1'), bytes: utf8('x') }, soon());
    const dying = await openMailbox(broker.url, b, bounds);
    const killed = dying.mailbox.collect(async () => {
      await dying.link[Symbol.asyncDispose]();
      return 'accepted';
    }, soon());
    await expect(killed).rejects.toThrow(expect.objectContaining({ code: 'transport.closed' }));
    await using to = (await openMailbox(broker.url, b, bounds)).link;
    const attempts: number[] = [];
    const mailbox = natsMailbox(to, { realm, self: b, clock: systemClock, bounds });
    while (attempts.length === 0) {
      await mailbox.collect((letter) => {
        attempts.push(letter.attempts);
        return Promise.resolve('accepted');
      }, soon());
    }
    expect(attempts).toEqual([2]);
  });

  test('making a mailbox again changes its bounds and keeps what it holds', async () => {
    await using broker = await start(binary);
    await provision(broker.url, SMALL);
    await using from = (await openMailbox(broker.url, a, MAILBOX)).link;
    const mailbox = natsMailbox(from, { realm, self: a, clock: systemClock });
    const large = new Uint8Array(SMALL.letterBytesMax * 2);
    const tooLarge = expect.objectContaining({ code: 'transport.too_large' });
    await mailbox.leave(b, { id: id('1'), bytes: utf8('kept') }, soon());
    await expect(mailbox.leave(b, { id: id('2'), bytes: large }, soon())).rejects.toThrow(tooLarge);
    await provision(broker.url, { ...SMALL, letterBytesMax: SMALL.letterBytesMax * 4 });
    expect(await mailbox.leave(b, { id: id('2'), bytes: large }, soon())).toBe('left');
    await using to = (await openMailbox(broker.url, b, MAILBOX)).link;
    const all = natsMailbox(to, { realm, self: b, clock: systemClock });
    expect(await all.collect(() => Promise.resolve('accepted'), soon())).toMatchObject({ accepted: 2 });
  });

  test('where JetStream is off, making, leaving and collecting say so with a code', async () => {
    await using broker = await start(binary, { jetStream: false });
    const unavailable = expect.objectContaining({ code: 'mailbox.unavailable' });
    await expect(provision(broker.url, MAILBOX)).rejects.toThrow(unavailable);
    await using link = (await openMailbox(broker.url, a, MAILBOX)).link;
    const mailbox = natsMailbox(link, { realm, self: a, clock: systemClock });
    await expect(mailbox.leave(b, { id: id('1'), bytes: utf8('x') }, soon())).rejects.toThrow(unavailable);
    await expect(mailbox.collect(() => Promise.resolve('accepted'), soon())).rejects.toThrow(unavailable);
  });

  test('the broker lets a node use mailboxes and nothing else of JetStream (M1)', async () => {
    await using broker = await start(binary);
    await provision(broker.url, MAILBOX);
    const thief = await login(broker.url, members[2]?.login ?? operator);
    const statuses = thief.status()[Symbol.asyncIterator]();
    const others = (to: NodeToken): readonly string[] => [
      subject.letter(realm, { to, from: b }),
      subject.pull(b),
      subject.acknowledge(b).replace('>', '1.1.1.1.1'),
      ...['STREAM.CREATE', 'STREAM.UPDATE', 'STREAM.DELETE', 'STREAM.PURGE', 'STREAM.MSG.GET', 'DIRECT.GET'].flatMap(
        (verb) => [
          subject.jetStream(`${verb}.${subject.streamName(b)}`),
          subject.jetStream(`${verb}.${subject.streamName(c)}`),
        ],
      ),
      subject.jetStream(`CONSUMER.CREATE.${subject.streamName(c)}`),
      subject.jetStream(`CONSUMER.DURABLE.CREATE.${subject.streamName(c)}.node`),
      subject.jetStream('INFO'),
    ];
    for (const address of others(a)) {
      thief.publish(address, utf8('{}'));
      await thief.flush();
      let told = await statuses.next();
      while (told.done !== true && told.value.type !== 'error') told = await statuses.next();
      expect(JSON.stringify(told.value?.type === 'error' ? told.value.error.message : '')).toMatch(
        /permissions violation/i,
      );
    }
    await thief.close();
  });
});
