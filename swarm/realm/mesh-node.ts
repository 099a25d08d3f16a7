/**
 * A node of a realm: agents over a log, and the link by which they and other nodes' agents talk over a broker.
 *
 * M1. Only nodes of the realm's roster are met.
 * M2. It begins to listen before its agents do anything, and answers `busy` until they can.
 * M3. It ends in order: agents first, so that their last words still leave; then the link; then its heartbeat, then the
 *     connection.
 * M4. It beats, and answers service discovery, from the start to the end. Heartbeats say who is out of reach, not the link's
 *     own silence (`vital-signs.ts` H1).
 * M5. Operators of the roster are obeyed, on the control lane, and nobody else (`orders.ts`).
 */
import type { Death } from '../../mesh/death.ts';
import type { Epoch } from '../../mesh/head.ts';
import { type LinkParts, type LinkStats, MeshLink } from '../../mesh/link/link.ts';
import { answerDiscovery } from '../../mesh/nats-discovery.ts';
import { natsMailbox } from '../../mesh/nats-mailbox.ts';
import { connectNats, type NatsTransport } from '../../mesh/nats-transport.ts';
import { ALL, nodeToken } from '../../mesh/subject.ts';
import type { Contract } from '../../runtime/actor/contract.ts';
import { AgentNode } from '../../runtime/actor/node.ts';
import type { NodeParts } from '../../runtime/actor/node-parts.ts';
import type { Receiver } from '../../runtime/actor/remote.ts';
import type { Did } from '../../runtime/codec/did.ts';
import { toBase64url } from '../../runtime/core/bytes.ts';
import { hasCode } from '../../runtime/core/errors.ts';
import { nextTurn } from '../../runtime/core/system.ts';
import type { Outcome } from '../../runtime/kernel/outcome.ts';
import type { NodeAuthority } from '../authority/node-authority.ts';
import type { Governance } from '../governance.ts';
import { version } from '../version.ts';
import { FolderIdentities } from './identities.ts';
import { Letters } from './letters.ts';
import { Postbox } from './letters-postbox.ts';
import { Orders } from './orders.ts';
import { type RealmNode, wireName } from './realm-folder.ts';
import { RosterRemote } from './roster-remote.ts';
import { RosterRule } from './roster-rule.ts';
import { NO_REVOCATIONS, type RevocationPort, VitalSigns } from './vital-signs.ts';

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
  /** What its agents were given, what was taken back, how far others are trusted: every message then names its chain, and
   *  agents can delegate. Default: nobody asks. */
  readonly authority?: NodeAuthority;
  /** What is revoked; default: what the authority knows. */
  readonly revocations?: RevocationPort;
  /** Leaves letters for nodes that are away, where the broker keeps mailboxes (`ringmesh mesh mailboxes`); default: no. */
  readonly mailboxes?: boolean;
  /** Messages under one signature, at most; default: as many as leave together, up to 256. */
  readonly batchMax?: number;
  /** Between two heartbeats, 50 to 60,000; default 5,000. */
  readonly beatEveryMs?: number;
  /** A node that was not heard for so long is away, for letters; default 6,000. */
  readonly awayMs?: number;
};

export class MeshNode implements AsyncDisposable {
  readonly agents: AgentNode;
  readonly #link: MeshLink;
  readonly #signs: VitalSigns;
  readonly #orders: Orders;
  readonly #postbox: Postbox | undefined;
  readonly #transport: NatsTransport;

  private constructor(
    agents: AgentNode,
    parts: {
      readonly link: MeshLink;
      readonly signs: VitalSigns;
      readonly orders: Orders;
      readonly postbox: Postbox | undefined;
      readonly transport: NatsTransport;
    },
  ) {
    this.agents = agents;
    this.#link = parts.link;
    this.#signs = parts.signs;
    this.#orders = parts.orders;
    this.#postbox = parts.postbox;
    this.#transport = parts.transport;
  }

