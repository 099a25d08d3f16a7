import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, describe, expect, test } from 'vitest';
import { connectNats } from '../../mesh/nats-transport.ts';
import { nodeToken, parseRealm } from '../../mesh/subject.ts';
import { formatDidKey } from '../../runtime/codec/did-key.ts';
import { generateKeyPair } from '../../runtime/codec/ed25519.ts';
import { utf8 } from '../../runtime/core/bytes.ts';
import { unwrap } from '../../runtime/core/result.ts';
import { systemClock, systemRandom } from '../../runtime/core/system.ts';
import { type BrokerBinary, findBroker } from './find-broker.ts';
import { startHolder } from './holder.fixture.ts';
import { spawnBroker } from './spawn-broker.ts';

const realm = unwrap(parseRealm('acme'), 'a realm');
const extra = (process.env['RINGMESH_NATS_SERVERS'] ?? '').split(':').filter((path) => path !== '');
const folders = [process.env['PATH'] ?? '', ...extra.map(dirname)];
const scratch = mkdtempSync(join(tmpdir(), 'ringmesh-broker-test-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const soon = (): AbortSignal => AbortSignal.timeout(30_000);
const coded = (code: string, message = /./): unknown =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });

function member() {
  const [node, login] = [generateKeyPair(systemRandom), generateKeyPair(systemRandom)];
  return { self: nodeToken(formatDidKey(node.publicKey)), node, login };
}

function userOf({ node, login }: ReturnType<typeof member>) {
  return { node: node.publicKey, login: login.publicKey, mayControl: false };
}

/** A program that calls itself nats-server. */
function impostor(name: string, script: string): BrokerBinary {
  const path = join(scratch, name);
  writeFileSync(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return { path, version: '2.10.0' };
}

function leftovers(): readonly string[] {
  return readdirSync(tmpdir()).filter((name) => name.startsWith('ringmesh-broker-') && !scratch.endsWith(name));
}

describe.each(folders)('the server found in %s', (folder) => {
  test('carries messages between the nodes that it was given, and lets nobody else in', async () => {
    const [a, b, stranger] = [member(), member(), member()];
    const binary = await findBroker(folder);
    await using broker = await spawnBroker({ binary, realm, users: [userOf(a), userOf(b)] }, systemClock, soon());
    expect(broker).toMatchObject({ version: binary.version, url: expect.stringMatching(/^127\.0\.0\.1:\d+$/) });
    const open = ({ self, login }: typeof a) =>
      connectNats({ servers: [broker.url], realm, self, login, clock: systemClock, random: systemRandom }, soon());
    await using sender = await open(a);
    await using receiver = await open(b);
    sender.send('tell', b.self, utf8('hello'));
    for await (const [arrival] of receiver.arrivals(soon())) {
      expect(arrival).toMatchObject({ type: 'message', from: a.self });
      break;
    }
    await expect(open(stranger)).rejects.toThrow(coded('transport.unreachable'));
  });

  test('B2: ends when it is disposed, and leaves nothing but its streams', async () => {
    const binary = await findBroker(folder);
    const jetStreamDirectory = join(scratch, 'streams');
    const before = leftovers();
    const broker = await spawnBroker({ binary, realm, users: [], jetStreamDirectory }, systemClock, soon());
    await broker[Symbol.asyncDispose]();
    await broker[Symbol.asyncDispose]();
    expect(await broker.ended).toMatch(/^ended with/);
    expect(() => process.kill(broker.pid, 0)).toThrow(expect.objectContaining({ code: 'ESRCH' }));
    expect(existsSync(jetStreamDirectory)).toBe(true);
    expect(leftovers().filter((name) => !before.includes(name))).toEqual([]);
  });

  test('B2: ends when the process that spawned it is killed', async () => {
    const holder = startHolder(process.execPath, await findBroker(folder));
    const [line] = (await once(createInterface({ input: holder.stdout }), 'line')) as [string];
    const { url } = JSON.parse(line) as { readonly url: string };
    const [host, port] = url.split(':');
    const socket = connect({ host, port: Number(port) });
    socket.resume();
    await once(socket, 'connect');
    const closed = once(socket, 'close', { signal: soon() });
    holder.kill('SIGKILL');
    await closed;
    expect(holder.signalCode === 'SIGKILL' || (await once(holder, 'exit'))[1] === 'SIGKILL').toBe(true);
  });

  test('says what went wrong when its port is taken', async () => {
    const binary = await findBroker(folder);
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const address = taken.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const options = { binary, realm, users: [], port };
    await expect(spawnBroker(options, systemClock, soon())).rejects.toThrow(coded('broker.failed', /in use/));
    taken.close();
  });
});

test('a server that nobody asked to end says so', async () => {
  const binary = await findBroker(process.env['PATH']);
  await using broker = await spawnBroker({ binary, realm, users: [] }, systemClock, soon());
  process.kill(broker.pid, 'SIGKILL');
  expect(await broker.ended).toMatch(/^ended with SIGKILL/);
});

test('where there is no server, the error says what to do', async () => {
  const found = findBroker(scratch, 'nats-server-that-is-not-there');
  await expect(found).rejects.toThrow(coded('broker.not_found', /install it, or give the URL/));
});

test('an old server is passed over, another program too, and a working directory is not searched', async () => {
  impostor('nats-old', 'echo "nats-server: v2.9.9"');
  await expect(findBroker(scratch, 'nats-old')).rejects.toThrow(coded('transport.old_server', /2\.9\.9/));
  impostor('nats-other', 'echo "hello"');
  await expect(findBroker(scratch, 'nats-other')).rejects.toThrow(coded('broker.not_found'));
  await expect(findBroker(`.:${resolve('.')}/..//../nowhere:`, 'nats-other')).rejects.toThrow(
    coded('broker.not_found'),
  );
});

test.each([
  ['ends at once', 'echo "no such option" >&2; exit 3', /ended with 3; no such option/],
  ['is not there', undefined, /ENOENT/],
])('a program that %s is no broker', async (what, script, message) => {
  const missing = { path: join(scratch, 'missing'), version: '2.10.0' };
  const binary = script === undefined ? missing : impostor(`nats-${what.replaceAll(' ', '-')}`, script);
  const spawned = spawnBroker({ binary, realm, users: [] }, systemClock, soon());
  await expect(spawned).rejects.toThrow(coded('broker.failed', message));
});

test('a program that never listens is given up, and ended', async () => {
  const binary = impostor('nats-silent', 'exec sleep 1000');
  const controller = new AbortController();
  const spawned = spawnBroker({ binary, realm, users: [] }, systemClock, controller.signal);
  controller.abort(new Error('enough'));
  await expect(spawned).rejects.toThrow('enough');
});
