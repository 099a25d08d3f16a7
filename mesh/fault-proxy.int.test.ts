/** The proxy before real brokers: the one on the PATH, and those that `RINGMESH_NATS_SERVERS` names. */
import { once } from 'node:events';
import { connect as connectTcp, createServer } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { connect, headers, type NatsConnection } from 'nats';
import { describe, expect, test } from 'vitest';
import { concat, utf8, view } from '../runtime/core/bytes.ts';
import { seededRandom } from '../runtime/core/simulation.ts';
import { systemClock } from '../runtime/core/system.ts';
import { FaultProxy } from './fault-proxy.ts';
import { startBroker } from './nats-server.fixture.ts';

const binaries = [
  'nats-server',
  ...(process.env['RINGMESH_NATS_SERVERS'] ?? '').split(':').filter((path) => path !== ''),
];
const portsFor = (seed: string) => ({ clock: systemClock, random: seededRandom(seed) });

type Bench = AsyncDisposable & {
  readonly proxy: FaultProxy;
  /** Connected through the proxy, and past it. */
  readonly near: NatsConnection;
  readonly far: NatsConnection;
};

async function bench(binary: string, seed = 'faults'): Promise<Bench> {
  const broker = await startBroker(binary, 'listen: "127.0.0.1:-1"');
  const proxy = await FaultProxy.listen(broker.url, portsFor(seed));
  const open = (url: string) => connect({ servers: [url], reconnectTimeWait: 20, maxReconnectAttempts: -1 });
  const [near, far] = [await open(proxy.url), await open(broker.url)];
  return {
    proxy,
    near,
    far,
    async [Symbol.asyncDispose]() {
      await Promise.all([near.close(), far.close()]);
      await proxy[Symbol.asyncDispose]();
      await broker[Symbol.asyncDispose]();
    },
  };
}

/** What arrives at `to` of the numbers 0 to `count` that `from` sends, in order. All that will come has come. */
async function sent(from: NatsConnection, to: NatsConnection, count: number, subject = 'numbers'): Promise<number[]> {
  const arrived: number[] = [];
  const last = Promise.withResolvers<void>();
  const numbers = to.subscribe(subject, {
    callback: (_, { data }) => void arrived.push(Number(view(data).toString())),
  });
  const end = to.subscribe('end', { callback: () => last.resolve() });
  await to.flush();
  for (let n = 0; n < count; n++) from.publish(subject, `${n}`);
  await from.flush();
  from.publish('end');
  await last.promise;
  numbers.unsubscribe();
  end.unsubscribe();
  return arrived;
}

const sorted = (numbers: readonly number[]): readonly number[] => [...numbers].sort((a, b) => a - b);
const upTo = (count: number): readonly number[] => Array.from({ length: count }, (_, n) => n);
const isNumber = (subject: string): boolean => subject === 'numbers';

