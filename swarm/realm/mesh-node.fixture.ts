/** Nodes of a realm inside one process, over a real broker and real disks, whose gates allow everything. */
import { mkdtempDisposableSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { contract } from '../../runtime/actor/contract.ts';
import { inlineHosts } from '../../runtime/actor/hosts.ts';
import { implement } from '../../runtime/actor/implement.ts';
import { refTo } from '../../runtime/actor/ref.ts';
import type { JsonValue } from '../../runtime/codec/json.ts';
import { DeadlineError } from '../../runtime/core/deadline.ts';
import { systemClock, systemRandom } from '../../runtime/core/system.ts';
import { allowList } from '../../runtime/kernel/allow-list.ts';
import { NO_EPOCHS } from '../../runtime/kernel/gate.ts';
import { Rings } from '../../runtime/kernel/rings.ts';
import type { EventLog } from '../../runtime/log/event-log.ts';
import { scratchLog } from '../../runtime/log/scratch-log.fixture.ts';
import { jsonOf } from '../../runtime/log/upcast.ts';
import { findBroker } from '../broker/find-broker.ts';
import { type Broker, spawnBroker } from '../broker/spawn-broker.ts';
import { MeshNode, type MeshNodeParts } from './mesh-node.ts';
import { brokerOperators, brokerUsers, openRealmNode, provisionRealm } from './realm-folder.ts';

const Ended = z.object({ agent: z.string(), instance: z.int(), why: z.string() });

const forever = new AbortController().signal;

/** It is told numbers, tells others some, and hears when another ends. */
export const Clerk = contract('clerk', {
  messages: {
    put: { in: z.object({ n: z.int() }) },
    pass: { in: z.object({ to: z.string(), n: z.int() }) },
    follow: { in: z.object({ agent: z.string() }) },
    ended: { in: Ended },
    double: { in: z.object({ n: z.int() }), out: z.int(), within: '20s' },
    ask: { in: z.object({ to: z.string(), n: z.int() }), out: z.int().nullable(), within: '20s' },
  },
  events: { Put: z.object({ n: z.int() }), Ended },
});

const clerk = implement(Clerk, {
  state: () => ({}),
  evolve: { Put: (state) => state, Ended: (state) => state },
  on: {
    put: ({ n }, ctx) => ctx.emit('Put', { n }),
    async pass({ to, n }, ctx) {
      await ctx.tell(refTo(Clerk, to)).put({ n }, { retryFor: '10m' });
    },
    follow: ({ agent }, ctx) => ctx.watch(agent, 'ended'),
    ended: (ended, ctx) => ctx.emit('Ended', ended),
    double: ({ n }) => 2 * n,
    async ask({ to, n }, ctx) {
      const answer = await ctx.ask(refTo(Clerk, to)).double({ n }, { within: '10s' });
      return answer.type === 'ok' ? answer.value : null;
    },
  },
});

export type Running = { readonly node: MeshNode; readonly log: EventLog; readonly stop: () => Promise<void> };

export class RealmOfTest implements AsyncDisposable {
  readonly folder: string;
  readonly broker: Broker;
  readonly #stack: AsyncDisposableStack;
  readonly #disks = new Map<string, Awaited<ReturnType<typeof scratchLog>>>();

  private constructor(folder: string, broker: Broker, stack: AsyncDisposableStack) {
    this.folder = folder;
    this.broker = broker;
    this.#stack = stack;
  }

  /** Each node hosts one agent, `clerk/<node>`. */
  static async open(names: readonly string[], searchPath: string | undefined): Promise<RealmOfTest> {
    const stack = new AsyncDisposableStack();
    const { path } = stack.use(mkdtempDisposableSync(join(tmpdir(), 'ringmesh-nodes-')));
    const folder = join(path, 'realm');
    const plan = { realm: 'acme', nodes: names.map((name) => ({ name, agents: [`clerk/${name}`] })) };
    const roster = provisionRealm(folder, plan, { clock: systemClock, random: systemRandom });
    const logins = { users: brokerUsers(roster), operators: brokerOperators(roster) };
    const binary = await findBroker(searchPath);
    const options = { binary, realm: roster.realm, ...logins, jetStreamDirectory: join(path, 'streams') };
    const broker = stack.use(await spawnBroker(options, systemClock, forever));
    return new RealmOfTest(folder, broker, stack);
  }

  /** A life of a node, over its disk and with its keys; it beats ten times a second. `isEmpty`: nobody is started. */
  async start(
    name: string,
    { isEmpty = false, ...over }: Partial<MeshNodeParts> & { readonly isEmpty?: boolean } = {},
  ): Promise<Running> {
    const disk = this.#disks.get(name) ?? this.#stack.use(await scratchLog());
    this.#disks.set(name, disk);
    const log = await disk.open();
    const governance = {
      gates: { policy: allowList({ '*': ['*'] }) },
      epochs: () => NO_EPOCHS,
      rings: new Rings({ kindOf: () => 'pure' }),
    };
    const node = await MeshNode.open(
      {
        ...{ log, governance, servers: [this.broker.url], clock: systemClock, random: systemRandom },
        ...{ contracts: [Clerk], contractOf: () => Clerk, hosts: inlineHosts([clerk]) },
        ...{ realm: openRealmNode(this.folder, name), beatEveryMs: 100, ...over },
      },
      forever,
    );
    if (!isEmpty) await node.agents.spawn(Clerk, `clerk/${name}`);
    let isOver = false;
    const stop = async (): Promise<void> => {
      if (isOver) return;
      isOver = true;
      await node.drain(1_000);
      await log[Symbol.asyncDispose]();
    };
    this.#stack.defer(stop);
    return { node, log, stop };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack[Symbol.asyncDispose]();
  }
}

/** The payloads of what a log has of one type, in order. */
export function recorded(log: EventLog, type: string): readonly JsonValue[] {
  return [...log.read()].filter((record) => record.type === type).map((record) => jsonOf(record, log));
}

/** Waits until it holds, looking again and again. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, withinMs = 30_000): Promise<void> {
  const end = systemClock.monotonicMs() + withinMs;
  while (!(await holds())) {
    if (systemClock.monotonicMs() > end) throw new DeadlineError(what, withinMs);
    const { promise, resolve } = Promise.withResolvers<void>();
    systemClock.after(10, resolve);
    await promise;
  }
}
