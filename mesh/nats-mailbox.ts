/**
 * Mailboxes on JetStream, spoken by hand (its API is JSON over requests; ADR-1, ADR-10, ADR-13 of NATS): one stream and one
 * durable pull consumer per node.
 *
 * M1. Nodes use mailboxes and operators make them. Who may make a stream can have anybody's subjects kept, and who may make
 *     a consumer can have them delivered where he likes, so no node has either permission (`nats-config.ts` P6).
 * M2. A letter is acknowledged only after its receiver has said what became of it.
 * M3. A new mailbox is compared with what was asked for: older servers leave out what they do not know, without a word.
 *
 * What a server must have for it: 2.9.10, JetStream on, headers.
 */
import { errors, headers, type Msg, type NatsConnection } from 'nats';
import type { DigestText } from '../runtime/codec/record.ts';
import type { Millis } from '../runtime/core/brand.ts';
import { utf8, view } from '../runtime/core/bytes.ts';
import type { Clock } from '../runtime/core/clock.ts';
import { withDeadline } from '../runtime/core/deadline.ts';
import { CodedError, messageOf } from '../runtime/core/errors.ts';
import {
  type Collected,
  type Letter,
  MAILBOX,
  type Mailbox,
  type MailboxBounds,
  mailboxFull,
  mailboxUnavailable,
  type Receipt,
  tooLarge,
} from './mailbox.ts';
import type { NatsLink } from './nats-link.ts';
import { type NodeToken, parseLetterSubject, type Realm, type Subject, subject } from './subject.ts';

/**
 * Makes the mailbox of a node, or gives an existing one these bounds; for operators' tools (M1).
 * @throws {CodedError} `mailbox.unavailable` (retryable) JetStream is off · `mailbox.odd_server` the server made another than was
 *   asked for (M3) · `mailbox.not_made` it refused
 */
export async function provisionMailbox(
  connection: NatsConnection,
  {
    realm,
    node,
    bounds = MAILBOX,
  }: { readonly realm: Realm; readonly node: NodeToken; readonly bounds?: MailboxBounds },
): Promise<void> {
  const name = subject.streamName(node);
  const stream = {
    name,
    subjects: [subject.letters(realm, node)],
    retention: 'workqueue',
    storage: 'file',
    discard: 'new',
    discard_new_per_subject: true,
    max_msgs: bounds.lettersMax,
    max_msgs_per_subject: bounds.perSenderMax,
    max_bytes: bounds.bytesMax,
    max_msg_size: bounds.letterBytesMax,
    max_age: bounds.ageMs * NANOS,
    max_consumers: 1,
    duplicate_window: Math.min(KNOWN_MS, bounds.ageMs) * NANOS,
    num_replicas: 1,
  };
  const made = await api(connection, `STREAM.CREATE.${name}`, stream, [IN_USE]);
  const told = made === undefined ? await api(connection, `STREAM.UPDATE.${name}`, stream) : made;
  compare(stream, told?.['config']);
  const config = {
    durable_name: subject.consumerName,
    ack_policy: 'explicit',
    ack_wait: bounds.receiptMs * NANOS,
    deliver_policy: 'all',
    replay_policy: 'instant',
    max_ack_pending: PULL_MAX * 2,
    max_deliver: -1,
  };
  const path = `CONSUMER.DURABLE.CREATE.${name}.${subject.consumerName}`;
  const consumer = await api(connection, path, { stream_name: name, config });
  compare(config, consumer?.['config']);
}

/** The mailboxes of a realm, as one node uses them over its link. */
export function natsMailbox(
  link: NatsLink,
  node: { readonly realm: Realm; readonly self: NodeToken; readonly clock: Clock; readonly bounds?: MailboxBounds },
): Mailbox {
  return new OverJetStream(link, node);
}

const NANOS = 1_000_000;
const KNOWN_MS = 2 * 60 * 1000;
/** Letters asked for at once: they wait in memory while the first is taken. */
const PULL_MAX = 16;
/** A broker on the same network answers in milliseconds. */
const ANSWER_MS_MAX = 5_000;
/** JetStream's error codes: a stream of that name exists; a bound is reached. */
const IN_USE = 10_058;
const FULL: ReadonlySet<unknown> = new Set([10_077, 10_047, 10_023, 10_002]);
const TOO_LARGE = 10_054;