describe.each(binaries)('before %s', (binary) => {
  test('X3: without a fault everything passes both ways: order, payloads, headers, answers', async () => {
    await using at = await bench(binary);
    const { near, far, proxy } = at;
    expect(await sent(near, far, 500)).toEqual(upTo(500));
    expect(await sent(far, near, 500)).toEqual(upTo(500));
    near.subscribe('echo', {
      callback: (_, message) => void message.respond(message.data, { headers: message.headers ?? headers() }),
    });
    await near.flush();
    for (const size of [0, 1, 1_000, 900_000]) {
      const body = seededRandom(size).bytes(size);
      const sentHeaders = headers();
      sentHeaders.set('a', 'b\tc');
      const reply = await far.request('echo', body, { headers: sentHeaders, timeout: 10_000 });
      expect(view(reply.data).equals(body)).toBe(true);
      expect(reply.headers?.get('a')).toBe('b\tc');
    }
    const { connections, passed, ...fired } = proxy.counts;
    expect({ connections, isAll: passed >= 1_008 }).toEqual({ connections: 1, isAll: true });
    expect(new Set(Object.values(fired))).toEqual(new Set([0]));
  });

  test.each(['to_server', 'to_client'] as const)(
    'X4: messages are lost, %s, and the same ones for a seed',
    async (way) => {
      const runs: (readonly number[])[] = [];
      for (const seed of ['one', 'one', 'two']) {
        await using at = await bench(binary, seed);
        using loss = at.proxy.inject({ type: 'drop', way, perMille: 300, of: isNumber });
        const [from, to] = way === 'to_server' ? [at.near, at.far] : [at.far, at.near];
        const arrived = await sent(from, to, 200);
        expect(arrived.length + loss.fired).toBe(200);
        expect(loss.fired).toBeGreaterThan(0);
        expect(arrived).toEqual(sorted(arrived));
        runs.push(arrived);
      }
      expect(runs[1]).toEqual(runs[0]); // (X5)
      expect(runs[2]).not.toEqual(runs[0]);
    },
  );

  test.each(['to_server', 'to_client'] as const)('messages are repeated, %s', async (way) => {
    await using at = await bench(binary);
    using twice = at.proxy.inject({ type: 'duplicate', way, perMille: 200, of: isNumber });
    const [from, to] = way === 'to_server' ? [at.near, at.far] : [at.far, at.near];
    const arrived = await sent(from, to, 200);
    expect(twice.fired).toBeGreaterThan(0);
    expect(arrived).toHaveLength(200 + twice.fired);
    expect([...new Set(arrived)]).toEqual(upTo(200));
  });

  test.each(['to_server', 'to_client'] as const)('messages overtake one another, %s, and none is lost', async (way) => {
    await using at = await bench(binary);
    using mixed = at.proxy.inject({ type: 'reorder', way, perMille: 200, of: isNumber });
    const [from, to] = way === 'to_server' ? [at.near, at.far] : [at.far, at.near];
    const arrived = await sent(from, to, 200);
    expect(mixed.fired).toBeGreaterThan(0);
    expect(arrived.filter((n, at) => n < (arrived[at - 1] ?? 0))).toHaveLength(mixed.fired);
    expect(sorted(arrived)).toEqual(upTo(200));
  });

  test('a message that nothing overtakes comes all the same', async () => {
    await using at = await bench(binary);
    using _ = at.proxy.inject({ type: 'reorder', perMille: 1000 });
    const arrival = Promise.withResolvers<void>();
    at.far.subscribe('lonely', { callback: () => arrival.resolve() });
    await at.far.flush();
    at.near.publish('lonely');
    await expect(arrival.promise).resolves.toBeUndefined();
  });

  test('everything is late, in order; and what waits is let go when the fault is lifted', async () => {
    await using at = await bench(binary);
    const late = at.proxy.inject({ type: 'delay', way: 'to_server', ms: 100, jitterMs: 20 });
    const began = systemClock.monotonicMs();
    expect(await sent(at.near, at.far, 20)).toEqual(upTo(20));
    expect(systemClock.monotonicMs() - began).toBeGreaterThan(195); // two flights: the messages, then the end
    expect(late.fired).toBeGreaterThanOrEqual(20);
    using _ = at.proxy.inject({ type: 'delay', ms: 3_600_000 });
    const flushed = at.near.flush();
    late[Symbol.dispose]();
    at.proxy.heal();
    await expect(flushed).resolves.toBeUndefined();
  });

  test('a narrow way takes its time', async () => {
    await using at = await bench(binary);
    using narrow = at.proxy.inject({ type: 'throttle', way: 'to_server', bytesPerSecond: 50_000 });
    const began = systemClock.monotonicMs();
    for (let n = 0; n < 10; n++) at.near.publish('numbers', new Uint8Array(1_000));
    await at.near.flush();
    expect(systemClock.monotonicMs() - began).toBeGreaterThan(180);
    expect(narrow.fired).toBeGreaterThanOrEqual(10);
  });

  test('connections are cut, at once or with a message, and clients come back', async () => {
    await using at = await bench(binary);
    const back = async (): Promise<void> => {
      for await (const { type } of at.near.status()) if (type === 'reconnect') return;
    };
    const first = back();
    expect(at.proxy.cut()).toBe(1);
    await first;
    const second = back();
    const snip = at.proxy.inject({ type: 'cut', perMille: 1000, of: isNumber });
    at.near.publish('numbers', '0');
    await second;
    expect(snip.fired).toBe(1);
    snip[Symbol.dispose]();
    expect(await sent(at.near, at.far, 10)).toEqual(upTo(10));
    expect(at.proxy.counts).toMatchObject({ connections: 3, cut: 2 });
  });

  test('X6: a partition of one way lets the other way live; healed, what was held comes through', async () => {
    await using at = await bench(binary);
    const { near, far, proxy } = at;
    const arrived: string[] = [];
    near.subscribe('down', { callback: (_, { data }) => void arrived.push(view(data).toString()) });
    await near.flush();
    const wall = proxy.inject({ type: 'partition', way: 'to_client' });
    far.publish('down', 'held');
    await far.flush();
    const up = Promise.withResolvers<void>();
    far.subscribe('up', { callback: () => up.resolve() });
    await far.flush();
    near.publish('up');
    await up.promise;
    const flushed = near.flush(); // its PONG stands behind the wall, after the message
    while (wall.fired === 0) await far.flush();
    expect(arrived).toEqual([]);
    wall[Symbol.dispose]();
    await flushed;
    expect(arrived).toEqual(['held']);
  });

  test('X6: a partition of both ways holds new connections too', async () => {
    await using at = await bench(binary);
    using wall = at.proxy.inject({ type: 'partition' });
    const socket = connectTcp({ host: '127.0.0.1', port: Number(at.proxy.url.split(':')[1]) });
    await once(socket, 'connect');
    const greeting = once(socket, 'data');
    while (wall.fired === 0) await at.far.flush();
    expect(socket.bytesRead).toBe(0);
    at.proxy.heal();
    expect(String((await greeting)[0])).toMatch(/^INFO /);
    socket.destroy();
    expect(await sent(at.near, at.far, 10)).toEqual(upTo(10));
  });
});

