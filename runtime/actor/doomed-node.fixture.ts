/**
 * A whole node as a process that a test can kill: `node doomed-node.fixture.ts JSON`. It tells two agents numbers, one after
 * another, and says on its standard output, unbuffered:
 *
 * ```
 * host PID · open · ack AGENT N (durably accepted) · did KEY (an effect happened) · over (nothing is left to do)
 * ```
 */
import { appendFileSync, writeSync } from 'node:fs';
// biome-ignore lint/style/noRestrictedImports: this file is a process, and nothing but that.
import process from 'node:process';
import { z } from 'zod';
import { nextTurn, systemClock, systemRandom, thisProcess } from '../core/system.ts';
import { allowList } from '../kernel/allow-list.ts';
import type { EventLog } from '../log/event-log.ts';
import { openLog } from '../log/log-directory.ts';
import { childHosts } from './child-hosts.ts';
import { mark, note, Passer, Taker } from './doomed-agents.fixture.ts';
import type { Hosts } from './hosts.ts';
import { AgentNode } from './node.ts';
import { provide } from './tool.ts';

const task = z
  .object({
    directory: z.string(),
    anchors: z.string(),
    /** Where effects are counted: a line each, `LIFE TOOL KEY`. */
    effects: z.string(),
    life: z.int(),
    /** The numbers to tell each agent, `count` of them. */
    first: z.int(),
    count: z.int(),
    agents: z.array(z.string()),
  })
  .parse(JSON.parse(process.argv[2] ?? ''));

// biome-ignore lint/style/noRestrictedGlobals: the clock's timers keep no process alive.
const alive = setInterval(() => undefined, 60_000);
const ports = { clock: systemClock, random: systemRandom, identity: thisProcess() };
const log = await openLog(task.directory, { anchors: task.anchors, reserveBytes: 4_096 }, ports);
const module = import.meta.resolve('./doomed-agents.fixture.ts');
const node = AgentNode.open({
  ...ports,
  log,
  contracts: [Passer, Taker],
  hosts: said(childHosts({ modules: { passer: { module, name: 'passer' }, taker: { module, name: 'taker' } } })),
  tools: [provide(mark, (_, { key }) => did('mark', key)), provide(note, (_, { key }) => did('note', key))],
  gates: { policy: allowList({ '*': ['*'] }) },
  standingOf: () => ({ ring: 1, sponsor: '' }),
});
say('open');
await node.spawn(Taker, 'taker');
await Promise.all(task.agents.map(tellAll));
await allDone(log);
say('over');
await node[Symbol.asyncDispose]();
await log[Symbol.asyncDispose]();
clearInterval(alive);

async function tellAll(agent: string): Promise<void> {
  const ref = await node.spawn(Passer, agent);
  for (let n = task.first; n < task.first + task.count; n++) {
    const told = await node.tell(ref).pass({ n });
    if (told.type === 'ok') say(`ack ${agent} ${n}`);
    else await nextTurn(); // a full mailbox: that number was never accepted
  }
}

function did(tool: string, key: string): Promise<number> {
  appendFileSync(task.effects, `${task.life} ${tool} ${key}\n`);
  say(`did ${key}`);
  return new Promise((resolve) => void systemClock.after(5, () => resolve(1))); // it has happened, and nobody knows
}

/** Resolves once every message that an agent has accepted was answered, and every one that it sent has arrived. */
async function allDone(seen: EventLog): Promise<void> {
  const count = { accepted: 0, ended: 0, sent: 0, delivered: 0 };
  for (let next = 0; ; await nextTurn()) {
    for (const { type } of seen.read(next)) {
      next += 1;
      if (type === 'message.accepted') count.accepted += 1;
      if (type === 'turn.committed' || type === 'message.dead_lettered') count.ended += 1;
      if (type === 'message.sent') count.sent += 1;
      if (type === 'message.delivered') count.delivered += 1;
    }
    if (count.accepted === count.ended && count.sent === count.delivered) return;
  }
}

function said(hosts: Hosts): Hosts {
  return {
    start(profile, listener) {
      const host = hosts.start(profile, listener);
      say(`host ${/pid (\d+)$/.exec(host.id)?.[1]}`);
      return host;
    },
  };
}

function say(line: string): void {
  writeSync(1, `${line}\n`);
}
