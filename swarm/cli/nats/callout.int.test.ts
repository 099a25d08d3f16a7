/** A realm whose broker asks who may log in: real servers, the real commands. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { brokerBinaries, brokerVersion, startBroker } from '../../../mesh/nats-server.fixture.ts';
import { readServer } from '../../../mesh/nats-server.ts';
import { connectNats, type NatsTransport } from '../../../mesh/nats-transport.ts';
import { nodeToken } from '../../../mesh/subject.ts';
import { utf8 } from '../../../runtime/core/bytes.ts';
import { systemClock, systemRandom } from '../../../runtime/core/system.ts';
import { openOperatorLogin, openRealmNode, provisionRealm, readRoster } from '../../realm/realm-folder.ts';
import { type Desk, desk, ended, expectError, linesFrom } from '../command.fixture.ts';

const ports = { clock: systemClock, random: systemRandom };
const soon = (): AbortSignal => AbortSignal.timeout(20_000);
const all = brokerBinaries(process.env['RINGMESH_NATS_SERVERS']);
const hasCallout = (binary: string): boolean => {
  const server = readServer({ version: brokerVersion(binary), max_payload: 0 });
  return server.ok && server.value.hasAuthCallout;
};

function realmIn(at: Desk): string {
  const folder = join(at.path, 'realm');
  const nodes = ['ann', 'bob'].map((name) => ({ name, agents: [`clerk/${name}`] }));
  provisionRealm(folder, { realm: 'acme', nodes }, ports);
  return folder;
}

/** The configuration that the command prints, on a port that the server chooses. */
function configOf(at: Desk, folder: string): string {
  const ran = at.run(['nats', 'config', '--callout', folder]);
  expect(ran).toMatchObject({ status: 0, stderr: '' });
  return ran.stdout.replace('127.0.0.1:4222', '127.0.0.1:-1');
}

function connectAs(folder: string, name: string, url: string): Promise<NatsTransport> {
  const { roster, login, did } = openRealmNode(folder, name);
  return connectNats({ ...ports, servers: [url], realm: roster.realm, self: nodeToken(did), login }, soon());
}

describe.each(all.filter(hasCallout))('%s', (binary) => {
  test('nodes of the roster and the operator get in, and whoever leaves the roster does not again', async () => {
    using at = desk();
    const folder = realmIn(at);
    await using broker = await startBroker(binary, configOf(at, folder));
    const service = at.start(['nats', 'callout', '--server', broker.url, '--realm-folder', folder]);
    expect(await linesFrom(service, 1)).toBe(`${broker.url}  answers logins of acme\n`);
    const ending = ended(service);
    await using ann = await connectAs(folder, 'ann', broker.url);
    {
      await using bob = await connectAs(folder, 'bob', broker.url);
      ann.send('tell', bob.self, utf8('hello'));
      for await (const group of bob.arrivals(soon())) {
        expect(group).toMatchObject([{ type: 'message', from: ann.self }]);
        break;
      }
    }
    const { operator, realm } = readRoster(folder);
    const refused: string[] = [];
    const tools = {
      ...ports,
      servers: [broker.url],
      realm,
      self: nodeToken(operator),
      login: openOperatorLogin(folder),
    };
    await using office = await connectNats({ ...tools, onRefused: (reason) => refused.push(reason) }, soon());
    office.send('control', ann.self, utf8('an order'));
    for await (const group of ann.arrivals(soon())) {
      expect(group).toMatchObject([{ type: 'message', lane: 'control', from: office.self }]);
      break;
    }
    expect(refused).toEqual([]);

    const path = join(folder, 'realm.json');
    const roster = JSON.parse(readFileSync(path, 'utf8')) as { nodes: { name: string }[] };
    const bobsKeys = openRealmNode(folder, 'bob');
    writeFileSync(path, JSON.stringify({ ...roster, nodes: roster.nodes.filter(({ name }) => name !== 'bob') }));
    const out = connectNats({ ...tools, self: nodeToken(bobsKeys.did), login: bobsKeys.login }, soon());
    await expect(out).rejects.toMatchObject({ code: 'transport.unreachable' });
    service.kill('SIGTERM');
    expect(await ending).toMatchObject({ stderr: expect.stringContaining('callout.unknown_login') });
  });
});

test.each(all.filter((binary) => !hasCallout(binary)))(
  '%s has no auth callout, and is told so by its code',
  async (binary) => {
    using at = desk();
    const folder = realmIn(at);
    configOf(at, folder);
    await using broker = await startBroker(binary, 'listen: "127.0.0.1:-1"');
    const ran = await ended(at.start(['nats', 'callout', '--server', broker.url, '--realm-folder', folder]));
    expectError(ran, 1, 'callout.unsupported');
  },
);

test('nats config --callout makes the keys of the service once, and wants nothing beside it', () => {
  using at = desk();
  const folder = realmIn(at);
  expectError(at.run(['nats', 'callout', '--server', 'x:1', '--realm-folder', folder]), 3, 'callout.no_keys');
  expect(configOf(at, folder)).toBe(configOf(at, folder));
  expect(existsSync(join(folder, 'callout', 'account.key'))).toBe(true);
  expectError(at.run(['nats', 'config', '--callout', folder, '--realm', 'acme']), 2, 'usage.invalid');
  expectError(at.run(['nats', 'config', '--realm', 'acme']), 2, 'usage.invalid');
  expectError(
    at.run(['nats', 'callout', '--server', 'x:1', '--realm-folder', folder, '--for', '0']),
    2,
    'usage.invalid',
  );
});
