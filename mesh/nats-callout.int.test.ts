/** Auth callout on real brokers: who is asked, who gets in, with what, and for how long. */
import { connect } from 'nats';
import { describe, expect, test } from 'vitest';
import type { PublicKey } from '../runtime/codec/ed25519.ts';
import { generateKeyPair, type KeyPair } from '../runtime/codec/ed25519.ts';
import { equalBytes, utf8 } from '../runtime/core/bytes.ts';
import type { Refusal } from '../runtime/core/result.ts';
import { unwrap } from '../runtime/core/result.ts';
import { systemClock, systemRandom } from '../runtime/core/system.ts';
import { type Callout, type KnownNode, LOGIN_MS, natsCalloutLines, serveCallout } from './nats-callout.ts';
import { NatsLink, PACE } from './nats-link.ts';
import { type Broker, brokerBinaries, brokerVersion, startBroker } from './nats-server.fixture.ts';
import { readServer } from './nats-server.ts';
import { connectNats, type NatsTransport } from './nats-transport.ts';
import { signNonce } from './nkey.ts';
import { nodeToken, parseRealm, subject } from './subject.ts';
import { didOf } from './world.fixture.ts';

const realm = unwrap(parseRealm('acme'), 'a realm');
const ports = { clock: systemClock, random: systemRandom };
const soon = (): AbortSignal => AbortSignal.timeout(20_000);
const [issuer, service] = [generateKeyPair(systemRandom), generateKeyPair(systemRandom)];

type Member = { readonly node: KeyPair; readonly login: KeyPair };
const member = (): Member => ({ node: generateKeyPair(systemRandom), login: generateKeyPair(systemRandom) });

const config = `listen: "127.0.0.1:-1"\n${natsCalloutLines({ realm, issuer: issuer.publicKey, service: service.publicKey })}`;

/** A broker and the service that it asks, which knows these members. */
class Office implements AsyncDisposable {
  readonly broker: Broker;
  readonly link: NatsLink;
  readonly members: Member[];
  readonly refusals: Refusal[] = [];

  private constructor(broker: Broker, link: NatsLink, members: readonly Member[]) {
    this.broker = broker;
    this.link = link;
    this.members = [...members];
  }

  static async open(binary: string, members: readonly Member[], loginMs = LOGIN_MS): Promise<Office> {
    const broker = await startBroker(binary, config);
    const link = await NatsLink.open({ ...ports, servers: [broker.url], name: 'callout', login: service }, soon());
    const office = new Office(broker, link, members);
    const node = (login: PublicKey): KnownNode | undefined => office.#find(login);
    const callout: Callout = { realm, issuer, node, hasMailbox: false, loginMs };
    serveCallout(link, callout, { clock: systemClock, onRefused: (refusal) => office.refusals.push(refusal) });
    await link.flush(soon());
    return office;
  }

  connect({ node, login }: Member, onRefused?: (reason: string) => void): Promise<NatsTransport> {
    const self = nodeToken(didOf(node));
    const pace = { ...PACE, pingEveryMs: 50, retryMsMin: 10, retryMsMax: 50 };
    const listening = onRefused === undefined ? {} : { onRefused };
    return connectNats({ ...ports, pace, servers: [this.broker.url], realm, self, login, ...listening }, soon());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.link[Symbol.asyncDispose]();
    await this.broker[Symbol.asyncDispose]();
  }

  #find(login: PublicKey): KnownNode | undefined {
    const found = this.members.find((known) => equalBytes(known.login.publicKey.bytes, login.bytes));
    return found === undefined ? undefined : { self: nodeToken(didOf(found.node)), mayControl: false };
  }
}

const all = brokerBinaries(process.env['RINGMESH_NATS_SERVERS']);
const hasCallout = (binary: string): boolean => {
  const server = readServer({ version: brokerVersion(binary), max_payload: 0 });
  return server.ok && server.value.hasAuthCallout;
};
const [asking, older] = [all.filter(hasCallout), all.filter((binary) => !hasCallout(binary))];