type Json = { readonly [name: string]: unknown };

class OverJetStream implements Mailbox {
  readonly #link: NatsLink;
  readonly #realm: Realm;
  readonly #self: NodeToken;
  readonly #clock: Clock;
  readonly #bounds: MailboxBounds;
  #pulls = 0;

  constructor(
    link: NatsLink,
    node: { readonly realm: Realm; readonly self: NodeToken; readonly clock: Clock; readonly bounds?: MailboxBounds },
  ) {
    this.#link = link;
    this.#realm = node.realm;
    this.#self = node.self;
    this.#clock = node.clock;
    this.#bounds = node.bounds ?? MAILBOX;
  }

  async leave(
    to: NodeToken,
    { id, bytes }: { readonly id: DigestText; readonly bytes: Uint8Array },
    signal: AbortSignal,
  ): Promise<'left' | 'known'> {
    signal.throwIfAborted();
    const { letterBytesMax } = this.#bounds;
    if (bytes.length > letterBytesMax) throw tooLarge(letterBytesMax, bytes.length);
    const named = headers();
    named.set('Nats-Msg-Id', id);
    const address = subject.letter(this.#realm, { to, from: this.#self });
    const asking = this.#connection().request(address, bytes, { timeout: ANSWER_MS_MAX, headers: named });
    const answer = await this.#bounded(asking, signal).catch((error: unknown) => {
      if (signal.aborted) throw signal.reason;
      throw isNobody(error) ? mailboxUnavailable('a mailbox for that node') : unknownWhether(error);
    });
    const told = readJson(answer);
    const { error } = told;
    if (isObject(error)) throw refusedLetter(error, bytes.length);
    if (told['stream'] !== subject.streamName(to)) throw unknownWhether(new Error('another stream answered'));
    return told['duplicate'] === true ? 'known' : 'left';
  }

  async collect(take: (letter: Letter) => Promise<Receipt>, signal: AbortSignal): Promise<Collected> {
    const counts = { accepted: 0, later: 0, refused: 0 };
    for (let isMore = true; isMore; ) {
      signal.throwIfAborted();
      const connection = this.#connection();
      const pulled = await this.#pull(connection, signal);
      isMore = pulled.length === PULL_MAX;
      for (const [n, { letter, receipts }] of pulled.entries()) {
        const receipt = await this.#take(take, letter, signal).catch((error: unknown) => {
          for (const rest of pulled.slice(n)) say(connection, rest.receipts, '-NAK');
          throw error;
        });
        counts[receipt]++;
        say(connection, receipts, this.#words(receipt));
      }
      if (pulled.length > 0) await this.#link.flush(signal);
    }
    return counts;
  }

  async #take(take: (letter: Letter) => Promise<Receipt>, letter: Letter, signal: AbortSignal): Promise<Receipt> {
    signal.throwIfAborted();
    return await take(letter);
  }

  /** M2. A bare `+TERM`: older servers do not know a reason behind it. */
  #words(receipt: Receipt): string {
    if (receipt === 'accepted') return '+ACK';
    if (receipt === 'refused') return '+TERM';
    return `-NAK ${JSON.stringify({ delay: this.#bounds.laterMs * NANOS })}`;
  }

  /** Up to PULL_MAX letters that wait now. */
  async #pull(connection: NatsConnection, signal: AbortSignal): Promise<readonly Pulled[]> {
    const inbox = subject.pulled(this.#self, this.#pulls++);
    const subscription = connection.subscribe(inbox);
    const messages = subscription[Symbol.asyncIterator]();
    const pulled: Pulled[] = [];
    const request = utf8(JSON.stringify({ batch: PULL_MAX, no_wait: true }));
    connection.publish(subject.pull(this.#self), request, { reply: inbox });
    try {
      while (pulled.length < PULL_MAX) {
        const next = await this.#bounded(messages.next(), signal);
        if (next.done === true) throw new Error('the connection was lost');
        const code = next.value.headers?.code ?? 0;
        if (code === NOBODY) throw new Error('nobody keeps a mailbox for this node');
        if (code !== 0) break; // no more letters, or as many as may be under way
        const letter = readLetter(next.value);
        if (letter !== undefined) pulled.push(letter);
      }
    } catch (error) {
      if (signal.aborted || !(error instanceof Error)) throw error;
      if (pulled.length === 0) throw mailboxUnavailable(`an answer from the mailbox: ${messageOf(error)}`, error);
    } finally {
      subscription.unsubscribe();
    }
    return pulled;
  }

  #bounded<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
    return withDeadline(work, { clock: this.#clock, limitMs: ANSWER_MS_MAX, what: 'an answer of JetStream', signal });
  }

  #connection(): NatsConnection {
    const { connection } = this.#link;
    if (connection === undefined) throw mailboxUnavailable('a connection to the broker');
    return connection;
  }
}

const NOBODY = 503;

/** A letter, and where its receipt goes. */
type Pulled = { readonly letter: Letter; readonly receipts: Subject };

/** What the receipt's subject says of the letter: how often it was delivered, and when it was stored, in nanoseconds. */
const RECEIPTS = /^\$JS\.ACK\.mailbox-[a-z2-7]{32}\.node\.(\d{1,10})\.\d+\.\d+\.(\d{1,13})\d{6}\.\d+$/;

function readLetter({ subject: address, reply, data }: Msg): Pulled | undefined {
  const parts = parseLetterSubject(address);
  const [, attempts, leftAt] = RECEIPTS.exec(reply ?? '') ?? [];
  if (parts === undefined || attempts === undefined || leftAt === undefined) return undefined;
  const letter = { from: parts.from, bytes: data, leftAt: Number(leftAt) as Millis, attempts: Number(attempts) };
  return { letter, receipts: reply as Subject };
}

function say(connection: NatsConnection, receipts: Subject, words: string): void {
  if (!connection.isClosed()) connection.publish(receipts, utf8(words));
}

/** One request to JetStream's API; nothing for an error whose code is in `expected`. */
async function api(
  connection: NatsConnection,
  path: string,
  body: Json,
  expected: readonly number[] = [],
): Promise<Json | undefined> {
  const request = utf8(JSON.stringify(body));
  const asking = connection.request(subject.jetStream(path), request, { timeout: ANSWER_MS_MAX });
  const answer = await asking.catch((error: unknown) => {
    if (!(error instanceof Error)) throw error;
    throw mailboxUnavailable(`JetStream to answer: ${messageOf(error)}`, error);
  });
  const told = readJson(answer);
  const { error } = told;
  if (!isObject(error)) return told;
  if (expected.includes(Number(error['err_code']))) return undefined;
  const message = `expected JetStream to do ${path}, found ${JSON.stringify(error)}`;
  throw new CodedError(error['code'] === NOBODY ? 'mailbox.unavailable' : 'mailbox.not_made', message);
}

/** M3. */
function compare(asked: Json, found: unknown): void {
  const made = isObject(found) ? found : {};
  const other = Object.keys(asked).filter((name) => JSON.stringify(made[name]) !== JSON.stringify(asked[name]));
  if (other.length === 0) return;
  const message = `expected a mailbox as asked for, found otherwise: ${other.join(', ')}`;
  throw new CodedError('mailbox.odd_server', message);
}

function refusedLetter(error: Json, length: number): CodedError {
  const told = JSON.stringify(error);
  if (error['err_code'] === TOO_LARGE) return tooLarge(length - 1, length);
  if (FULL.has(error['err_code'])) return mailboxFull(told);
  return mailboxUnavailable(`JetStream to keep a letter: ${told}`);
}

function unknownWhether(cause: unknown): CodedError {
  const message = `expected to hear that a letter was left, found otherwise: ${messageOf(cause)}`;
  return new CodedError('mailbox.unknown', message, { cause, retryable: true });
}

/** Whether the broker said that nobody listens: no stream of that subject, or no JetStream. */
function isNobody(error: unknown): boolean {
  return error instanceof errors.NoRespondersError || (error instanceof errors.RequestError && error.isNoResponders());
}

/** What the broker said; nothing of it, if it is no JSON object. */
function readJson({ data }: Msg): Json {
  try {
    const value: unknown = JSON.parse(view(data).toString());
    return isObject(value) ? value : {};
  } catch (error) {
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
