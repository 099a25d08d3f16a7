/**
 * `mesh ls`: asks all nodes by service discovery, with the login of the operator's tools. What they answer is unsigned, and
 * every node of the realm could say it in another's name: it is for people who look, and no proof of anything.
 */
import { z } from 'zod';
import { SKEW_MS } from '../../../mesh/limits.ts';
import { askDiscovery } from '../../../mesh/nats-discovery.ts';
import { NatsLink } from '../../../mesh/nats-link.ts';
import { nodeToken } from '../../../mesh/subject.ts';
import { CodedError } from '../../../runtime/core/errors.ts';
import { systemClock, systemRandom } from '../../../runtime/core/system.ts';
import { openOperatorLogin, type RealmRoster, readRoster } from '../../realm/realm-folder.ts';
import { catchInterrupts, type Shell } from '../shell.ts';
import { Table } from '../table.ts';

type Options = {
  readonly server: string;
  readonly realmFolder: string;
  readonly wait: string;
  readonly json?: boolean;
};

export async function listNodes(shell: Shell, { server, realmFolder, wait, json = false }: Options): Promise<void> {
  const limitMs = waitOf(wait);
  const roster = readRoster(realmFolder);
  const login = openOperatorLogin(realmFolder);
  const ports = { clock: systemClock, random: systemRandom };
  using interrupts = catchInterrupts();
  const { signal } = interrupts;
  await using link = await NatsLink.open({ ...ports, servers: [server], name: 'ringmesh mesh ls', login }, signal);
  const heardAt: number[] = []; // when each answer came, on this machine's clock
  const isEnough = (answers: readonly unknown[]): boolean => {
    while (heardAt.length < answers.length) heardAt.push(systemClock.now());
    return (
      answers.length >= 2 * roster.nodes.length && nodesIn(answers, roster, heardAt).nodes.every(({ isUp }) => isUp)
    );
  };
  const answers = await askDiscovery(link, ['INFO', 'STATS'], { ...ports, limitMs, isEnough }, signal);
  const { nodes, strangers } = nodesIn(answers, roster, heardAt);
  for (const warning of nodes.flatMap(clockWarnings)) await shell.notes.write(`ringmesh: ${warning}\n`);
  if (strangers > 0) {
    await shell.notes.write(
      `ringmesh: ${strangers} answers were no node’s of the realm, or a second one in its name\n`,
    );
  }
  if (json) {
    await shell.out.write(`${JSON.stringify({ schema: 'ringmesh.mesh-ls/1', realm: roster.realm, nodes })}\n`);
    return;
  }
  const table = new Table(COLUMNS, shell.out.columns);
  await shell.out.write(table.format(nodes.map(rowOf)));
}

/** A node of the roster, and what it says of itself if it answers. */
type Listed = {
  readonly name: string;
  readonly did: string;
  readonly isUp: boolean;
  readonly version?: string;
  readonly epoch?: string;
  readonly started?: string;
  readonly agents?: readonly string[];
  /** Messages that wait, how long the oldest turn has taken in ms, requests since the start, and how many were refused. */
  readonly waiting?: number;
  readonly turnMs?: number;
  readonly asks?: number;
  readonly refused?: number;
  /** How far its clock is ahead of this machine's, in ms; less, by as long as its answer took. */
  readonly clockAheadMs?: number;
  /** Nodes whose clocks are more than 2 s from its own, by their heartbeats. */
  readonly clocksApart?: number;
};

const COLUMNS = [
  { title: 'NODE' },
  { title: 'STATE' },
  { title: 'VERSION' },
  { title: 'WAITING', align: 'right' },
  { title: 'TURN', align: 'right' },
  { title: 'ASKS', align: 'right' },
  { title: 'REFUSED', align: 'right' },
  { title: 'AGENTS' },
] as const;

