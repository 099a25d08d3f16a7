/** Nodes with a real log in memory, a receiver that keeps M2 over it, and a wire that can be told to fail. */

import type { Incoming, Outgoing, Receiver } from '../../runtime/actor/remote.ts';
import type { Did } from '../../runtime/codec/did.ts';
import { formatDigest, sha256 } from '../../runtime/codec/digest.ts';
import { generateKeyPair, type KeyPair } from '../../runtime/codec/ed25519.ts';
import type { JsonValue } from '../../runtime/codec/json.ts';
import type { DigestText, LogRecord } from '../../runtime/codec/record.ts';
import { parseStreamId } from '../../runtime/codec/record.ts';
import type { Millis } from '../../runtime/core/brand.ts';
import { utf8 } from '../../runtime/core/bytes.ts';
import type { Clock } from '../../runtime/core/clock.ts';
import type { Random } from '../../runtime/core/random.ts';
import { unwrap } from '../../runtime/core/result.ts';
import { nextTurn } from '../../runtime/core/system.ts';
import { eventIdOf, newEventId } from '../../runtime/kernel/event-id.ts';
import type { Outcome } from '../../runtime/kernel/outcome.ts';
import type { EventLog, Write } from '../../runtime/log/event-log.ts';
import { MemoryWorld } from '../../runtime/log/memory-log.ts';
import { eventType } from '../../runtime/log/vocabulary.ts';
import { writeCard } from '../agent-card.ts';
import type { Epoch } from '../head.ts';
import { writeCertificate } from '../hosting.ts';
import { nodeDid } from '../message.ts';
import { type NodeToken, nodeToken } from '../subject.ts';
import type { Transport } from '../transport.ts';
import { type Agent, anAgent } from '../world.fixture.ts';
import type { Identities } from './desk.ts';
import { type LinkParts, MeshLink } from './link.ts';
import { Net } from './net.fixture.ts';

/** What an agent does with an ask; a tell is only accepted. */
export type Handler = (incoming: Incoming) => Promise<Outcome> | Outcome;

/** Accepts once, answers what it answered first, and knows both from its log alone. */
export class LogReceiver implements Receiver {
  /** How often each message was executed: by sender and id. */
  readonly executed = new Map<string, number>();
  readonly arrived: Incoming[] = [];
  /** Agents elsewhere that are out of reach. */
  readonly lost: string[] = [];
  readonly #log: EventLog;
  readonly #handlers: ReadonlyMap<string, Handler>;
  readonly #answers = new Map<string, Promise<Outcome>>();
  /** What to say instead of accepting, while it is set. */
  refuses: Outcome<null> | undefined;

  constructor(log: EventLog, handlers: ReadonlyMap<string, Handler>) {
    this.#log = log;
    this.#handlers = handlers;
  }

  gone(agent: string): void {
    this.lost.push(agent);
  }

  hosts(agent: string): boolean {
    return this.#handlers.has(agent);
  }

  async accept(incoming: Incoming): Promise<Outcome<null>> {
    if (this.refuses !== undefined) return this.refuses;
    const { from, message, to, kind, body } = incoming;
    this.arrived.push(incoming);
    const id = eventIdOf('accepted', from.did, message);
    if (this.#log.find(id) === undefined) {
      const paid = incoming.pay?.();
      if (paid?.ok === false) return { type: 'denied', ...paid.error };
      const value = { message, kind, from: from.agent, body };
      await this.#append(id, 'message.accepted', { to, value, ...(paid === undefined ? {} : { also: paid.value }) });
    }
    return { type: 'ok', value: null, event: id };
  }

