/**
 * One more process of an audit: `node audit-node.ts JSON`. It hosts researchers, over a log and with keys of its own, until
 * it is told to end, or the process that started it is gone.
 */

import { dirname } from 'node:path';
import process from 'node:process';
import { MeshNode, openRealmNode } from 'ringmesh';
import { CodedError, childHosts, hasCode, systemClock, systemRandom, thisProcess } from 'ringmesh/runtime';
import { contractOf, Researcher } from './contracts.ts';
import type { NodeTask } from './fleet.ts';
import { readNpmConfig } from './npm-config.ts';
import { governed, withLog } from './place.ts';
import { loadPolicy } from './policy.ts';
import { authorityOf } from './realm.ts';
import { REGISTRY_LIMITS, Registry } from './registry.ts';
import { researcherTools } from './tools.ts';

const stop = new AbortController();
const end = (why: string): void => stop.abort(new CodedError('audit.interrupted', why));
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => end(name));
process.on('disconnect', () => end('the first node has ended'));

// The clock's timers keep no process alive.
const alive = setInterval(() => undefined, 60_000);
const task = JSON.parse(process.argv[2] ?? '{}') as NodeTask;
try {
  await run(task);
} catch (error) {
  const text = error instanceof Error ? error.message : String(error);
  process.stderr.write(`${task.name}: ${hasCode(error) ? `${error.code}: ` : ''}${text}\n`);
  process.exitCode = 1;
} finally {
  clearInterval(alive);
  if (process.connected) process.disconnect?.();
}

async function run({ name, realm, servers, log: directory, anchors, lock, policy, ...task }: NodeTask): Promise<void> {
  const bundle = await loadPolicy(policy);
  const config = await readNpmConfig(dirname(lock), stop.signal);
  const ports = { clock: systemClock, random: systemRandom, identity: thisProcess() };
  await withLog({ log: directory, anchors }, ports, async (log) => {
    const authority = await authorityOf(openRealmNode(realm, name), log, ports);
    return governed(log, bundle, { ...ports, authority }, async (governance) => {
      const limits = { ...REGISTRY_LIMITS, perSecond: task.perSecond };
      using registry = new Registry({ config, ...ports, environment: process.env }, limits);
      const node = await MeshNode.open(
        {
          ...{ log, governance, authority, servers, contractOf, clock: systemClock, random: systemRandom },
          realm: openRealmNode(realm, name),
          contracts: [Researcher],
          hosts: childHosts({
            modules: { [Researcher.name]: moduleOf('researcher') },
            execArgv: process.execArgv,
            printed: (_, text) => void process.stderr.write(text),
          }),
          tools: researcherTools(registry),
        },
        stop.signal,
      );
      try {
        for (const researcher of task.researchers) await node.agents.spawn(Researcher, researcher);
        await Promise.race([node.ended, aborted(stop.signal)]);
      } finally {
        await node.drain();
      }
    });
  });
}

/** Resolves when the signal aborts. */
function aborted(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (signal.aborted) resolve();
  signal.addEventListener('abort', () => resolve(), { once: true });
  return promise;
}

/** `researcher.ts` exports `researcher`. */
function moduleOf(name: string) {
  return { module: new URL(`./${name}.ts`, import.meta.url).href, name };
}