describe.each(older)('%s has no auth callout', (binary) => {
  test('it refuses to start with one in its configuration, so nobody believes to be asked', async () => {
    await expect(startBroker(binary, config)).rejects.toThrow(/auth_callout/);
  });
});

describe.each(asking)('%s', (binary) => {
  test('nodes that the service knows get in and talk', async () => {
    const [a, b] = [member(), member()];
    await using office = await Office.open(binary, [a, b]);
    await using from = await office.connect(a);
    await using to = await office.connect(b);
    from.send('tell', to.self, utf8('hello'));
    for await (const group of to.arrivals(soon())) {
      expect(group).toMatchObject([{ type: 'message', from: from.self }]);
      break;
    }
  });

  test('nobody else does: no stranger, no borrowed name, nobody without a key', async () => {
    const [known, stranger] = [member(), member()];
    await using office = await Office.open(binary, [known]);
    const unreachable = expect.objectContaining({ code: 'transport.unreachable' });
    await expect(office.connect(stranger)).rejects.toThrow(unreachable);
    const borrowed = connect({
      servers: office.broker.url,
      reconnect: false,
      authenticator: (nonce) => ({
        nkey: signNonce(known.login, nonce).nkey,
        sig: signNonce(stranger.login, nonce).sig,
      }),
    });
    await expect(borrowed).rejects.toThrow(/authorization/i);
    await expect(connect({ servers: office.broker.url, reconnect: false })).rejects.toThrow(/authorization/i);
    const user = connect({ servers: office.broker.url, reconnect: false, user: 'admin', pass: 'admin' });
    await expect(user).rejects.toThrow(/authorization/i);
    const codes = new Set(office.refusals.map(({ code }) => code));
    expect([...codes].toSorted()).toEqual(['callout.bad_login', 'callout.unknown_login']);
  });

  test('who is let in has the permissions of the template and no more (Q2)', async () => {
    const [thief, victim] = [member(), member()];
    await using office = await Office.open(binary, [thief, victim]);
    const [own, other] = [nodeToken(didOf(thief.node)), nodeToken(didOf(victim.node))];
    const connection = await connect({
      servers: office.broker.url,
      reconnect: false,
      authenticator: (nonce) => signNonce(thief.login, nonce),
    });
    const statuses = connection.status()[Symbol.asyncIterator]();
    const refused = async (): Promise<string> => {
      await connection.flush();
      for (let told = await statuses.next(); told.done !== true; told = await statuses.next()) {
        if (told.value.type === 'error') return told.value.error.message;
      }
      return 'nothing';
    };
    for (const address of [
      subject.message(realm, 'tell', { to: own, from: other }),
      subject.message(realm, 'control', { to: other, from: own }),
      subject.authCallout,
      subject.jetStream('INFO'),
    ]) {
      connection.publish(address, utf8('x'));
      expect(await refused()).toMatch(/permissions violation/i);
    }
    for (const pattern of ['>', subject.arriving(realm, other), subject.inbox(other), subject.authCallout]) {
      connection.subscribe(pattern);
      expect(await refused()).toMatch(/permissions violation/i);
    }
    await connection.close();
  });

  test('a node that is no longer wanted is out when its login ends, and stays out (Q3)', async () => {
    const [wanted, unwanted] = [member(), member()];
    await using office = await Office.open(binary, [wanted, unwanted], 1_500);
    const out = Promise.withResolvers<string>();
    await using stays = await office.connect(wanted);
    await using goes = await office.connect(unwanted, (reason) => {
      if (reason.includes('expected a NATS server')) out.resolve(reason);
    });
    office.members.pop();
    expect(await out.promise).toMatch(/authorization/i);
    expect(goes.link.connection).toBeUndefined();
    for await (const group of stays.arrivals(soon())) {
      expect(group).toEqual([{ type: 'gap' }]);
      break;
    }
  });
});
