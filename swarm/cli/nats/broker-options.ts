/** How a broker listens, as the commands that write its configuration are told. */
import { type Command, Option } from 'commander';
import type { NatsTls } from '../../../mesh/nats-config.ts';
import { CodedError } from '../../../runtime/core/errors.ts';
import type { Shell } from '../shell.ts';

export type BrokerOptions = {
  readonly listen: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsCa?: string;
  readonly jetstream?: string;
};

export function withBroker(command: Command): Command {
  return command
    .addOption(new Option('--listen <host:port>', 'where it listens').default('127.0.0.1:4222'))
    .option('--tls-cert <file>', 'the server’s certificate, in PEM')
    .option('--tls-key <file>', 'its key')
    .option('--tls-ca <file>', 'whose certificates the clients must have')
    .option('--jetstream <dir>', 'turn JetStream on, with its files there');
}

/** The same, checked, for `natsConfig`; warns where others can read along.
 *  @throws `usage.invalid` */
export async function brokerSettings(
  shell: Shell,
  options: BrokerOptions,
): Promise<{ readonly listen: string; readonly tls?: NatsTls; readonly jetStreamDirectory?: string }> {
  const { listen, jetstream } = options;
  checkListen(listen);
  const tls = tlsOf(options);
  if (jetstream !== undefined) checkPath(jetstream);
  if (tls === undefined && !LOOPBACK.test(listen)) {
    await shell.notes.write(`ringmesh: warning: without --tls-cert everybody on the way to ${listen} can read along\n`);
  }
  const jetStream = jetstream === undefined ? {} : { jetStreamDirectory: jetstream };
  return { listen, ...(tls === undefined ? {} : { tls }), ...jetStream };
}

const LOOPBACK = /^(127(\.\d{1,3}){3}|localhost|\[::1\]):\d+$/;
/** A host is a must: the server takes its absence for every address. */
const LISTEN = /^([a-z0-9][a-z0-9.-]{0,253}|\[[0-9a-f:.]{2,45}\]):\d{1,5}$/i;

function checkListen(listen: string): void {
  const port = Number(listen.slice(listen.lastIndexOf(':') + 1));
  if (LISTEN.test(listen) && port <= 65_535) return;
  throw new CodedError('usage.invalid', '--listen: expected host:port, such as 127.0.0.1:4222 or [::1]:4222');
}

function tlsOf({ tlsCert: cert, tlsKey: key, tlsCa: ca }: BrokerOptions): NatsTls | undefined {
  if (cert === undefined && key === undefined && ca === undefined) return undefined;
  if (cert === undefined || key === undefined) {
    throw new CodedError('usage.invalid', 'expected --tls-cert and --tls-key together');
  }
  for (const path of [cert, key, ca ?? cert]) checkPath(path);
  return { cert, key, ...(ca === undefined ? {} : { ca }) };
}

function checkPath(path: string): void {
  if (/^[^\p{Cc}"\\]{1,4096}$/u.test(path)) return;
  throw new CodedError('usage.invalid', 'expected a path without quotes, backslashes and control characters');
}
