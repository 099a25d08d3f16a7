/** The NATS server: one that can be spawned, or one that runs. */
import { connect } from 'node:net';
import { readServer, type ServerInfo } from '../../../mesh/nats-server.ts';
import type { Clock } from '../../../runtime/core/clock.ts';
import { withDeadline } from '../../../runtime/core/deadline.ts';
import { CodedError, hasCode, messageOf } from '../../../runtime/core/errors.ts';
import { findBroker } from '../../broker/find-broker.ts';
import { type Check, fail, ok, warn } from './check.ts';

const NAME = 'broker';
const ALONE = 'a swarm in one process needs none; for more, install nats-server 2.9.10 or newer';

/** Of a program on this machine. */
export async function lookForBroker(searchPath: string | undefined, name?: string): Promise<Check> {
  try {
    const { path, version } = await findBroker(searchPath, name);
    return ok(NAME, `nats-server ${version} at ${path}`);
  } catch (error) {
    if (!hasCode(error)) throw error;
    return warn(NAME, `${error.code}: ${messageOf(error)}`, ALONE);
  }
}

type Address = { readonly url: string; readonly hostname: string; readonly port: number };

/** Of a server that runs: a NATS server says what it is before anybody logs in (NATS client protocol, INFO). */
export async function lookAtBroker(address: Address, clock: Clock): Promise<Check> {
  const { url } = address;
  try {
    const info = parseInfo(await firstLine(address, clock));
    const server = readServer(info);
    if (!server.ok) return fail(NAME, `${url}: ${server.error.message}`, `ringmesh explain ${server.error.code}`);
    const { version, hasJetStream } = server.value;
    return ok(NAME, `nats-server ${version} at ${url}, JetStream ${hasJetStream ? 'on' : 'off'}`);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return fail(NAME, `${url}: ${error.message}`, 'start it, or mend the address: nats://host:port');
  }
}

const ANSWER_MS_MAX = 5_000;
/** A hundred times what servers say. */
const INFO_BYTES_MAX = 64 * 1024;

async function firstLine({ hostname, port }: Address, clock: Clock): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let text = '';
  const socket = connect({ host: hostname, port });
  socket.setEncoding('utf8');
  socket.on('error', reject);
  socket.on('close', () => reject(new Error('expected a NATS server, found one that hung up without a word')));
  socket.on('data', (chunk) => {
    text += String(chunk);
    if (text.includes('\n') || text.length > INFO_BYTES_MAX) resolve(text.slice(0, text.indexOf('\n')));
  });
  try {
    return await withDeadline(promise, { clock, limitMs: ANSWER_MS_MAX, what: 'the answer of the broker' });
  } finally {
    socket.destroy();
  }
}

/** `nats://host:port`, `tls://host:port` or `host:port`; 4222 where no port is named. @throws `usage.invalid` */
export function addressOf(url: string): Address {
  const whole = url.includes('://') ? url : `nats://${url}`;
  const { protocol, hostname, port } = URL.parse(whole) ?? { protocol: '', hostname: '', port: '' };
  if (!/^(nats|tls):$/.test(protocol) || hostname === '')
    throw new CodedError('usage.invalid', `--broker: expected nats://host:port, found ${JSON.stringify(url)}`);
  return { url, hostname: hostname.replace(/^\[(.*)\]$/, '$1'), port: port === '' ? 4222 : Number(port) };
}

/** `INFO {…}`; `undefined` for what no NATS server says. */
export function parseInfo(line: string): ServerInfo | undefined {
  const json = /^INFO (\{.*\})\s*$/.exec(line)?.[1];
  if (json === undefined) return undefined;
  try {
    const { version, max_payload, ...rest } = JSON.parse(json) as Partial<ServerInfo>;
    if (typeof version !== 'string' || typeof max_payload !== 'number') return undefined;
    return { ...rest, version, max_payload };
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
