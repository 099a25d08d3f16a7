/**
 * What of an ask is left without agents: two links, their logs, and nothing between. The same four records, bodies included, are
 * written to the same streams, and the same two flushes are waited for (ADR 0071); but nobody decides, no host runs, and nothing is
 * folded. So an agent runtime that cost nothing would be as fast as this.
 */
import type { Epoch } from '../mesh/head.ts';
import { MeshLink } from '../mesh/link/link.ts';
import { connectNats } from '../mesh/nats-transport.ts';
import { nodeToken } from '../mesh/subject.ts';
import type { Incoming, Receiver } from '../runtime/actor/remote.ts';
import { sha256 } from '../runtime/codec/digest.ts';
import type { JsonValue } from '../runtime/codec/json.ts';
import { digestText, parseStreamId } from '../runtime/codec/record.ts';
import { utf8 } from '../runtime/core/bytes.ts';
import { unwrap } from '../runtime/core/result.ts';
import { nextTurn, systemClock, systemRandom } from '../runtime/core/system.ts';
import { newEventId } from '../runtime/kernel/event-id.ts';
import type { Outcome } from '../runtime/kernel/outcome.ts';
import type { Enqueued, EventLog } from '../runtime/log/event-log.ts';
import { eventType } from '../runtime/log/vocabulary.ts';
import { FolderIdentities } from '../swarm/realm/identities.ts';
import { openRealmNode, wireName } from '../swarm/realm/realm-folder.ts';
import { ECHOES, Echo } from './mesh.fixture.ts';
import { contractOf, openLogOf, type PeerTask } from './mesh-node.ts';

const WITHIN_MS = 60_000;
const LOOK_AGAIN_MS = 20;

export type Bare = {
  /** Asks number `n`, decided and settled in this log. */
  readonly ask: (n: number, text: string) => Promise<void>;
  readonly close: () => Promise<void>;
};

export async function openBare(task: PeerTask): Promise<Bare> {
  const log = await openLogOf(task.log);
  const realm = openRealmNode(task.realm, task.name);
  const ports = { clock: systemClock, random: systemRandom };
  const place = { realm: realm.roster.realm, self: nodeToken(realm.did), login: realm.login };
  const transport = await connectNats({ servers: task.servers, ...place, ...ports }, new AbortController().signal);
  const identities = new FolderIdentities(realm.agents, contractOf, systemClock);
  const node = { pair: realm.node, epoch: systemRandom.bytes(8) as Epoch };
  const link = new MeshLink({ node, transport, log, identities, nextTurn, mayMeet: () => true, ...ports });
  link.start(new BareReceiver(log, task.agents), task.agents.map(wireName));
  const origin = digestText(sha256(utf8(log.origin)));

  async function ask(n: number, text: string): Promise<void> {
    const agent = task.agents[n % task.agents.length] ?? '';
    const [from, to] = [wireName(agent), wireName(`echo-${n % ECHOES}`)];
    const did = identities.didOf(from);
    if (did === undefined) throw new Error(`expected an identity of ${from}, found none`);
    while (link.find(to) === undefined) await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
    const message = newEventId(systemClock, systemRandom);
    const { index, leaf } = record(log, agent, 'action.decided', { key: message, target: to, input: { text } });
    await log.flushed();
    const outcome = await link.ask(
      {
        ...{ message, kind: 'ask', from: { agent: from, did }, to, contract: Echo.name, name: 'say', body: { text } },
        ...{ chain: [from], deadline: systemClock.now() + WITHIN_MS, correlation: message },
        cause: { origin, index, leaf: digestText(leaf) },
      },
      new AbortController().signal,
    );
    if (outcome.type !== 'ok') throw new Error(`expected an answer, found ${JSON.stringify(outcome)}`);
    record(log, agent, 'action.settled', { key: message, outcome: outcome.value });
  }

  async function close(): Promise<void> {
    await link.stop();
    await transport[Symbol.asyncDispose]();
    await log[Symbol.asyncDispose]();
  }

  return { ask, close };
}

/** Accepts what comes and says the same again, both on record and on disk before the answer. */
class BareReceiver implements Receiver {
  readonly #log: EventLog;
  readonly #agents: ReadonlySet<string>;

  constructor(log: EventLog, agents: readonly string[]) {
    this.#log = log;
    this.#agents = new Set(agents.map(wireName));
  }

  hosts(agent: string): boolean {
    return this.#agents.has(agent);
  }

  async accept({ to, from, message, body }: Incoming): Promise<Outcome<null>> {
    record(this.#log, to, 'message.accepted', { message, from: from.agent, body });
    await this.#log.flushed();
    return { type: 'ok', value: null };
  }

  async answer({ to, from, message, body }: Incoming): Promise<Outcome> {
    record(this.#log, to, 'message.accepted', { message, from: from.agent, body });
    record(this.#log, to, 'turn.committed', { message, reply: body });
    await this.#log.flushed();
    return { type: 'ok', value: body };
  }

  gone(): void {}
}

function record(log: EventLog, agent: string, type: string, value: JsonValue): Enqueued {
  const stream = unwrap(parseStreamId(`agent/${agent}`), 'an agent name makes a stream');
  const id = newEventId(systemClock, systemRandom);
  const event = { id, type: eventType(type), actor: log.did, payload: { type: 'json', value } } as const;
  const [enqueued] = log.enqueue([{ stream, expected: 'any', events: [event] }]);
  if (enqueued === undefined) throw new Error('expected one enqueued event, found none');
  return enqueued;
}
