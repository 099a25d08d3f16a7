/**
 * What a node does with operators' orders (`mesh/order.ts`).
 *
 * C1. An order is on record before it is obeyed, and what became of it before it is reported.
 * C2. It is obeyed once. One that arrives again, in this life of the node or the next, is answered from the log; one that a
 *     crash interrupted is obeyed to its end.
 * C3. What is refused is on record with its code, ten a minute; the rest is counted. Only an operator of the realm is told why.
 * C4. Orders wait for no mailbox and no turn. An ask does, so no other order waits for it.
 * C5. An ask is decided by this node's gates like every message from elsewhere, as what `guest/operator` does. It is accepted
 *     once, under the order's id, and answered again from the agent's record.
 * C6. A revocation counts by the signature of whoever takes something back, not by the order that carries it.
 */

import { Buckets, type Counts, Tally } from '../../mesh/link/tally.ts';
import { nodeDid, type SealingNode } from '../../mesh/message.ts';
import { ORDER_TEXT_MAX, type Order, type Report, readOrder, writeReport } from '../../mesh/order.ts';
import { type NodeToken, nodeToken } from '../../mesh/subject.ts';
import type { Transport } from '../../mesh/transport.ts';
import type { AgentNode } from '../../runtime/actor/node.ts';
import type { Incoming } from '../../runtime/actor/remote.ts';
import type { Cid } from '../../runtime/codec/cid.ts';
import type { Did } from '../../runtime/codec/did.ts';
import { sha256 } from '../../runtime/codec/digest.ts';
import type { JsonValue } from '../../runtime/codec/json.ts';
import {
  type DigestText,
  digestText,
  type EventId,
  parseEventType,
  parseStreamId,
} from '../../runtime/codec/record.ts';
import { utf8 } from '../../runtime/core/bytes.ts';
import type { Clock } from '../../runtime/core/clock.ts';
import { hasCode, messageOf } from '../../runtime/core/errors.ts';
import type { Random } from '../../runtime/core/random.ts';
import { unwrap } from '../../runtime/core/result.ts';
import { eventIdOf, newEventId } from '../../runtime/kernel/event-id.ts';
import type { Outcome as Answer } from '../../runtime/kernel/outcome.ts';
import type { EventLog } from '../../runtime/log/event-log.ts';
import { jsonOf } from '../../runtime/log/upcast.ts';
import type { NodeAuthority } from '../authority/node-authority.ts';
import { NO_AUTHORITY, takenBackInWords } from '../authority/taken-back.ts';
import { OPERATOR } from '../control/control-socket.ts';
import { parseStrictJson } from '../policy/strict-json.ts';

/** Payloads by type, all of version 1, in the stream `operator/<token>`. */
export type OrderEvents = {
  readonly 'order.accepted': Pick<Order, 'action' | 'by' | 'why'> & {
    readonly agent: string | null;
    readonly order: Cid;
  };
  readonly 'order.settled': Pick<Report, 'outcome' | 'detail'> & { readonly order: Cid; readonly code: string | null };
  /** `by` is null where nobody's signature proves whose it was. */
  readonly 'order.refused': { readonly by: Did | null; readonly code: string; readonly detail: string };
};

/** What carries an order out. */
type Obeying = Pick<AgentNode, 'answer' | 'living' | 'suspend' | 'resume' | 'stop'>;

export type OrdersParts = {
  readonly node: SealingNode;
  readonly realm: string;
  readonly operators: ReadonlySet<Did>;
  readonly agents: () => Obeying | undefined;
  readonly transport: Pick<Transport, 'send'>;
  readonly log: EventLog;
  readonly clock: Clock;
  readonly random: Random;
  /** Where things are taken back; absent: nothing is. */
  readonly authority?: Pick<NodeAuthority, 'takeBack'> & { readonly revocations: { readonly epoch: number } };
};

type Outcome = Pick<Report, 'outcome' | 'detail'> & { readonly answer?: string; readonly code?: string };
type Refused = { readonly code: string; readonly detail: string };

export class Orders {
  readonly #parts: OrdersParts;
  readonly #self: Did;
  readonly #refusals = new Buckets<'anybody'>(REFUSED_RATE);
  readonly #heard = new Buckets<NodeToken>(HEARD_RATE);
  readonly #counted = new Tally<'anybody'>();
  readonly #failed = Promise.withResolvers<never>();
  /** One after the other, in the order in which they came: who resumes after he suspended means that. */
  #working: Promise<void> = Promise.resolve();
  #waiting = 0;
  /** Asks that are under way. */
  readonly #asking = new Map<Cid, Promise<void>>();

  constructor(parts: OrdersParts) {
    this.#parts = parts;
    this.#self = nodeDid(parts.node.pair.publicKey);
    this.#failed.promise.catch(() => undefined);
  }

