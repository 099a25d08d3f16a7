/** What becomes of a connection when its broker stops, dies, comes back, or comes back as another. */
import { describe, expect, test } from 'vitest';
import { generateKeyPair, type KeyPair } from '../runtime/codec/ed25519.ts';
import { utf8, view } from '../runtime/core/bytes.ts';
import { withDeadline } from '../runtime/core/deadline.ts';
import { unwrap } from '../runtime/core/result.ts';
import { systemClock, systemRandom } from '../runtime/core/system.ts';
import { natsConfig } from './nats-config.ts';
import type { Pace } from './nats-link.ts';
import { brokerBinaries, startBroker } from './nats-server.fixture.ts';
import { connectNats, type NatsTransport } from './nats-transport.ts';
import { nodeToken, parseRealm } from './subject.ts';
import { didOf } from './world.fixture.ts';

const realm = unwrap(parseRealm('acme'), 'a realm');
const pace: Pace = { connectMs: 500, pingEveryMs: 30, pongMs: 200, retryMsMin: 10, retryMsMax: 80, drainMs: 300 };
const soon = (): AbortSignal => AbortSignal.timeout(20_000);

type Member = { readonly node: KeyPair; readonly login: KeyPair };
const member = (): Member => ({ node: generateKeyPair(systemRandom), login: generateKeyPair(systemRandom) });
const [a, b] = [member(), member()];

function config(members: readonly Member[], listen = '127.0.0.1:-1'): string {
  const users = members.map(({ node, login }) => ({ node: node.publicKey, login: login.publicKey, mayControl: false }));
  return natsConfig({ listen, realm, users });
}

function open(
  { node, login }: Member,
  url: string | readonly string[],
  onRefused?: (reason: string) => void,
): Promise<NatsTransport> {
  const self = nodeToken(didOf(node));
  const ports = { clock: systemClock, random: systemRandom, pace, ...(onRefused === undefined ? {} : { onRefused }) };
  return connectNats({ ...ports, servers: [url].flat(), realm, self, login }, soon());
}

async function gapOf(transport: NatsTransport): Promise<void> {
  for await (const group of transport.arrivals(soon())) if (group.some(({ type }) => type === 'gap')) return;
  throw new Error('expected a gap');
}

async function textOf(transport: NatsTransport): Promise<string> {
  for await (const group of transport.arrivals(soon())) {
    for (const arrival of group) if (arrival.type === 'message') return view(arrival.bytes).toString();
  }
  throw new Error('expected a message');
}

/** Resolves when `report` has been called so often; rejects when that takes too long. */
function counted(times: number): {
  readonly report: (reason: string) => void;
  readonly done: Promise<readonly string[]>;
} {
  const { promise, resolve } = Promise.withResolvers<readonly string[]>();
  const reasons: string[] = [];
  const report = (reason: string): void => {
    if (reasons.push(reason) === times) resolve(reasons);
  };
  const bound = { clock: systemClock, limitMs: 20_000, what: `${times} reports` };
  const done = withDeadline(promise, bound);
  done.catch(() => undefined); // whoever waits hears of it
  return { report, done };
}

