/** The node of a swarm: by itself, or with the others of its realm; and what its agents are told first. */
import { toMillis } from '../../runtime/actor/duration.ts';
import { AgentNode } from '../../runtime/actor/node.ts';
import type { NodeParts } from '../../runtime/actor/node-parts.ts';
import { refTo } from '../../runtime/actor/ref.ts';
import type { Millis } from '../../runtime/core/brand.ts';
import { CodedError } from '../../runtime/core/errors.ts';
import type { Outcome } from '../../runtime/kernel/outcome.ts';
import type { Endorsement, Ring } from '../../runtime/kernel/ring.ts';
import type { NodeAuthority } from '../authority/node-authority.ts';
import type { SwarmFile } from '../file/swarm-file.ts';
import { MeshNode } from '../realm/mesh-node.ts';
import type { LoadedAgent } from './load.ts';
import { type Made, must, type Opening, type RunningNode } from './made.ts';

/** What became of a start message. */
export type Answer = { readonly agent: string; readonly message: string; readonly outcome: Outcome<unknown> };

/** By itself, or with the others of its realm. */
export async function openNode(made: Made, { swarm, ports, signal }: Opening): Promise<RunningNode> {
  const { clock, random } = ports;
  const [loaded, governance] = [must(made.loaded), must(made.governance)];
  const parts = {
    ...{ log: must(made.log), clock, random, hosts: must(made.hosts), tools: loaded.tools },
    contracts: [...new Map(loaded.agents.map(({ contractValue: one }) => [one.name, one])).values()],
    ...(swarm.supervise === undefined ? {} : { supervise: superviseOf(swarm.supervise) }),
  };
  const { realm, servers, authority } = made;
  if (realm !== undefined && servers !== undefined) {
    const contracts = new Map(loaded.agents.flatMap((one) => one.names.map((name) => [name, one.contractValue])));
    const contractOf = (agent: string) => contracts.get(agent);
    const asked = authority === undefined ? {} : { authority };
    const node = await MeshNode.open({ ...parts, ...asked, realm, servers, governance, contractOf }, signal);
    return { agents: node.agents, ended: node.ended.then(endedEarly), drain: (ms) => node.drain(ms) };
  }
  const sponsors = new Map(loaded.agents.flatMap((one) => one.names.map((name) => [name, one.sponsor])));
  const [first = ''] = swarm.quorum.members;
  const { gates, epochs, onMoved, rings } = governance;
  const standingOf = (agent: string) => ({ ring: rings.ringOf(agent), sponsor: sponsors.get(agent) ?? first });
  const agents = AgentNode.open({ ...parts, ...authorised(authority, parts), gates, epochs, standingOf });
  onMoved(agents.moved.bind(agents));
  const ended = agents.ended.then((fault) => {
    if (fault !== undefined) throw fault;
    return endedEarly();
  });
  return { agents, ended, drain: (ms) => agents.drain(ms) };
}

/** What a node by itself has of an authority; one of several is given it by `MeshNode`. */
function authorised(authority: NodeAuthority | undefined, { log, tools }: Pick<NodeParts, 'log' | 'tools'>) {
  if (authority === undefined) return {};
  return {
    tools: [...(tools ?? []), authority.tool],
    didOf: (agent: string) => authority.didOf(agent) ?? log.did,
    endow: authority.endow.bind(authority),
    pay: authority.pay.bind(authority),
  };
}

/** Sends what the file says is sent at each start, all at once; tells of each as it is answered, and resolves with all. */
export async function begin(
  here: readonly LoadedAgent[],
  node: AgentNode,
  onAnswer: (answer: Answer) => void,
): Promise<readonly Answer[]> {
  const sent = here.flatMap(({ names, contractValue, start }) => {
    if (start === undefined) return [];
    const { message, with: input = {} } = start;
    const isAsked = contractValue.spec.messages[message]?.out !== undefined;
    return names.map(async (agent) => {
      const ref = refTo(contractValue, agent);
      const send = (isAsked ? node.ask(ref) : node.tell(ref))[message] as (input: unknown) => Promise<Outcome<unknown>>;
      const answer = { agent, message, outcome: await send(input) };
      onAnswer(answer);
      return answer;
    });
  });
  return Promise.all(sent);
}

/** The operators’ words, from this start on. */
export function endorsementsOf(agents: readonly LoadedAgent[], now: Millis): readonly Endorsement[] {
  return agents.flatMap(({ names, endorsement }) => {
    if (endorsement === undefined) return [];
    const expiresAt = (now + toMillis(endorsement.for as '1h')) as Millis;
    const { ring, trust: trustFloor } = endorsement;
    return names.map((agent): Endorsement => ({ agent, ring: ring as Ring, trustFloor, expiresAt }));
  });
}

export function superviseOf({ strategy, restarts }: NonNullable<SwarmFile['supervise']>) {
  return {
    ...(strategy === undefined ? {} : { strategy }),
    ...(restarts === undefined ? {} : { restarts: restarts as `${number} in ${string}` }),
  };
}

function endedEarly(): never {
  throw new CodedError('swarm.stopped', 'expected the node to go on, found that it has ended');
}