function rowOf({ name, isUp, version = '-', agents = [], ...load }: Listed): readonly string[] {
  if (!isUp) return [name, 'away', ...Array<string>(COLUMNS.length - 2).fill('-')];
  const { waiting = 0, turnMs = 0, asks = 0, refused = 0 } = load;
  const counts = [String(waiting), `${turnMs} ms`, String(asks), String(refused)];
  return [name, 'up', version, ...counts, agents.length === 0 ? '-' : agents.join(' ')];
}

const count = z.int().nonnegative();
const Service = z.object({ id: z.string(), version: z.string(), metadata: z.object({ node: z.string() }) });
const Info = Service.extend({
  type: z.literal('io.nats.micro.v1.info_response'),
  metadata: z.object({ node: z.string(), epoch: z.string(), names: z.string() }),
});
const Stats = Service.extend({
  type: z.literal('io.nats.micro.v1.stats_response'),
  started: z.string(),
  endpoints: z.tuple([
    z.object({
      ...{ num_requests: count, num_errors: count },
      // What a node of an older version does not say is taken for no difference.
      data: z.object({ mailbox: count, turn_ms: count, now: count.optional(), clocks_apart: count.default(0) }),
    }),
  ]),
});

/** Of each node the first answer to each question; the rest is counted. */
function nodesIn(
  answers: readonly unknown[],
  { nodes }: RealmRoster,
  heardAt: readonly number[],
): { readonly nodes: readonly Listed[]; readonly strangers: number } {
  const infos = new Map<string, z.infer<typeof Info>>();
  const stats = new Map<string, z.infer<typeof Stats>>();
  const clocks = new Map<string, number>();
  for (const [n, answer] of answers.entries()) {
    const [info, stat] = [Info.safeParse(answer), Stats.safeParse(answer)];
    if (info.success && !infos.has(info.data.id)) infos.set(info.data.id, info.data);
    if (!stat.success || stats.has(stat.data.id)) continue;
    stats.set(stat.data.id, stat.data);
    const { now } = stat.data.endpoints[0].data;
    if (now !== undefined) clocks.set(stat.data.id, now - (heardAt[n] ?? now));
  }
  let known = 0;
  const listed = nodes.map(({ name, did }): Listed => {
    const id = nodeToken(did);
    const [info, stat] = [infos.get(id), stats.get(id)];
    if (info?.metadata.node === did) known++;
    if (stat?.metadata.node === did) known++;
    if (info?.metadata.node !== did || stat?.metadata.node !== did) return { name, did, isUp: false };
    const [{ data, num_requests: asks, num_errors: refused }] = stat.endpoints;
    const { epoch, names } = info.metadata;
    const agents = names.split(' ').filter((agent) => agent !== '');
    const { version } = info;
    const load = { waiting: data.mailbox, turnMs: data.turn_ms, asks, refused };
    const ahead = clocks.get(id);
    const clock = { clocksApart: data.clocks_apart, ...(ahead === undefined ? {} : { clockAheadMs: ahead }) };
    return { name, did, isUp: true, version, epoch, started: stat.started, agents, ...load, ...clock };
  });
  return { nodes: listed, strangers: answers.length - known };
}

/** Clocks that are too far apart for envelopes to be taken. */
function clockWarnings({ name, clockAheadMs = 0, clocksApart = 0 }: Listed): readonly string[] {
  const far = Math.abs(clockAheadMs) > SKEW_MS;
  const way = clockAheadMs > 0 ? 'ahead of' : 'behind';
  return [
    ...(far ? [`the clock of ${name} is ${(Math.abs(clockAheadMs) / 1000).toFixed(1)} s ${way} this machine’s`] : []),
    ...(clocksApart > 0
      ? [`${name} finds ${clocksApart} other clocks more than ${SKEW_MS / 1000} s from its own`]
      : []),
  ];
}

function waitOf(text: string): number {
  const ms = Number(text);
  if (/^\d{1,5}$/.test(text) && ms <= 60_000) return ms;
  throw new CodedError('usage.invalid', '--wait: expected milliseconds, 0 to 60000');
}