test('X3: any bytes, in any chunks, come out as they went in, and the end of a connection too', async () => {
  const server = createServer({ allowHalfOpen: true }, (socket) => void socket.pipe(socket)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  await using proxy = await FaultProxy.listen(`127.0.0.1:${port}`, portsFor('bytes'));
  const random = seededRandom('chunks');
  for (let round = 0; round < 20; round++) {
    const parts = Array.from({ length: 30 }, () => {
      const body = random.bytes(random.below(3_000));
      return random.below(3) === 0 ? body : concat(utf8(`PUB a ${body.length}\r\n`), body, utf8('\r\nPING\r\n'));
    });
    const all = concat(...parts);
    const socket = connectTcp({ host: '127.0.0.1', port: Number(proxy.url.split(':')[1]), allowHalfOpen: true });
    const echoed = buffer(socket);
    for (let from = 0; from < all.length; ) {
      const to = from + 1 + random.below(5_000);
      const { promise, resolve } = Promise.withResolvers<void>();
      socket.write(all.subarray(from, to), () => resolve());
      await promise;
      from = to;
    }
    socket.end();
    expect((await echoed).equals(all)).toBe(true);
  }
  server.close();
});

test('a server that is not there ends the client’s connection, and disposing ends all', async () => {
  const proxy = await FaultProxy.listen('127.0.0.1:1', portsFor('none'));
  const socket = connectTcp({ host: '127.0.0.1', port: Number(proxy.url.split(':')[1]) });
  socket.resume();
  await once(socket, 'close');
  await proxy[Symbol.asyncDispose]();
  await proxy[Symbol.asyncDispose]();
  expect(proxy.counts.connections).toBe(1);
});
