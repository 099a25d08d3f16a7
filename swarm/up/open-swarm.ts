/**
 * A swarm, opened from its file: every part in a stated order, each told of as it starts, and stopped in reverse.
 *
 *     read      modules and policies, before anything is made
 *     identity  as whom its agents act: with `--only` or delegations, the keys of the realm
 *     log       opened, or made; its head, frontier, last tiles and anchor are checked (fsck L0) by the opening
 *     fold      what was given and taken back, rings, rates and trust, from the log; then what the file gives
 *     policy    the bundle in force is on record
 *     broker    found, spawned or not needed
 *     hosts     where agents' code will run: child processes, never this one
 *     agents    those of the log and of the file; what they had not finished goes on
 *
 * U1. It is ready when all of these have started, and not before.
 * U2. Stopping lets turns end for as long as it is told; then what is under way is cut off, and resolved at the next start.
 * U3. The log is signed before it is closed, unless it has stopped by itself.
 */

import { type AgentModule, childHosts } from '../../runtime/actor/child-hosts.ts';
import type { AgentNode } from '../../runtime/actor/node.ts';
import type { Millis } from '../../runtime/core/brand.ts';
import type { EventLog } from '../../runtime/log/event-log.ts';
import type { NodeAuthority } from '../authority/node-authority.ts';
import type { Configuration } from '../file/configuration.ts';
import type { SwarmFile } from '../file/swarm-file.ts';
import { type Governance, govern } from '../governance.ts';
import type { RealmNode } from '../realm/realm-folder.ts';
import { loadSwarm } from './load.ts';
import { type Made, must, type Place, placeOf, type StepName, type SwarmPorts } from './made.ts';
import { openIdentity, openRoots } from './open-identity.ts';
import { openLogAt } from './open-log.ts';
import { Sequence, type Step } from './sequence.ts';
import { startBroker } from './start-broker.ts';
import { type Answer, begin, endorsementsOf, openNode, superviseOf } from './start-node.ts';
import { type EndingFact, untilOver } from './until-over.ts';

/** A swarm that runs: one node, which is all of it or a role. Disposing cuts off what is under way; `stop` lets it end. */
export type Swarm = AsyncDisposable & {
  readonly agents: AgentNode;
  readonly log: EventLog;
  /** Where the log and its anchor are, for who verifies it afterwards. */
  readonly place: Place;
  readonly governance: Governance;
  /** The realm that it is a node of; `undefined` for a file of one node without delegations. */
  readonly realm: RealmNode | undefined;
  /** Where the file has delegations: what its agents were given; here an operator takes things back. */
  readonly authority: NodeAuthority | undefined;
  /** When the first of what the file's delegations gave to agents here ends, or has ended (`given.ts`). */
  readonly givenUntil: Millis | undefined;
  /** The brokers of its realm, as `host:port`; none for one node alone. */
  readonly servers: readonly string[];
  /** Events that the log had when it was opened. */
  readonly begunAt: number;
  /** By what the hosts are held to their rings' limits. */
  readonly isolation: string;
  /** Rejects when it can go on no longer, and after `stop`. */
  readonly ended: Promise<never>;
  /** Sends the start messages; resolves when each is answered or, where there is no answer, accepted. */
  readonly begin: (onAnswer: (answer: Answer) => void) => Promise<readonly Answer[]>;
  /** Resolves when it is over by itself, as its file says (`until-over.ts`). `begun`: what `begin` returned. */
  readonly over: (begun: Promise<readonly Answer[]>, signal: AbortSignal) => Promise<EndingFact | undefined>;
  /** U2. @throws the first fault of a step */
  readonly stop: (withinMs: number) => Promise<void>;
};

/**
 * Opens the swarm of a file (`parseSwarm`) as it is configured (`configure`). When it resolves every step has started, its
 * agents run, and nothing was sent to them yet: `begin` does that. Where it rejects, what had started was stopped again.
 * The process has to live for as long: nothing in here keeps it alive.
 *
 *     const swarm = await openSwarm(file, configuration, ports, signal);
 *     const fact = await Promise.race([swarm.over(swarm.begin(show), signal), swarm.ended]);
 *     await swarm.stop(10_000);
 *
 * @throws {CodedError} what a step says: `swarm.*` · `log.*` · `realm.*` · `broker.*` · `agent.*` · the signal's reason
 */
