/**
 * A node of a realm: agents over a log, and the link by which they and other nodes' agents talk over a broker.
 *
 * M1. Only nodes of the realm's roster are met.
 * M2. It begins to listen before its agents do anything, and answers `busy` until they can.
 * M3. It ends in order: agents first, so that their last words still leave; then the link; then the connection.
 */
import type { Epoch } from '../../mesh/head.ts';
import { type LinkParts, type LinkStats, MeshLink } from '../../mesh/link/link.ts';
import { connectNats } from '../../mesh/nats-transport.ts';
import { nodeToken } from '../../mesh/subject.ts';
import type { Transport } from '../../mesh/transport.ts';
import type { Contract } from '../../runtime/actor/contract.ts';
import { AgentNode } from '../../runtime/actor/node.ts';
import type { NodeParts } from '../../runtime/actor/node-parts.ts';
import type { Receiver } from '../../runtime/actor/remote.ts';
import type { Did } from '../../runtime/codec/did.ts';
import { nextTurn } from '../../runtime/core/system.ts';
import type { Governance } from '../governance.ts';
import { FolderIdentities } from './identities.ts';
import { type RealmNode, wireName } from './realm-folder.ts';
import { RosterRemote } from './roster-remote.ts';

export type MeshNodeParts = Pick<
  NodeParts,
  'log' | 'clock' | 'random' | 'contracts' | 'hosts' | 'tools' | 'supervise' | 'idleMs' | 'silenceMs'
> & {
  readonly realm: RealmNode;
  /** Brokers, as `host:port`. */
  readonly servers: readonly string[];
  readonly governance: Pick<Governance, 'gates' | 'epochs' | 'rings'> & Partial<Pick<Governance, 'onMoved'>>;
  /** What the agents of the realm answer, by the agent's name. */
  readonly contractOf: (agent: string) => Contract | undefined;
  readonly checks?: LinkParts['checks'];
};

export class MeshNode implements AsyncDisposable {
  readonly agents: AgentNode;
  readonly #link: MeshLink;
  readonly #transport: Transport;

  private constructor(agents: AgentNode, link: MeshLink, transport: Transport) {
    this.agents = agents;
    this.#link = link;
    this.#transport = transport;
  }

  /** @throws {CodedError} `transport.*` · `key.*` · the signal's reason */
  static async open(parts: MeshNodeParts, signal: AbortSignal): Promise<MeshNode> {
    const { realm, servers, governance, contractOf, clock, random, log, checks = [] } = parts;
    const { roster, node, login } = realm;
    const own = { realm: roster.realm, self: nodeToken(realm.did) };
    const transport = await connectNats({ servers, ...own, login, clock, random }, signal);
    const members = new Set<Did>(roster.nodes.map(({ did }) => did));
    const identities = new FolderIdentities(realm.agents, contractOf, clock);
    const link = new MeshLink({
      node: { pair: node, epoch: random.bytes(8) as Epoch },
      ...{ transport, log, identities, clock, random, nextTurn, checks },
      mayMeet: (did) => members.has(did), // M1
    });
    const elsewhere = new RosterRemote(link, realm, (agent) => contractOf(agent)?.name, clock);
    let agents: AgentNode | undefined;
    link.start(
      receiverOf(() => agents, elsewhere),
      [],
    ); // M2
    agents = AgentNode.open({
      ...parts,
      gates: governance.gates,
      epochs: governance.epochs,
      remote: elsewhere,
      didOf: (agent) => identities.didOf(wireName(agent)) ?? log.did,
      standingOf: (agent) => ({ ring: governance.rings.ringOf(agent), sponsor: roster.operator }),
      onLife: () => link.host((agents?.living ?? []).map(wireName)),
    });
    governance.onMoved?.(agents.moved.bind(agents));
    link.host(agents.living.map(wireName));
    return new MeshNode(agents, link, transport);
  }

  get stats(): LinkStats {
    return this.#link.stats;
  }

  /** Rejects if it can go on no longer. */
  get ended(): Promise<void> {
    const agents = this.agents.ended.then((fault) => {
      if (fault !== undefined) throw fault;
    });
    return Promise.race([agents, this.#link.ended]);
  }

  /** M3. */
  async drain(withinMs = 10_000): Promise<void> {
    await this.agents.drain(withinMs);
    await this.#link.stop(LINK_STOP_MS);
    await this.#transport[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain(0);
  }
}

const LINK_STOP_MS = 2_000;
const NOT_YET_MS = 200;

/** The agents, as soon as there are any (M2). */
function receiverOf(agents: () => AgentNode | undefined, names: RosterRemote): Receiver {
  const busy = { type: 'busy', retryAfterMs: NOT_YET_MS } as const;
  return {
    hosts: (agent) => agents()?.hosts(names.nameOf(agent)) === true,
    accept: async (message) => (await agents()?.accept(names.arriving(message))) ?? busy,
    answer: async (message) => (await agents()?.answer(names.arriving(message))) ?? busy,
    gone: (agent) => agents()?.gone(names.nameOf(agent)),
  };
}
