/** Two nodes that have spoken with one another, and what a node that holds its own log key can make of its log. */
import { Counter, counter } from '../../runtime/actor/agents.fixture.ts';
import { inlineHosts } from '../../runtime/actor/hosts.ts';
import { AgentNode } from '../../runtime/actor/node.ts';
import { type AgentName, refTo } from '../../runtime/actor/ref.ts';
import type { Incoming, Outgoing, Remote } from '../../runtime/actor/remote.ts';
import { endOfTick } from '../../runtime/actor/tick.ts';
import { parseOrigin } from '../../runtime/codec/checkpoint.ts';
import { type Did, parseDid } from '../../runtime/codec/did.ts';
import { sha256 } from '../../runtime/codec/digest.ts';
import { Frontier } from '../../runtime/codec/frontier.ts';
import type { JsonValue } from '../../runtime/codec/json.ts';
import { hashLeaf } from '../../runtime/codec/merkle.ts';
import { digestText, encodeRecord, type LogRecord, parseEventType, parseStreamId } from '../../runtime/codec/record.ts';
import { utf8 } from '../../runtime/core/bytes.ts';
import { unwrap } from '../../runtime/core/result.ts';
import { ManualClock, seededRandom } from '../../runtime/core/simulation.ts';
import { allowList } from '../../runtime/kernel/allow-list.ts';
import { newEventId } from '../../runtime/kernel/event-id.ts';
import type { EventLog } from '../../runtime/log/event-log.ts';
import { MemoryWorld } from '../../runtime/log/memory-log.ts';
import { type History, originDigest } from './claims.ts';

const did = (agent: string): Did => unwrap(parseDid(`did:example:${agent}`), 'a DID');

/** A node with one agent, and a wire that carries what `isUp` lets through. */
export class Speaker {
  readonly log: EventLog;
  readonly node: AgentNode;
  readonly #clock: ManualClock;
  readonly #random;

  private constructor(agent: string, log: EventLog, clock: ManualClock, wire: Wire) {
    this.log = log;
    this.#clock = clock;
    this.#random = seededRandom(agent);
    this.node = AgentNode.open({
      ...{ log, clock, random: this.#random, contracts: [Counter], didOf: did, hosts: inlineHosts([counter]) },
      gates: { policy: allowList({ '*': ['*'] }) },
      remote: wire.from(agent),
    });
    wire.join(agent, this.node);
  }

  static async open(agent: string, clock: ManualClock, wire: Wire): Promise<Speaker> {
    const world = new MemoryWorld(seededRandom(`log of ${agent}`), `realm/${agent}/log/0`);
    const speaker = new Speaker(agent, (await world.open(clock)).log, clock, wire);
    await speaker.node.spawn(Counter, agent);
    return speaker;
  }

  /** Records the head of another's log, as a link does. */
  async hear(other: Speaker | History, node = 'did:example:node'): Promise<void> {
    const log = 'log' in other ? other.log : other;
    const head = { origin: originDigest(log), root: digestText(log.root()), size: log.size } as const;
    await this.record('peer.head_seen', { node, head });
  }

  async record(type: string, value: JsonValue): Promise<void> {
    const event = {
      id: newEventId(this.#clock, this.#random),
      type: unwrap(parseEventType(type), 'a type'),
      actor: this.log.did,
      payload: { type: 'json', value },
    } as const;
    await this.log.append([{ stream: unwrap(parseStreamId('peer/x'), 'a stream'), expected: 'any', events: [event] }]);
  }
}

export class Wire {
  isUp = true;
  readonly #nodes = new Map<string, AgentNode>();

  join(agent: string, node: AgentNode): void {
    this.#nodes.set(agent, node);
  }

  from(self: string): Remote {
    const carry = (
      message: Outgoing,
      hand: (node: AgentNode, incoming: Incoming) => Promise<Awaited<ReturnType<Remote['ask']>>>,
    ) => {
      const node = this.#nodes.get(message.to);
      if (node === undefined || !this.isUp) return Promise.resolve({ type: 'busy', retryAfterMs: 1_000 } as const);
      const { contract: _, ...rest } = message;
      const envelope = digestText(sha256(utf8(message.message)));
      return hand(node, { ...rest, envelope, delegation: [] });
    };
    return {
      find: (agent) => (agent === self ? undefined : { contract: Counter.name, did: did(agent) }),
      ask: (message) => carry(message, (node, incoming) => node.answer(incoming)),
      tell: (message) => carry(message, (node, incoming) => node.accept(incoming)),
    };
  }
}

/** Ann and bob, who have told and asked one another, and ann's last word, which is still on its way if `lost`. */
export async function aTalk(lost = false): Promise<{ ann: Speaker; bob: Speaker; clock: ManualClock; wire: Wire }> {
  const [clock, wire] = [new ManualClock(), new Wire()];
  const [ann, bob] = [await Speaker.open('ann', clock, wire), await Speaker.open('bob', clock, wire)];
  const [toAnn, toBob] = [refTo(Counter, 'ann' as AgentName), refTo(Counter, 'bob' as AgentName)];
  await ann.node.ask(toAnn).say({ to: 'bob', n: 1 });
  await ann.node.ask(toAnn).say({ to: 'bob', n: 2 });
  await ann.node.ask(toAnn).askOther({ to: 'bob', via: 'get' });
  await bob.node.ask(toBob).say({ to: 'ann', n: 3 });
  await rest();
  await ann.hear(bob);
  await bob.hear(ann);
  wire.isUp = !lost;
  await ann.node.ask(toAnn).say({ to: 'bob', n: 4 });
  await rest();
  return { ann, bob, clock, wire };
}

async function rest(): Promise<void> {
  for (let n = 0; n < 200; n++) await endOfTick();
}

/** The log as its own node could write it anew: every index, version, leaf and root fits. */
export function rewritten(log: History, edit: (records: readonly LogRecord[]) => readonly LogRecord[]): History {
  const versions = new Map<string, number>();
  const records = edit([...log.read()]).map((record, index) => {
    const version = (versions.get(record.stream) ?? -1) + 1;
    versions.set(record.stream, version);
    return { ...record, index, version };
  });
  return historyOf(log.origin, records, log);
}

/** The first `size` events of a log: an older copy. */
export function upTo(log: History, size: number): History {
  return rewritten(log, (records) => records.slice(0, size));
}

function historyOf(origin: string, records: readonly LogRecord[], { blob }: Pick<History, 'blob'>): History {
  const leaves = records.map((record) => hashLeaf(encodeRecord(record)));
  const root = (size = records.length) => {
    const frontier = new Frontier();
    for (const leaf of leaves.slice(0, size)) frontier.append(leaf);
    return frontier.root();
  };
  return {
    origin: unwrap(parseOrigin(origin), 'an origin'),
    size: records.length,
    blob,
    root,
    read: (from = 0, to = records.length) => records.slice(from, to),
    leaf: (index) => leaves[index] ?? hashLeaf(new Uint8Array(0)),
    find: (id) => {
      const index = records.findIndex((record) => record.id === id);
      return index === -1 ? undefined : index;
    },
  };
}
