/**
 * A node of a realm as a process that a test can kill: `node realm-process.fixture.ts JSON`. It hosts `desk/<name>` and `post/<name>`
 * over a log and with keys of its own, and does what it is told over IPC until SIGTERM.
 */
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
// biome-ignore lint/style/noRestrictedImports: this file is a process, and nothing but that.
import process from 'node:process';
import { z } from 'zod';
import { inlineHosts } from '../../runtime/actor/hosts.ts';
import { provide } from '../../runtime/actor/tool.ts';
import type { Millis } from '../../runtime/core/brand.ts';
import { hasCode } from '../../runtime/core/errors.ts';
import { systemClock, systemRandom, thisProcess } from '../../runtime/core/system.ts';
import { createLog, openLog } from '../../runtime/log/log-directory.ts';
import { govern } from '../governance.ts';
import { MeshNode } from './mesh-node.ts';
import { Desk, desk, Post, post, postRules, write } from './post.fixture.ts';
import { openRealmNode } from './realm-folder.ts';

const Task = z.object({
  name: z.string(),
  realm: z.string(),
  server: z.string(),
  log: z.string(),
  anchors: z.string(),
  book: z.string(),
});

const Order = z.object({
  id: z.int(),
  message: z.enum(['send', 'ask']),
  input: z.record(z.string(), z.json()),
  withinMs: z.int(),
});

const task = Task.parse(JSON.parse(process.argv[2] ?? ''));
const ports = { clock: systemClock, random: systemRandom };
const hour = (systemClock.now() + 3_600_000) as Millis;

// biome-ignore lint/style/noRestrictedGlobals: the clock's timers keep no process alive.
const alive = setInterval(() => undefined, 60_000);
const over = Promise.withResolvers<void>();
process.on('SIGTERM', () => over.resolve());
process.on('disconnect', () => process.exit(1)); // the test has died, and nothing is to outlive it
if (!process.connected) process.exit(1);

const options = { anchors: task.anchors, reserveBytes: 4_096 };
const open = () => openLog(task.log, options, { ...ports, identity: thisProcess() });
const log = await open().catch(async (error: unknown) => {
  if (!hasCode(error, 'log.not_found')) throw error;
  await createLog(task.log, { ...options, realm: 'post', node: task.name }, systemRandom);
  return open();
});
const realm = openRealmNode(task.realm, task.name);
const governance = govern({
  ...{ log, ...ports, bundle: () => postRules },
  // Each node has its own view of everybody's ring: strangers are in the sandbox, and may say ten things a minute.
  endorsements: realm.roster.nodes.flatMap(({ agents }) =>
    agents.map(({ name: agent }) => ({ agent, ring: 1, trustFloor: 850, expiresAt: hour }) as const),
  ),
});
const node = await MeshNode.open(
  {
    ...{
      log,
      governance,
      ...ports,
      contracts: [Desk, Post],
      hosts: inlineHosts([desk, post]),
      tools: [provide(write, bookAt(task.book))],
    },
    realm,
    servers: [task.server],
    contractOf: (agent) => (agent.startsWith('desk/') ? Desk : Post),
  },
  new AbortController().signal,
);
await node.agents.spawn(Post, `post/${task.name}`);
const self = await node.agents.spawn(Desk, `desk/${task.name}`);
process.on('message', (told) => void obey(Order.parse(told)));
process.send?.({ ready: true });

await Promise.race([over.promise, node.ended]);
await node.drain();
await governance.recorded();
if (log.stopped === undefined) await log.checkpoint();
await log[Symbol.asyncDispose]();
clearInterval(alive);
process.removeAllListeners('disconnect');
process.disconnect?.();

async function obey({ id, message, input, withinMs }: z.infer<typeof Order>): Promise<void> {
  const asks = node.agents.ask(self) as unknown as Record<
    string,
    (input: unknown, options: object) => Promise<unknown>
  >;
  const outcome = await asks[message]?.(input, { within: `${withinMs}ms` });
  process.send?.({ id, outcome });
}

/** Lines with the keys of the acts that wrote them. */
function bookAt(path: string) {
  return {
    run({ line }: { readonly line: string }, { key }: { readonly key: string }) {
      appendFileSync(path, `${key} ${line}\n`);
      return null;
    },
    probe(_: unknown, { key }: { readonly key: string }) {
      const lines = existsSync(path) ? readFileSync(path, 'utf8').split('\n') : [];
      return lines.some((line) => line.startsWith(`${key} `)) ? ({ happened: null } as const) : ('absent' as const);
    },
  };
}