export async function openSwarm(
  swarm: SwarmFile,
  configuration: Configuration,
  ports: SwarmPorts,
  signal: AbortSignal,
): Promise<Swarm> {
  const made: Made = {};
  const sequence = new Sequence(stepsOf(swarm, configuration, ports), ports.onStep);
  await sequence.start(made, signal);
  const { agents, ended } = must(made.node);
  ended.catch(() => undefined); // who does not wait for it is not ended by it
  const { memory, cpu, processes } = must(made.hosts).describeIsolation();
  const [log, begunAt, { here }] = [must(made.log), must(made.begunAt), must(made.loaded)];
  return {
    agents,
    ended,
    log,
    governance: must(made.governance),
    realm: made.realm,
    servers: made.servers ?? [],
    authority: made.authority,
    get givenUntil() {
      return made.given?.until;
    },
    place: placeOf(made, configuration),
    begunAt,
    isolation: `memory: ${memory}, cpu: ${cpu}, processes: ${processes}`,
    begin: (onAnswer) => begin(here, agents, onAnswer),
    over: (begun, signal) => untilOver({ until: swarm.until, here, log, begunAt }, begun, signal),
    stop: (withinMs) => sequence.stop(withinMs),
    [Symbol.asyncDispose]: () => sequence.stop(0),
  };
}

function stepsOf(swarm: SwarmFile, configuration: Configuration, ports: SwarmPorts): readonly Step<Made, StepName>[] {
  const { clock, random } = ports;
  return [
    {
      name: 'read',
      async start(made) {
        const loaded = await loadSwarm(swarm, configuration);
        made.loaded = loaded;
        const names = loaded.here.flatMap((agent) => agent.names);
        const detail = `${counted(names.length, 'agent')}, ${counted(loaded.tools.length, 'tool')}, ${counted(swarm.policies.length, 'policy', 'policies')}`;
        return { detail, stop: loaded.close };
      },
    },
    { name: 'identity', start: (made) => openIdentity(made, { swarm, configuration, ports }) },
    {
      name: 'log',
      async start(made) {
        const place = placeOf(made, configuration);
        const log = await openLogAt(place, { realm: swarm.realm, isOurs: made.claim !== undefined }, ports);
        made.log = log;
        made.begunAt = log.size;
        const stop = async (): Promise<void> => {
          try {
            if (log.stopped === undefined) await log.checkpoint(); // U3
          } finally {
            await log[Symbol.asyncDispose]();
          }
        };
        return { detail: `${counted(log.size, 'event')} in ${place.log}, checked`, stop };
      },
    },
    {
      name: 'fold',
      async start(made) {
        const loaded = must(made.loaded);
        await using undo = new AsyncDisposableStack();
        const { authority, given } = (await openRoots(made, { swarm, configuration, ports })) ?? {};
        undo.use(given);
        if (authority !== undefined) made.authority = authority;
        if (given !== undefined) made.given = given;
        const endorsements = endorsementsOf(loaded.agents, clock.now());
        const asked = authority === undefined ? {} : { authority };
        const parts = { log: must(made.log), clock, random, bundle: () => loaded.bundle, endorsements, ...asked };
        const governance = govern(parts);
        made.governance = governance;
        const endorsed = `${counted(endorsements.length, 'agent')} endorsed`;
        const stop = async (): Promise<void> => {
          await given?.[Symbol.asyncDispose]();
          await governance.recorded();
        };
        undo.move(); // `stop` has it now
        return { detail: `${endorsed}, ${given?.detail ?? 'no delegations'}, quorum ${quorumOf(swarm)}`, stop };
      },
    },
    {
      name: 'policy',
      async start(made) {
        await must(made.governance).recorded();
        const { bundle } = must(made.loaded);
        return { detail: `bundle ${bundle.digest}, on record` };
      },
    },
    { name: 'broker', start: (made, signal) => startBroker(made, { swarm, configuration, ports, signal }) },
    {
      name: 'hosts',
      start(made) {
        const modules: Record<string, AgentModule> = {};
        for (const { contractValue, implementation } of must(made.loaded).here) {
          modules[contractValue.name] = implementation;
        }
        const { execArgv, printed, startHosts = childHosts } = ports;
        const hosts = startHosts({ modules, execArgv, printed });
        made.hosts = hosts;
        return { detail: `child processes, memory held by ${hosts.describeIsolation().memory}` };
      },
    },
    {
      name: 'agents',
      async start(made, signal) {
        const node = await openNode(made, { swarm, ports, signal });
        made.node = node;
        const stop = node.drain;
        try {
          for (const { names, contractValue, spawned, restart, supervise } of must(made.loaded).here) {
            if (spawned === true) continue; // its parent starts it
            const options = { ...(restart && { restart }), ...(supervise && { supervise: superviseOf(supervise) }) };
            for (const name of names) {
              signal.throwIfAborted();
              await node.agents.spawn(contractValue, name, options);
            }
          }
          return { detail: counted(node.agents.living.length, 'agent'), stop };
        } catch (error) {
          await stop(0);
          throw error;
        }
      },
    },
  ];
}

export function quorumOf({ quorum: { quorum, members } }: SwarmFile): string {
  return `${quorum} of ${counted(members.length, 'operator')}`;
}

function counted(count: number, what: string, many = `${what}s`): string {
  return `${count} ${count === 1 ? what : many}`;
}
