/** One node of the mesh benchmark: a realm's node over a log on disk or in memory, whose gates allow everything. */

import { childHosts } from '../runtime/actor/child-hosts.ts';
import { inlineHosts } from '../runtime/actor/hosts.ts';
import { systemClock, systemRandom, thisProcess } from '../runtime/core/system.ts';
import { allowList } from '../runtime/kernel/allow-list.ts';
import { NO_EPOCHS } from '../runtime/kernel/gate.ts';
import { Rings } from '../runtime/kernel/rings.ts';
import type { EventLog } from '../runtime/log/event-log.ts';
import { createLog, openLog } from '../runtime/log/log-directory.ts';
import { MemoryWorld } from '../runtime/log/memory-log.ts';
import { MeshNode } from '../swarm/realm/mesh-node.ts';
import { openRealmNode } from '../swarm/realm/realm-folder.ts';
import { Asker, asker, Echo, echo } from './mesh.fixture.ts';

export type PeerTask = {
  readonly kind: 'plain' | 'bare' | 'governed';
  readonly servers: readonly string[];
  readonly realm: string;
  readonly name: string;
  /** Where its log goes; `null`: into memory, where a flush costs nothing. */
  readonly log: string | null;
  readonly hosts: 'inline' | 'child';
  /** Messages under one signature, at most; `null`: as many as leave together. */
  readonly batchMax: number | null;
  readonly agents: readonly string[];
};

export type Peer = {
  readonly node: MeshNode;
  readonly close: () => Promise<void>;
};

const module = new URL('./mesh.fixture.ts', import.meta.url).href;

export async function openPeer(task: PeerTask): Promise<Peer> {
  const log = await openLogOf(task.log);
  const rings = new Rings({ kindOf: () => 'pure' });
  const governance = { gates: { policy: allowList({ '*': ['*'] }) }, epochs: () => NO_EPOCHS, rings };
  const hosts =
    task.hosts === 'inline'
      ? inlineHosts([asker, echo], { strict: false })
      : childHosts({ modules: { asker: { module, name: 'asker' }, echo: { module, name: 'echo' } } });
  const node = await MeshNode.open(
    {
      ...{ log, governance, hosts, contractOf, servers: task.servers, clock: systemClock, random: systemRandom },
      contracts: [Asker, Echo],
      ...(task.batchMax === null ? {} : { batchMax: task.batchMax }),
      realm: openRealmNode(task.realm, task.name),
    },
    new AbortController().signal,
  );
  const close = async (): Promise<void> => {
    await node.drain();
    await log[Symbol.asyncDispose]();
  };
  return { node, close };
}

/** Resolves when whoever started this process has closed its channel. */
export function untilClosed(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  process.on('disconnect', () => resolve());
  return promise;
}

/** What this process has used, all threads. */
export function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

export function contractOf(agent: string): typeof Asker | typeof Echo {
  return agent.startsWith('echo') ? Echo : Asker;
}

export async function openLogOf(directory: string | null): Promise<EventLog> {
  if (directory === null) return (await new MemoryWorld(systemRandom).open(systemClock)).log;
  const anchors = `${directory}-anchors`;
  await createLog(directory, { anchors }, systemRandom);
  const ports = { clock: systemClock, random: systemRandom, identity: thisProcess() };
  return openLog(directory, { anchors, reserveBytes: 0 }, ports);
}