describe.each(brokerBinaries(process.env['RINGMESH_NATS_SERVERS']))('%s', (binary) => {
  test('a broker that is stopped is noticed though nothing was closed; when it goes on, there is a gap (L1, T1)', async () => {
    await using broker = await startBroker(binary, config([a, b]));
    const tried = counted(2);
    await using from = await open(a, broker.url, tried.report);
    await using to = await open(b, broker.url);
    broker.stop();
    expect((await tried.done)[0]).toMatch(/expected a NATS server/);
    expect(from.link.connection).toBeUndefined();
    broker.resume();
    await Promise.all([gapOf(from), gapOf(to)]);
    from.send('tell', to.self, utf8('again'));
    expect(await textOf(to)).toBe('again');
  });

  test('a stopped broker is noticed though it owes more than the process may keep, and no more is kept (L1, T2)', async () => {
    await using broker = await startBroker(binary, config([a, b]));
    await using from = await open(a, broker.url);
    await using to = await open(b, broker.url);
    broker.stop();
    const chunk = new Uint8Array(512 * 1024);
    for (let sent = 0; sent < 200; sent++) from.send('tell', to.self, chunk);
    expect(from.dropped).toBeGreaterThanOrEqual(72);
    await expect(from.flush(soon())).rejects.toThrow(
      expect.objectContaining({ code: 'transport.lost', retryable: true }),
    );
    broker.resume();
    await gapOf(from);
    from.send('tell', to.self, utf8('again'));
    await expect(from.flush(soon())).resolves.toBeUndefined();
  });

  test('a broker that is killed and long gone is tried again for ever, and what is sent meanwhile is counted (L2, T2)', async () => {
    await using first = await startBroker(binary, config([a, b]));
    const tried = counted(8);
    await using from = await open(a, first.url, tried.report);
    await using to = await open(b, first.url);
    await first.kill();
    await tried.done;
    from.send('tell', to.self, utf8('lost'));
    expect(from.dropped).toBe(1);
    await expect(from.flush(soon())).rejects.toThrow(expect.objectContaining({ code: 'transport.lost' }));
    await using _ = await startBroker(binary, config([a, b], first.url));
    await Promise.all([gapOf(from), gapOf(to)]);
    from.send('tell', to.self, utf8('again'));
    expect(await textOf(to)).toBe('again');
  });

  test('where there are several, one that is stopped or dead does not keep the node from the next (L2)', async () => {
    await using first = await startBroker(binary, config([a, b]));
    await using second = await startBroker(binary, config([a, b]));
    await using transport = await open(a, [first.url, second.url]);
    const server = (): string | undefined => transport.link.connection?.getServer();
    expect(server()).toBe(first.url);
    first.stop();
    await gapOf(transport);
    expect(server()).toBe(second.url);
    await first.kill();
    await using other = await open(b, [first.url, second.url]);
    other.send('tell', transport.self, utf8('found'));
    expect(await textOf(transport)).toBe('found');
  });

  test('a broker that comes back without the node’s login is tried until it knows it again, and each refusal is told (L2)', async () => {
    await using first = await startBroker(binary, config([a, b]));
    const refused = counted(1);
    const onRefused = (reason: string): void => {
      if (/authorization/i.test(reason)) refused.report(reason);
    };
    await using transport = await open(a, first.url, onRefused);
    await first.kill();
    await using without = await startBroker(binary, config([b], first.url));
    await refused.done;
    await without.kill();
    await using _ = await startBroker(binary, config([a, b], first.url));
    await expect(gapOf(transport)).resolves.toBeUndefined();
  });

  test('disposing hands over what was sent, without a flush before (L4)', async () => {
    await using broker = await startBroker(binary, config([a, b]));
    const from = await open(a, broker.url);
    await using to = await open(b, broker.url);
    for (let n = 0; n < 2_000; n++) from.send('ask', to.self, utf8(String(n)));
    await from[Symbol.asyncDispose]();
    let seen = 0;
    for await (const group of to.arrivals(soon())) {
      seen += group.length;
      if (seen === 2_000) break;
    }
    expect(seen).toBe(2_000);
  });

  test('disposing ends in time where the broker is stopped, and where it is gone (L4)', async () => {
    await using broker = await startBroker(binary, config([a, b]));
    const tried = counted(1);
    const [waiting, retrying] = [await open(a, broker.url), await open(b, broker.url, tried.report)];
    broker.stop();
    const started = systemClock.monotonicMs();
    await waiting[Symbol.asyncDispose]();
    expect(systemClock.monotonicMs() - started).toBeLessThan(2_000);
    await broker.kill();
    await tried.done;
    await retrying[Symbol.asyncDispose]();
    await retrying[Symbol.asyncDispose]();
    expect(() => retrying.send('ask', waiting.self, utf8('x'))).toThrow(
      expect.objectContaining({ code: 'transport.closed' }),
    );
  });
});
