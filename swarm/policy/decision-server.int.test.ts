import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { systemClock, systemRandom } from '../../runtime/core/system.ts';
import { DecisionServer, type ServerOptions } from './decision-server.ts';
import { HOUSE, rulesOf } from './office.fixture.ts';

const house = rulesOf(HOUSE);
const ports = { bundle: () => house, clock: systemClock, random: systemRandom };
const open = (options: ServerOptions = {}) => DecisionServer.open(ports, options);
const JSON_TYPE = { 'content-type': 'application/json' };

function asking(amount: number): string {
  return JSON.stringify({
    subject: { type: 'agent', id: 'ada', properties: { ring: 2, trust: 640 } },
    action: { name: 'refund.issue', properties: { args: { amount } } },
    resource: { type: 'order', id: 'o-7' },
  });
}

async function post(
  server: DecisionServer,
  body: string,
  headers: Record<string, string> = JSON_TYPE,
  path = 'evaluation',
) {
  const response = await fetch(`${server.url}/access/v1/${path}`, { method: 'POST', headers, body });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

/** Bytes as they are, and all that comes back until the connection ends. */
async function raw(server: DecisionServer, ...parts: readonly string[]): Promise<string> {
  const { port, hostname } = new URL(server.url);
  const socket = connect({ port: Number(port), host: hostname });
  socket.on('error', () => undefined); // the server may close first
  for (const part of parts) socket.write(part);
  return text(socket).catch(() => '');
}

function head(path: string, ...lines: readonly string[]): string {
  return [`POST /access/v1/${path} HTTP/1.1`, 'content-type: application/json', ...lines, '', ''].join('\r\n');
}

describe('the decision point', () => {
  test('answers an evaluation, under the id that the caller gave it', async () => {
    await using server = await open();

    const allowed = await post(server, asking(5), { ...JSON_TYPE, 'x-request-id': 'r-1' });
    const denied = await post(server, asking(50_000));

    expect(allowed).toMatchObject({ status: 200 });
    expect(JSON.parse(allowed.text)).toMatchObject({ decision: true });
    expect(allowed.headers.get('x-request-id')).toBe('r-1');
    expect(allowed.headers.get('cache-control')).toBe('no-store');
    expect(JSON.parse(denied.text)).toMatchObject({ decision: false, context: { needs: 'approval' } });
  });

  test('answers several at once', async () => {
    await using server = await open();
    const body = `{"evaluations":[${asking(5)},${asking(50_000)}]}`;

    const { text: told } = await post(server, body, JSON_TYPE, 'evaluations');

    expect(JSON.parse(told)).toMatchObject({ evaluations: [{ decision: true }, { decision: false }] });
  });

  test('says where it is, by the name it was asked by', async () => {
    await using server = await open();

    const response = await fetch(`${server.url}/.well-known/authzen-configuration`);

    expect(await response.json()).toEqual({
      policy_decision_point: server.url,
      access_evaluation_endpoint: `${server.url}/access/v1/evaluation`,
      access_evaluations_endpoint: `${server.url}/access/v1/evaluations`,
    });
  });

  test('keeps nothing between two requests: the same question has the same answer', async () => {
    await using server = await open();
    const body = asking(5).replace('"args"', '"honours":["consume"],"args"');

    const answers = await Promise.all(Array.from({ length: 20 }, () => post(server, body)));

    expect(new Set(answers.map(({ text: told }) => told)).size).toBe(1);
  });
});

describe('an attacker', () => {
  test.each<[string, number, string, Record<string, string>]>([
    ['a name twice', 400, asking(5).replace('"amount":5', '"amount":5,"amount":50000'), JSON_TYPE],
    ['a prototype', 400, asking(5).replace('"amount":5', '"__proto__":{"ring":0}'), JSON_TYPE],
    ['no JSON', 400, '{', JSON_TYPE],
    ['no question', 400, '{}', JSON_TYPE],
    ['a form, as a page could send', 415, asking(5), { 'content-type': 'text/plain' }],
    ['another charset', 415, asking(5), { 'content-type': 'application/json; charset=utf-7' }],
    ['a compressed body', 415, asking(5), { ...JSON_TYPE, 'content-encoding': 'gzip' }],
    ['a page of another origin', 403, asking(5), { ...JSON_TYPE, origin: 'https://evil.example' }],
    ['a body that is too long', 413, `{"x":"${'x'.repeat(300_000)}"}`, JSON_TYPE],
  ])('with %s is told %i', async (_, status, body, headers) => {
    await using server = await open();

    expect(await post(server, body, headers)).toMatchObject({ status });
    expect((await post(server, asking(5))).status).toBe(200); // and nothing is the worse for it
  });

  test.each<[string, string, string]>([
    ['a name that was pointed here', 'host: evil.example', '403'],
    ['a name that only begins like ours', 'host: localhost.evil.example', '403'],
    ['an address with a name behind', 'host: 127.0.0.1.evil.example', '403'],
    ['credentials before the host', 'host: localhost@evil.example', '403'],
    ['an empty host', 'host:', '4'],
    ['no host', 'x: y', '400'],
  ])('H2: who asks for %s is refused', async (_, host, status) => {
    await using server = await open();

    const told = await raw(server, head('evaluation', host, 'connection: close', `content-length: 2`), '{}');

    expect(told).toMatch(new RegExp(`^HTTP/1.1 ${status}`));
  });

  test.each(['localhost', '127.0.0.1', '[::1]', 'LOCALHOST:80', 'pdp.internal'])('H2: %s is us', async (host) => {
    await using server = await open({ names: ['pdp.internal'] });

    const told = await raw(server, head('evaluation', `host: ${host}`, 'connection: close', 'content-length: 2'), '{}');

    expect(told).toContain('HTTP/1.1 400'); // a bad question, from somebody who may ask
  });

  test.each<[string, string, string]>([
    ['GET', '/access/v1/evaluation', '405'],
    ['DELETE', '/access/v1/evaluations', '405'],
    ['POST', '/.well-known/authzen-configuration', '405'],
    ['POST', '/access/v1/../../etc/passwd', '404'],
    ['POST', '//evil.example/access/v1/evaluation', '404'],
  ])('%s %s is %s', async (method, path, status) => {
    await using server = await open();

    const told = await raw(server, `${method} ${path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`);

    expect(told).toMatch(new RegExp(`^HTTP/1.1 ${status}`));
  });

  test('H3: a body without a length ends where it is too long', async () => {
    await using server = await open({ bodyBytesMax: 1_000 });
    const chunk = `200\r\n${'x'.repeat(512)}\r\n`;

    const told = await raw(
      server,
      head('evaluation', 'host: localhost', 'transfer-encoding: chunked'),
      chunk,
      chunk,
      chunk,
    );

    expect(told).toMatch(/^HTTP\/1.1 413/);
  });

  test('H3: who is refused unread cannot hide a second request in the body', async () => {
    await using server = await open();
    const hidden = head('evaluation', 'host: localhost', 'content-length: 2');

    const told = await raw(
      server,
      head('evaluation', 'host: evil.example', `content-length: ${hidden.length + 2}`),
      `${hidden}{}`,
    );

    expect(told.match(/HTTP\/1.1/g)).toHaveLength(1);
  });

  test.each([
    ['headers', () => 'POST /access/v1/evaluation HTTP/1.1\r\nhost: local'],
    ['a body', () => `${head('evaluation', 'host: localhost', 'content-length: 100')}{"subject":`],
    ['nothing at all', () => ''],
  ])('H3: who never ends sending %s is hung up on', async (_, sent) => {
    await using server = await open({ requestMsMax: 200 });

    expect(await raw(server, sent())).not.toContain('decision');
  });

  test('H3: headers without end are refused', async () => {
    await using server = await open();

    expect(await raw(server, head('evaluation', 'host: localhost', `x: ${'y'.repeat(20_000)}`))).toMatch(
      /^HTTP\/1.1 431/,
    );
  });
});

describe('opening and ending', () => {
  test.each([
    ['0.0.0.0', undefined],
    ['::', undefined],
    ['192.0.2.1', undefined],
    ['localhost', true],
    ['pdp.example', true],
  ])('H1: %s is refused', async (host, allowRemote) => {
    const options = allowRemote === undefined ? { host } : { host, allowRemote };
    await expect(open(options)).rejects.toMatchObject({ code: 'usage.invalid' });
  });

  test('H1: another address takes the word for it', async () => {
    await using server = await open({ host: '0.0.0.0', allowRemote: true });
    expect(new URL(server.url).hostname).toBe('0.0.0.0');
  });

  test('a port that is taken is an error with a code', async () => {
    await using server = await open();
    await expect(open({ port: Number(new URL(server.url).port) })).rejects.toMatchObject({
      code: 'server.unavailable',
    });
  });

  test('H4: ends after answering what it has taken, and hangs up on who does not end', async () => {
    const server = await open({ requestMsMax: 1_000 });
    const { port, hostname } = new URL(server.url);
    const body = asking(5);
    const socket = connect({ port: Number(port), host: hostname });
    const answered = text(socket);
    socket.write(head('evaluation', 'host: localhost', 'expect: 100-continue', `content-length: ${body.length}`));
    const { promise: begun, resolve } = Promise.withResolvers<void>();
    socket.once('data', () => resolve()); // 100 Continue: the request has been taken
    await begun;
    const ended = server[Symbol.asyncDispose]();
    socket.write(body);
    await ended;

    expect(await answered).toContain('"decision":true');
    await expect(fetch(`http://${hostname}:${port}/`)).rejects.toThrow('fetch failed');
  });
});