  /** Rejects when nothing can be recorded any more. */
  get failed(): Promise<never> {
    return this.#failed.promise;
  }

  /** What was not looked at or not recorded one by one, by code. */
  get refused(): Counts {
    return this.#counted.of('anybody');
  }

  /** Resolves when every ask has its answer, or its agent has ended. */
  get answered(): Promise<unknown> {
    return Promise.all(this.#asking.values());
  }

  /** Resolves when what has arrived is done, but for asks. */
  get idle(): Promise<void> {
    return this.#working;
  }

  hear(bytes: Uint8Array, from: NodeToken): void {
    if (this.#waiting >= WAITING_MAX || !this.#heard.take(from, this.#parts.clock.now())) {
      this.#counted.count('anybody', 'quota.exceeded');
      return;
    }
    this.#waiting++;
    this.#working = this.#working
      .then(() => this.#take(bytes, from))
      .catch((error: unknown) => this.#failed.reject(error))
      .finally(() => void this.#waiting--);
  }

  async #take(bytes: Uint8Array, from: NodeToken): Promise<void> {
    const { realm, operators, clock } = this.#parts;
    const read = readOrder(bytes, clock.now(), { realm, node: this.#self, operators }, from);
    if (!read.ok) {
      const { code, message, from: by, order } = read.error;
      await this.#refuse({ by, code, detail: message });
      if (order !== undefined) this.#report(order, refused(code, message), from);
      return;
    }
    const { value: order, cid } = read.value;
    const agents = this.#parts.agents();
    if (agents === undefined) {
      const told = refused('order.too_early', 'expected the node to have started');
      await this.#refuse({ by: order.by, ...told });
      this.#report(cid, told, from);
      return;
    }
    if (order.action === 'ask') return this.#ask(order, cid, { agents, from, envelope: digestText(sha256(bytes)) });
    const outcome = this.#settled(cid) ?? (await this.#obey(order, cid, agents));
    const epoch = order.action === 'revoke' ? this.#parts.authority?.revocations.epoch : undefined;
    this.#report(cid, epoch === undefined ? outcome : { ...outcome, answer: JSON.stringify({ epoch }) }, from);
  }

  /** C4, C5. Said again while it is under way, it is under way. */
  async #ask(
    order: Order,
    cid: Cid,
    { agents, from, envelope }: { readonly agents: Obeying; readonly from: NodeToken; readonly envelope: DigestText },
  ): Promise<void> {
    if (this.#asking.has(cid)) return;
    const question = questionOf(order);
    if (question === undefined || this.#asking.size >= ASKING_MAX) {
      const told = question === undefined ? refused('order.no_question', NO_JSON) : refused('quota.exceeded', FULL);
      await this.#refuse({ by: order.by, ...told });
      this.#report(cid, told, from);
      return;
    }
    await this.#accept(order, cid);
    const asked = { ...question, envelope, delegation: [], chain: [] };
    const answering = agents.answer(asked).then(async (answer) => {
      const outcome = answeredWith(answer);
      await this.#settle(cid, outcome);
      this.#report(cid, outcome, from);
    });
    const over = answering
      .catch((error: unknown) => this.#failed.reject(error))
      .finally(() => void this.#asking.delete(cid));
    this.#asking.set(cid, over);
  }

  /** C1. Whether it was on record before. */
  async #accept(order: Order, cid: Cid): Promise<boolean> {
    const id = idOf('accepted', cid);
    if (this.#parts.log.find(id) !== undefined) return true;
    const { action, agent = null, by, why } = order;
    await this.#append(id, 'order.accepted', { action, agent, by, order: cid, why });
    return false;
  }

  async #settle(cid: Cid, { outcome, code, detail }: Outcome): Promise<void> {
    const id = idOf('settled', cid);
    if (this.#parts.log.find(id) !== undefined) return;
    await this.#append(id, 'order.settled', { code: code ?? null, detail, order: cid, outcome });
  }

  /** C1, C2. */
  async #obey(order: Order, cid: Cid, agents: Obeying): Promise<Outcome> {
    const isAgain = await this.#accept(order, cid);
    const outcome = order.action === 'revoke' ? await this.#takeBack(order) : await act(order, isAgain, agents);
    await this.#settle(cid, outcome);
    return outcome;
  }

  /** C6. */
  async #takeBack({ body = '' }: Order): Promise<Outcome> {
    const { authority } = this.#parts;
    if (authority === undefined) return refused(NO_AUTHORITY.code, NO_AUTHORITY.message);
    const taken = await authority.takeBack(utf8(body));
    return taken.ok
      ? { outcome: 'done', detail: takenBackInWords(taken.value) }
      : refused(taken.error.code, taken.error.message);
  }

  /** What a log says became of an order. */
  #settled(order: Cid): Outcome | undefined {
    const { log } = this.#parts;
    const index = log.find(idOf('settled', order));
    const [record] = index === undefined ? [] : [...log.read(index, index + 1)];
    if (record === undefined) return undefined;
    const { outcome, code, detail } = jsonOf(record, log) as unknown as OrderEvents['order.settled'];
    return { outcome, detail, ...(code === null ? {} : { code }) };
  }

  /** C3. */
  async #refuse({ by, code, detail }: Refused & { readonly by: Did | undefined }): Promise<void> {
    const { clock, random } = this.#parts;
    if (!this.#refusals.take('anybody', clock.now())) {
      this.#counted.count('anybody', code);
      return;
    }
    await this.#append(newEventId(clock, random), 'order.refused', { by: by ?? null, code, detail });
  }

  #report(order: Cid, outcome: Outcome, to: NodeToken): void {
    const { clock, node, transport } = this.#parts;
    const whole = outcome.detail.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, ' ');
    const detail = whole.slice(0, DETAIL_MAX).toWellFormed(); // half a character is no text to be signed
    const report = { ...outcome, detail, at: clock.now(), by: this.#self, order };
    try {
      transport.send('answer', to, writeReport(report, node.pair));
    } catch (error) {
      if (!hasCode(error, 'transport.closed')) throw error;
    }
  }

  async #append<T extends keyof OrderEvents>(id: EventId, type: T, payload: OrderEvents[T]): Promise<void> {
    const { log } = this.#parts;
    const stream = unwrap(parseStreamId(`operator/${nodeToken(this.#self)}`), 'a stream');
    const event = {
      id,
      type: unwrap(parseEventType(type), 'an event type in the source'),
      actor: log.did,
      payload: { type: 'json', value: payload as unknown as JsonValue },
    } as const;
    await log.append([{ stream, expected: 'any', events: [event] }]);
  }
}

/** Refusals that are recorded one by one. */
const REFUSED_RATE = { count: 10, periodMs: 60_000, burst: 10 } as const;
/** Orders of one login that are looked at: a person types slower, and a signature costs a tenth of a millisecond. */
const HEARD_RATE = { count: 50, periodMs: 1_000, burst: 100 } as const;
const WAITING_MAX = 256;
const DETAIL_MAX = 500;
/** Asks of operators that are under way. */
const ASKING_MAX = 64;
const NO_JSON = 'expected what the agent is given, as JSON';
const FULL = `expected at most ${ASKING_MAX} asks under way`;
const DONE = { suspend: 'suspended', resume: 'resumed', kill: 'ended' } as const;

function idOf(what: 'accepted' | 'settled', order: Cid): EventId {
  return eventIdOf('order', what, order);
}

function refused(code: string, detail: string): Outcome & Refused {
  return { outcome: 'refused', code, detail };
}

/** What an order asks, as a message from elsewhere; nothing if it is no JSON. */
function questionOf({
  agent,
  message,
  body,
  by,
  id,
  expires,
}: Order): Omit<Incoming, 'chain' | 'delegation' | 'envelope'> | undefined {
  if (agent === undefined || message === undefined || body === undefined) return undefined;
  const json = parseStrictJson(utf8(body));
  if (!json.ok) return undefined;
  const from = { agent: OPERATOR, did: by };
  return {
    message: id,
    kind: 'ask',
    from,
    to: agent,
    name: message,
    body: json.value,
    deadline: expires,
    correlation: id,
  };
}

function answeredWith(answer: Answer): Outcome {
  const text = JSON.stringify(answer);
  const code = 'code' in answer ? `: ${answer.code}` : '';
  const said = { outcome: 'done', detail: `answered: ${answer.type}${code}` } as const;
  return text.length <= ORDER_TEXT_MAX ? { ...said, answer: text } : said;
}

async function act({ action, agent, why }: Order, isAgain: boolean, agents: Obeying): Promise<Outcome> {
  const living = agents.living;
  const meant = agent === undefined ? living : living.filter((name) => name === agent);
  if (agent !== undefined && meant.length === 0) {
    if (isAgain && action === 'kill') return { outcome: 'done', detail: `${agent} has ended` };
    return refused('agent.not_found', `expected ${agent} to live here`);
  }
  for (const name of meant) {
    try {
      if (action === 'suspend') await agents.suspend(name, why);
      else if (action === 'resume') await agents.resume(name);
      else if (action === 'kill') await agents.stop(name);
    } catch (error) {
      // It ended by itself, or with its parent, before its turn came.
      if (!hasCode(error, 'agent.not_found')) throw error;
      if (agent !== undefined) return refused('agent.not_found', messageOf(error));
    }
  }
  const done = DONE[action as keyof typeof DONE];
  return { outcome: 'done', detail: `${done}: ${meant.length === 1 ? meant[0] : `${meant.length} agents`}` };
}
