import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { createServer } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { HealthServer } from './health-server.ts';

type Asked = { readonly path?: string; readonly method?: string; readonly headers?: Readonly<Record<string, string>> };

async function ask(
  { url }: HealthServer,
  { path = '/healthz', ...options }: Asked,
): Promise<{ status: number; body: string }> {
  const sent = request(`${url}${path}`, { ...options, agent: false });
  sent.end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  return { status: response.statusCode ?? 0, body: await text(response) };
}

test('before the first step has ended it lives and is not ready (T3)', async () => {
  await using server = await HealthServer.open(0);
  expect(await ask(server, {})).toEqual({ status: 200, body: 'ok\n' });
  expect(await ask(server, { path: '/readyz' })).toEqual({ status: 503, body: 'not ready\n' });
  expect((await ask(server, { path: '/metrics?x=1' })).body).toContain('\nringmesh_ready 0\n');
});

test.each<[string, Asked, number]>([
  ['another path', { path: '/etc/passwd' }, 404],
  ['a change', { method: 'POST' }, 405],
  ['a name that somebody points here (T2)', { headers: { host: 'evil.example.com' } }, 403],
  ['a name that begins like ours', { headers: { host: 'localhost.example.com' } }, 403],
  ['a web page', { headers: { origin: 'http://localhost' } }, 403],
  ['headers without an end', { headers: { 'x-long': 'x'.repeat(20_000) } }, 431],
])('%s is refused', async (_what, asked, status) => {
  await using server = await HealthServer.open(0);
  expect((await ask(server, asked)).status).toBe(status);
});

test('on an address it was told, it is found by addresses, and by no name that somebody points there (T1, T2)', async () => {
  await using server = await HealthServer.open('0.0.0.0:0');
  expect(server.url).toMatch(/^http:\/\/0\.0\.0\.0:\d+$/);
  expect((await ask(server, { headers: { host: '10.1.2.3:9464' } })).status).toBe(200);
  for (const host of ['evil.example.com', '10.1.2.3.example.com']) {
    expect((await ask(server, { headers: { host } })).status).toBe(403);
  }
});

test('it listens on loopback alone, and says when its port is taken (T1)', async () => {
  await using server = await HealthServer.open(0);
  expect(server.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const address = taken.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  await expect(HealthServer.open(port)).rejects.toThrow(expect.objectContaining({ code: 'server.unavailable' }));
  taken.close();
});
