/** `nats callout`: serves a broker's question who may log in, until it is interrupted. */

import { Buckets } from '../../../mesh/link/tally.ts';
import { LOGIN_MS, serveCallout } from '../../../mesh/nats-callout.ts';
import { NatsLink } from '../../../mesh/nats-link.ts';
import type { PublicKey } from '../../../runtime/codec/ed25519.ts';
import { CodedError, messageOf } from '../../../runtime/core/errors.ts';
import type { Refusal } from '../../../runtime/core/result.ts';
import { systemClock, systemRandom } from '../../../runtime/core/system.ts';
import { openCallout, whoLogsIn } from '../../realm/callout.ts';
import { readRoster } from '../../realm/realm-folder.ts';
import { catchInterrupts, type Shell } from '../shell.ts';

type Options = {
  readonly server: string;
  readonly realmFolder: string;
  readonly for: string;
  readonly mailboxes?: boolean;
  readonly json?: boolean;
};

/** @throws {CodedError} `callout.unsupported` · `callout.no_keys` · `transport.*` · `realm.*`; the signal's reason */
export async function serveLogins(shell: Shell, options: Options): Promise<void> {
  const { server, realmFolder, mailboxes = false, json = false } = options;
  const loginMs = lengthOf(options.for);
  const { realm } = readRoster(realmFolder);
  const { issuer, service } = openCallout(realmFolder);
  const told = new Buckets<string>(TOLD_RATE);
  const note = (text: string): void => {
    if (told.take(text.slice(0, 30), systemClock.now())) void shell.notes.write(`ringmesh: ${text}\n`);
  };
  const node = (login: PublicKey) => {
    try {
      return whoLogsIn(realmFolder, login);
    } catch (error) {
      note(`nobody gets in: ${messageOf(error)}`); // a roster that cannot be read lets nobody in
      return undefined;
    }
  };
  using interrupts = catchInterrupts();
  {
    const link = {
      servers: [server],
      name: 'ringmesh nats callout',
      login: service,
      clock: systemClock,
      random: systemRandom,
    };
    await using office = await NatsLink.open({ ...link, onRefused: note }, interrupts.signal);
    if (!office.server.hasAuthCallout) {
      const message = `expected nats-server 2.10 or newer, which asks who may log in, found ${office.server.version}`;
      throw new CodedError('callout.unsupported', message);
    }
    const onRefused = ({ code, message }: Refusal): void => note(`${code}: ${message}`);
    serveCallout(office, { realm, issuer, node, hasMailbox: mailboxes, loginMs }, { clock: systemClock, onRefused });
    await office.flush(interrupts.signal);
    const facts = { schema: 'ringmesh.nats-callout/1', realm, server, version: office.server.version };
    await shell.out.write(json ? `${JSON.stringify(facts)}\n` : `${server}  answers logins of ${realm}\n`);
    await aborted(interrupts.signal);
  }
  interrupts.signal.throwIfAborted();
}

function lengthOf(text: string): number {
  const minutes = Number(text);
  if (/^\d{1,4}$/.test(text) && minutes >= 1 && minutes <= 1_440) return minutes * (LOGIN_MS / 60);
  throw new CodedError('usage.invalid', '--for: expected minutes, 1 to 1440');
}

async function aborted(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  signal.addEventListener('abort', () => resolve(), { once: true });
  if (signal.aborted) resolve();
  await promise;
}

/** Who tries again and again is told of a few times. */
const TOLD_RATE = { count: 10, periodMs: 60_000, burst: 10 } as const;