  async answer(incoming: Incoming): Promise<Outcome> {
    const accepted = await this.accept(incoming);
    if (accepted.type !== 'ok') return accepted;
    const key = `${incoming.from.did} ${incoming.message}`;
    const id = eventIdOf('answered', key);
    const recorded = this.#log.find(id);
    if (recorded !== undefined) return outcomeIn([...this.#log.read(recorded, recorded + 1)]);
    const known = this.#answers.get(key);
    if (known !== undefined) return known;
    const work = this.#execute(incoming, key);
    this.#answers.set(key, work);
    return work;
  }

  async #execute(incoming: Incoming, key: string): Promise<Outcome> {
    this.executed.set(key, (this.executed.get(key) ?? 0) + 1);
    const handler = this.#handlers.get(incoming.to);
    const outcome = (await handler?.(incoming)) ?? { type: 'died', message: 'no such agent' };
    const value = { reply: outcome as JsonValue };
    await this.#append(eventIdOf('answered', key), 'turn.committed', { to: incoming.to, value });
    return outcome;
  }

  async #append(
    id: ReturnType<typeof eventIdOf>,
    type: string,
    { to, value, also = [] }: { readonly to: string; readonly value: JsonValue; readonly also?: readonly Write[] },
  ): Promise<void> {
    const stream = unwrap(parseStreamId(`agent/${to}`), 'a stream');
    const event = { id, type: eventType(type), actor: this.#log.did, payload: { type: 'json', value } } as const;
    await this.#log.append([{ stream, expected: 'any', events: [event] }, ...also]);
  }
}

function outcomeIn([record]: readonly LogRecord[]): Outcome {
  const payload = record?.payload;
  if (payload?.type !== 'json') throw new Error('expected a recorded answer');
  return (payload.value as unknown as { reply: Outcome }).reply;
}

export function payloadOf(record: LogRecord): JsonValue {
  return record.payload.type === 'json' ? record.payload.value : null;
}

/** The keys of agents, and what they sign. */
export class Keys implements Identities {
  readonly agents = new Map<string, Agent>();
  readonly #clock: Clock;

  constructor(clock: Clock, agents: Iterable<Agent>) {
    this.#clock = clock;
    for (const agent of agents) this.agents.set(agent.identity.name, agent);
  }

  didOf(agent: string): Did | undefined {
    return this.agents.get(agent)?.did;
  }

  historyOf(agent: string): readonly Uint8Array[] {
    return this.#agent(agent).identity.history;
  }

  cardOf(name: string): Uint8Array {
    const agent = this.#agent(name);
    const issued = this.#clock.now();
    return writeCard(
      {
        agent: agent.did,
        contracts: [{ digest: digestOf(`contract ${name}`), messages: [{ description: 'It', name: 'do' }], name }],
        description: `The agent ${name}`,
        endorsements: [],
        expires: (issued + 86_400_000) as Millis,
        issued,
        name,
        needs: {},
        revision: issued,
        version: '1',
      },
      agent.key,
    );
  }

  certify(name: string, hosting: Parameters<Identities['certify']>[1]): Uint8Array {
    return writeCertificate(hosting, this.#agent(name).key);
  }

  #agent(name: string): Agent {
    const agent = this.agents.get(name);
    if (agent === undefined) throw new Error(`expected an agent ${name}`);
    return agent;
  }
}

export function digestOf(text: string): DigestText {
  return formatDigest(sha256(utf8(text))) as DigestText;
}

type Life = {
  readonly link: MeshLink;
  readonly receiver: LogReceiver;
  readonly log: EventLog;
  readonly transport: Transport;
  readonly epoch: Epoch;
};

/** A node: its disk and keys stay, its lives come and go. */
export class LinkNode {
  readonly net: Net;
  readonly pair: KeyPair;
  world: MemoryWorld;
  readonly handlers: ReadonlyMap<string, Handler>;
  keys: Keys;
  readonly random: Random;
  over: Partial<LinkParts> = {};
  #life: Life | undefined;

  constructor(net: Net, name: string, agents: Readonly<Record<string, Handler>>) {
    this.net = net;
    this.random = net.random.stream(name);
    this.pair = generateKeyPair(this.random);
    this.world = new MemoryWorld(this.random, `test/${name}/log/0`);
    this.handlers = new Map(Object.entries(agents));
    this.keys = new Keys(
      net.clock,
      Object.keys(agents).map((agent) => anAgent(agent, this.random)),
    );
  }