  /** @throws {CodedError} `transport.*` · `key.*` · the signal's reason */
  static async open(parts: MeshNodeParts, signal: AbortSignal): Promise<MeshNode> {
    const { realm, servers, governance, contractOf, clock, random, log, checks = [], authority } = parts;
    const { roster, node, login } = realm;
    const own = { realm: roster.realm, self: nodeToken(realm.did) };
    const transport = await connectNats({ servers, ...own, login, clock, random }, signal);
    const members = new Set<Did>(roster.nodes.map(({ did }) => did));
    const identities = new FolderIdentities(realm.agents, contractOf, clock);
    const sealing = { pair: node, epoch: random.bytes(8) as Epoch };
    const rule = new RosterRule(roster);
    const names = new Map([...realm.agents.keys()].map((agent) => [identities.didOf(wireName(agent)), agent]));
    const asked = authority?.linkParts((agent) => {
      const name = names.get(agent);
      return name === undefined ? undefined : contractOf(name);
    });
    const every = [rule.check, ...(asked?.checks ?? []), ...checks];
    const link = new MeshLink({
      node: sealing,
      ...{ transport, log, identities, clock, random, nextTurn, checks: every },
      ...(asked === undefined ? {} : { directory: asked.directory, chains: asked.chains }),
      ...(parts.batchMax === undefined ? {} : { batchMax: parts.batchMax }),
      mayMeet: (did) => members.has(did), // M1
      mayHost: (at, agent) => rule.mayHost(at, agent),
      isFollowed: (did) => signs.isFollowed(did), // M4
      other: ({ lane, bytes, from }) => {
        if (lane === 'beat') signs.hear(bytes, from);
        else if (lane === 'revoke') authority?.hearRevocations(bytes);
        else orders.hear(bytes, from); // (M5)
      },
    });
    const served = { asks: 0, refused: 0 };
    const loadNow = () => ({
      agents: agents?.living.length ?? 0,
      mailbox: agents?.load.mailbox ?? 0,
      turn: agents?.load.turnMs ?? 0,
    });
    const signs = new VitalSigns({
      ...{ node: sealing, transport, log, clock, random, load: loadNow },
      hasCarrier: () => transport.link.connection !== undefined,
      members: [...members].filter((did) => did !== realm.did),
      revocations: parts.revocations ?? authority?.heartbeat ?? NO_REVOCATIONS,
      onLost: (did) => link.lose(did),
      onReturned: (did) => link.regain(did),
      ...(parts.beatEveryMs === undefined ? {} : { everyMs: parts.beatEveryMs }),
    });
    const orders = new Orders({
      ...{ node: sealing, realm: roster.realm, operators: new Set([roster.operator]), transport, log, clock, random },
      agents: () => agents,
      ...(authority === undefined ? {} : { authority }),
    });
    const elsewhere = new RosterRemote(link, realm, (agent) => contractOf(agent)?.name, clock);
    let agents: AgentNode | undefined;
    const receiver = receiverOf(() => agents, elsewhere, served);
    const postbox = parts.mailboxes === true ? openPostbox() : undefined;
    link.start(receiver, []); // M2
    authority?.sendRevocationsBy((content) => sendToAll(transport, content));
    signs.start();
    const back = (): void => {
      signs.beat();
      postbox?.collect();
    };
    transport.link.attach({ subscribe: () => undefined, back });
    agents = AgentNode.open({
      ...parts,
      tools: [...(parts.tools ?? []), ...(authority === undefined ? [] : [authority.tool])],
      ...(authority === undefined
        ? {}
        : { endow: authority.endow.bind(authority), pay: authority.pay.bind(authority) }),
      gates: governance.gates,
      epochs: governance.epochs,
      remote: postbox ?? elsewhere,
      didOf: (agent) => identities.didOf(wireName(agent)) ?? log.did,
      standingOf: (agent) => ({ ring: governance.rings.ringOf(agent), sponsor: roster.operator }),
      onLife: () => link.host((agents?.speaking ?? []).map(wireName)),
    });
    governance.onMoved?.(agents.moved.bind(agents));
    link.host(agents.speaking.map(wireName));
    const epoch = toBase64url(sealing.epoch);
    const card = { ...own, node: realm.did, version: version(), epoch, started: clock.now() };
    answerDiscovery(transport.link, card, () => ({
      ...{ ...loadNow(), names: agents.living, ...served },
      ...{ now: clock.now(), clocksApart: signs.differentClocks.size },
    }));
    postbox?.start();
    return new MeshNode(agents, { link, signs, orders, postbox, transport });

    function openPostbox(): Postbox {
      const mailbox = natsMailbox(transport.link, { ...own, clock });
      const { directory } = link;
      const letters = new Letters({
        ...{ mailbox, realm, node: sealing, identities, contractOf, directory, receiver, log, clock, random },
        checks: every,
        chains: asked?.chains,
      });
      const isHeard = (agent: string): boolean => link.find(wireName(agent)) !== undefined;
      return new Postbox({ letters, remote: elsewhere, isHeard, clock, awayMs: parts.awayMs });
    }
  }

  get stats(): LinkStats {
    return this.#link.stats;
  }

  /** Rejects if it can go on no longer. */
  get ended(): Promise<void> {
    const agents = this.agents.ended.then((fault) => {
      if (fault !== undefined) throw fault;
    });
    const parts = [agents, this.#link.ended, this.#signs.failed, this.#orders.failed];
    return Promise.race(this.#postbox === undefined ? parts : [...parts, this.#postbox.failed]);
  }

  /** Whoever saw that another node's process ended says so here, and all hear of it at once. */
  sawEnd(node: Did, cause: Death['cause']): void {
    this.#signs.sawEnd(node, cause);
  }

  /** M3. */
  async drain(withinMs = 10_000): Promise<void> {
    this.#signs.drain();
    await this.#postbox?.stop();
    await this.#orders.idle;
    await this.agents.drain(withinMs);
    await this.#orders.answered;
    await this.#link.stop(LINK_STOP_MS);
    await this.#signs.stop();
    await this.#transport[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain(0);
  }
}

const LINK_STOP_MS = 2_000;
const NOT_YET_MS = 200;

function sendToAll(transport: NatsTransport, content: Uint8Array): void {
  try {
    transport.send('revoke', ALL, content);
  } catch (error) {
    if (!hasCode(error, 'transport.closed')) throw error; // heartbeats tell the others what they lack
  }
}

/** The agents, as soon as there are any (M2). Counts what they are asked. */
function receiverOf(
  agents: () => AgentNode | undefined,
  names: RosterRemote,
  served: { asks: number; refused: number },
): Receiver {
  const busy = { type: 'busy', retryAfterMs: NOT_YET_MS } as const;
  const counted = async <T>(work: Promise<Outcome<T>> | undefined): Promise<Outcome<T>> => {
    served.asks++;
    const outcome = (await work) ?? busy;
    if (REFUSED.has(outcome.type)) served.refused++;
    return outcome;
  };
  return {
    hosts: (agent) => agents()?.hosts(names.nameOf(agent)) === true,
    accept: (message) => counted(agents()?.accept(names.arriving(message))),
    answer: (message) => counted(agents()?.answer(names.arriving(message))),
    gone: (agent) => agents()?.gone(names.nameOf(agent)),
  };
}

const REFUSED: ReadonlySet<Outcome['type']> = new Set(['busy', 'denied', 'invalid']);
