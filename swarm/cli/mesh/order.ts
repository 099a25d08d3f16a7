/**
 * `mesh suspend`, `mesh resume`, `mesh kill`: one order to one node, said again until the node's signed report on it comes. It
 * stays one order however often it is said, so nothing happens twice; without a report nobody knows whether it happened.
 */
import { join } from 'node:path';
import { connectNats } from '../../../mesh/nats-transport.ts';
import { ORDER_MS, type Order, type Report, readReport, writeOrder } from '../../../mesh/order.ts';
import { nodeToken } from '../../../mesh/subject.ts';
import type { Transport } from '../../../mesh/transport.ts';
import type { Cid } from '../../../runtime/codec/cid.ts';
import type { Did } from '../../../runtime/codec/did.ts';
import type { Millis } from '../../../runtime/core/brand.ts';
import { CodedError } from '../../../runtime/core/errors.ts';
import { systemClock, systemRandom } from '../../../runtime/core/system.ts';
import { newEventId } from '../../../runtime/kernel/event-id.ts';
import { openOperatorLogin, type RealmRoster, readRoster } from '../../realm/realm-folder.ts';
import { openSigner } from '../delegation/signer.ts';
import type { PassphraseOptions } from '../keys/passphrase.ts';
import { catchInterrupts, type Shell } from '../shell.ts';

type Options = PassphraseOptions & {
  readonly server: string;
  readonly realmFolder: string;
  readonly node?: string;
  readonly why: string;
  readonly wait: string;
  readonly json?: boolean;
};

/** @throws {CodedError} what `sayOrder` does · `usage.invalid` */
export async function giveOrder(
  shell: Shell,
  action: Exclude<Order['action'], 'ask' | 'revoke'>,
  agent: string | undefined,
  options: Options,
): Promise<void> {
  const { node, detail } = await sayOrder(
    shell,
    { action, agent, why: options.why },
    { ...options, waitMs: waitOf(options.wait) },
  );
  const told = { schema: 'ringmesh.mesh-order/1', action, node, agent: agent ?? null, detail };
  await shell.out.write(options.json === true ? `${JSON.stringify(told)}\n` : `${node}: ${detail}\n`);
}

/** Says an order until its node has reported, and gives the report.
 *  @throws {CodedError} `order.*` as the node refused it · `order.unanswered` (retryable) · `realm.*` · `key.*` */
export async function sayOrder(
  shell: Shell,
  said: Pick<Order, 'action' | 'body' | 'message' | 'why'> & { readonly agent: string | undefined },
  options: Pick<Options, 'node' | 'passphraseFile' | 'realmFolder' | 'server'> & {
    readonly waitMs: number;
    /** The operator's key, where it was opened before. */
    readonly signer?: Awaited<ReturnType<typeof openSigner>> | undefined;
  },
): Promise<Report & { readonly node: string }> {
  const { waitMs } = options;
  const roster = readRoster(options.realmFolder);
  const node = nodeOf(roster, said.agent, options.node);
  const { did: by, pair } = options.signer ?? (await openSigner(shell, join(options.realmFolder, 'operator'), options));
  const at = systemClock.now();
  const lifeMs = said.action === 'ask' ? waitMs : ORDER_MS; // an ask is over when nobody waits for its answer
  const expires = (at + lifeMs) as Millis;
  const order = orderOf({ ...said, by, node: node.did, realm: roster.realm, expires }, at);
  const written = writeOrder(order, pair);
  const login = openOperatorLogin(options.realmFolder);
  const ports = { clock: systemClock, random: systemRandom };
  using interrupts = catchInterrupts();
  await using transport = await connectNats(
    { ...ports, servers: [options.server], realm: roster.realm, self: nodeToken(by), login },
    interrupts.signal,
  );
  const awaited = { ...written, node: node.did, waitMs };
  const heard = await reportOn(transport, awaited, interrupts.signal);
  if (heard.strangers > 0) {
    await shell.notes.write(
      `ringmesh: ${heard.strangers} messages claimed to be the report, and were not that node’s\n`,
    );
  }
  if (heard.report === undefined) {
    const message = `expected a report of ${node.name} within ${waitMs} ms: nobody knows whether it has obeyed`;
    throw new CodedError('order.unanswered', message, { retryable: true });
  }
  const { outcome, detail, code } = heard.report;
  if (outcome === 'refused') throw new CodedError(code ?? 'order.refused', `${node.name}: ${detail}`);
  return { ...heard.report, node: node.name };
}

function orderOf(said: Omit<Order, 'agent' | 'at' | 'id'> & { readonly agent: string | undefined }, at: Millis): Order {
  const { agent, ...rest } = said;
  const id = newEventId(systemClock, systemRandom);
  return { ...rest, ...(agent === undefined ? {} : { agent }), at, id };
}

/** What the node says became of it; nothing if it says nothing in time. */
async function reportOn(
  transport: Transport,
  {
    bytes,
    cid: order,
    node,
    waitMs,
  }: { readonly bytes: Uint8Array; readonly cid: Cid; readonly node: Did; readonly waitMs: number },
  signal: AbortSignal,
): Promise<{ readonly report: Report | undefined; readonly strangers: number }> {
  const over = new AbortController();
  using _ = systemClock.after(waitMs, () => over.abort());
  const send = (): void => {
    if (over.signal.aborted) return;
    transport.send('control', nodeToken(node), bytes);
    systemClock.after(AGAIN_MS, send);
  };
  send();
  let strangers = 0;
  for await (const group of transport.arrivals(AbortSignal.any([signal, over.signal]))) {
    for (const arrival of group) {
      if (arrival.type !== 'message' || arrival.lane !== 'answer') continue;
      const read = readReport(arrival.bytes, { node, order, carriedFrom: arrival.from });
      if (!read.ok) strangers++;
      else {
        over.abort();
        return { report: read.value, strangers };
      }
    }
  }
  return { report: undefined, strangers };
}

function nodeOf(
  { nodes }: RealmRoster,
  agent: string | undefined,
  name: string | undefined,
): RealmRoster['nodes'][number] {
  if (agent === undefined && name === undefined) throw new CodedError('usage.invalid', 'expected an agent, or --node');
  const found = nodes.find((node) =>
    name === undefined ? node.agents.some((one) => one.name === agent) : node.name === name,
  );
  if (found !== undefined) return found;
  if (name === undefined)
    throw new CodedError(
      'agent.not_found',
      `expected an agent of the realm, found ${agent}; name its --node if it was spawned`,
    );
  throw new CodedError(
    'realm.no_such_node',
    `expected one of ${nodes.map((node) => node.name).join(', ')}, found ${name}`,
  );
}

export function waitOf(text: string): number {
  const ms = Number(text);
  if (/^\d{1,5}$/.test(text) && ms <= ORDER_MS) return ms;
  throw new CodedError('usage.invalid', `--wait: expected milliseconds, 0 to ${ORDER_MS}`);
}

/** How soon it is said again. */
const AGAIN_MS = 500;