  get did(): Did {
    return nodeDid(this.pair.publicKey);
  }

  get token(): NodeToken {
    return nodeToken(this.did);
  }

  get link(): MeshLink {
    return this.#alive().link;
  }

  get receiver(): LogReceiver {
    return this.#alive().receiver;
  }

  get log(): EventLog {
    return this.#alive().log;
  }

  get transport(): Transport {
    return this.#alive().transport;
  }

  get epoch(): Epoch {
    return this.#alive().epoch;
  }

  async start(): Promise<this> {
    const { clock } = this.net;
    const { log } = await this.world.open(clock);
    const transport = this.net.attach(this.token);
    const epoch = this.random.bytes(8) as Epoch;
    const receiver = new LogReceiver(log, this.handlers);
    const link = new MeshLink({
      ...{ node: { pair: this.pair, epoch }, transport, log, identities: this.keys, clock, random: this.random },
      ...{ nextTurn, mayMeet: () => true, ...this.over },
    });
    link.ended.catch(() => undefined);
    this.#life = { link, receiver, log, transport, epoch };
    link.start(receiver, [...this.handlers.keys()]);
    return this;
  }

  /** As `kill -9` does: nothing is said, nothing is finished; what was durable stays. */
  async kill(): Promise<void> {
    const { transport, log, link } = this.#alive();
    await this.net.detach(transport);
    await log[Symbol.asyncDispose]();
    this.#life = undefined;
    link[Symbol.asyncDispose]().catch(() => undefined);
  }

  async stop(): Promise<void> {
    const { link, transport, log } = this.#alive();
    await this.net.outcome(link.stop());
    await this.net.detach(transport);
    await log[Symbol.asyncDispose]();
    this.#life = undefined;
  }

  ask(from: string, to: string, body: JsonValue, withinMs = 60_000): Promise<Outcome> {
    return this.link.ask(this.outgoing('ask', { from, to, body, withinMs }), new AbortController().signal);
  }

  tell(from: string, to: string, body: JsonValue, withinMs = 600_000): Promise<Outcome> {
    return this.link.tell(this.outgoing('tell', { from, to, body, withinMs }), new AbortController().signal);
  }

  outgoing(
    kind: 'ask' | 'tell',
    { from, to, body, withinMs }: { from: string; to: string; body: JsonValue; withinMs: number },
  ): Outgoing {
    const { clock } = this.net;
    return {
      message: newEventId(clock, this.random),
      kind,
      from: { agent: from, did: this.keys.didOf(from) ?? this.did },
      to,
      contract: to,
      name: 'doIt',
      body,
      chain: [from],
      deadline: clock.now() + withinMs,
      correlation: newEventId(clock, this.random),
    };
  }

  /** Payloads of what was recorded of one type, in order. */
  recorded(type: string): readonly JsonValue[] {
    return [...this.log.read()].filter((record) => record.type === type).map(payloadOf);
  }

  /** Codes of the refusals on record. */
  refusals(): readonly string[] {
    return this.recorded('message.refused').map((payload) => (payload as { code: string }).code);
  }

  #alive(): Life {
    if (this.#life === undefined) throw new Error('expected a node that runs');
    return this.#life;
  }
}

/** `desk` on A knows `quote` on B, and each answers with what it got. */
export async function aPair(
  seed: string,
  over: Partial<LinkParts> = {},
): Promise<{ net: Net; a: LinkNode; b: LinkNode }> {
  const net = new Net(seed);
  const echo: Handler = ({ body }) => ({ type: 'ok', value: { echo: body } });
  const a = new LinkNode(net, 'a', { desk: echo });
  const b = new LinkNode(net, 'b', { quote: echo });
  for (const node of [a, b]) node.over = over;
  await a.start();
  await b.start();
  await net.until('each knows the other', () => {
    return a.link.find('quote') !== undefined && b.link.find('desk') !== undefined;
  });
  return { net, a, b };
}
