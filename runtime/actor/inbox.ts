/** Accepting messages, once and durably, and answering whoever waits for them (N1, N5). */
import { Buffer } from 'node:buffer';
import { canonicalJson } from '../codec/json.ts';
import type { EventId } from '../codec/record.ts';
import { ok } from '../core/result.ts';
import { eventIdOf } from '../kernel/event-id.ts';
import type { NotOk, Outcome } from '../kernel/outcome.ts';
import type { Write } from '../log/event-log.ts';
import type { AcceptedAnswer, Arriving, Known, Live } from './live.ts';
import { waitingOf } from './mailbox.ts';
import type { Inbox, Shell } from './shell.ts';
import { payloadOf } from './vocabulary.ts';

/** One message's body. Larger things are blobs that messages name. */
const MESSAGE_BYTES_MAX = 1024 * 1024;

/** Events from outside that may wait for a turn that waits for them. */
const SIGNALS_MAX = 512;

/** Who waits for one answer: whoever asks again has mostly given the earlier wait up. */
const WAITERS_MAX = 16;

export class NodeInbox implements Inbox {
  readonly #shell: Shell;
  readonly #waiters = new Map<string, Set<(outcome: Outcome) => void>>();
  readonly #accepting = new Map<string, Promise<AcceptedAnswer | NotOk>>();

  constructor(shell: Shell) {
    this.#shell = shell;
  }

  /** What is on its way to the disk. */
  get pending(): Iterable<Promise<unknown>> {
    return this.#accepting.values();
  }

  async request(to: string, arriving: Arriving): Promise<Outcome> {
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    const waiters = this.#waiters.get(arriving.message) ?? new Set();
    this.#waiters.set(arriving.message, waiters.add(resolve));
    const [oldest] = waiters;
    if (waiters.size > WAITERS_MAX && oldest !== undefined) {
      waiters.delete(oldest);
      oldest({ type: 'busy', retryAfterMs: 1_000 });
    }
    const answer = await this.accept(to, arriving);
    if (answer.type !== 'accepted') this.answer(arriving.message, answer);
    return promise;
  }

  answer(message: string, outcome: Outcome): void {
    for (const resolve of this.#waiters.get(message) ?? []) resolve(outcome);
    this.#waiters.delete(message);
  }

  /** Nobody will be answered any more. */
  close(): void {
    for (const message of [...this.#waiters.keys()]) {
      this.answer(message, { type: 'died', message: 'the node has ended' });
    }
  }

  async accept(to: string, arriving: Arriving, also: readonly Write[] = []): Promise<AcceptedAnswer | NotOk> {
    const pending = this.#accepting.get(arriving.message);
    if (pending !== undefined) return pending;
    const accepting = this.#acceptOnce(to, arriving, also);
    this.#accepting.set(arriving.message, accepting);
    try {
      return await accepting;
    } finally {
      this.#accepting.delete(arriving.message);
    }
  }

  async #acceptOnce(to: string, arriving: Arriving, also: readonly Write[]): Promise<AcceptedAnswer | NotOk> {
    const { background, parts, records, roster } = this.#shell;
    if (!background.isOpen) {
      // Asked by one of its own turns: that turn will be entered again, so the question is not answered with a no.
      const isOwn = arriving.from !== null && arriving.did === undefined;
      return isOwn ? new Promise(() => undefined) : { type: 'busy', retryAfterMs: 1_000 };
    }
    const known = roster.get(to);
    if (known === undefined || !known.isAlive) return { type: 'died', message: `expected ${to} to be alive` };
    const refused = this.#refusal(known, arriving);
    if (refused !== undefined) return refused;
    const event = eventIdOf('accepted', to, arriving.message);
    if (parts.log.find(event) !== undefined) {
      this.#repeat(to, arriving.message);
      if (also.length > 0) await records.append(also);
      return { type: 'accepted', event };
    }
    const live = this.#shell.waking.awaken(known);
    const busy = busyFor(live, arriving);
    if (busy !== undefined) return busy;
    const { message, kind, name, body, from, chain, deadline, correlation, cause, did, envelope } = arriving;
    const governed = arriving.govern?.();
    if (governed?.type === 'refused') return governed.outcome;
    const judged = governed?.judged ?? null;
    const payload = { body, chain: [...chain], deadline, from, judged, kind, message, name };
    const paid = arriving.pay?.() ?? NOTHING_PAID;
    if (!paid.ok) return { type: 'denied', ...paid.error };
    const origin = {
      ...governed?.record,
      ...(cause && { cause }),
      ...(did && { principal: did }),
      ...(envelope && { envelope }),
    };
    const [accepted] = records.enqueue([
      records.of(to, [{ id: event, type: 'message.accepted', payload, correlation, ...origin }]),
      ...paid.value,
      ...also,
    ]);
    if (accepted !== undefined && records.foldAhead(live, accepted)) {
      live.ahead += 1;
      this.#arrived(live, message); // N9
      await records.flushed().finally(() => {
        live.ahead -= 1;
      });
      return { type: 'accepted', event };
    }
    live.accepting += 1;
    await records.flushed().finally(() => {
      live.accepting -= 1;
    });
    if (known.isAlive) {
      const awake = this.#shell.waking.awaken(known);
      records.catchUp(awake);
      this.#arrived(awake, message);
    } else await this.#shell.lives.endMessage(to, message); // it has ended meanwhile
    return { type: 'accepted', event };
  }

  #refusal(known: Known, { kind, name, body }: Arriving): NotOk | undefined {
    if (kind !== 'signal' && this.#shell.contracts.get(known.contract)?.spec.messages[name] === undefined) {
      const message = `expected a message of ${known.contract}, found ${name}`;
      return { type: 'invalid', code: 'message.unknown', message };
    }
    const text = canonicalJson({ outcome: { value: body } }); // the deepest place that it has in a record
    if (!text.ok) return { type: 'invalid', code: 'message.not_data', message: text.error.message };
    const length = Buffer.byteLength(text.value);
    if (length <= MESSAGE_BYTES_MAX) return undefined;
    const message = `expected at most ${MESSAGE_BYTES_MAX} bytes, found ${length}`;
    return { type: 'invalid', code: 'message.too_large', message };
  }

  /** N5: somebody asks again for what was accepted before. */
  #repeat(agent: string, message: EventId): void {
    const { log } = this.#shell.parts;
    for (const id of [eventIdOf('committed', agent, message), eventIdOf('dead', agent, message)]) {
      const index = log.find(id);
      const [record] = index === undefined ? [] : [...log.read(index, index + 1)];
      if (record === undefined) continue;
      const { reply } = payloadOf(record, log) as { readonly reply?: Outcome };
      const dead: Outcome = { type: 'failed', code: 'message.dead_lettered', message: 'it failed before', event: id };
      this.answer(message, reply ?? dead);
    }
  }

  #arrived(live: Live, message: string): void {
    const { parts, turns, contracts } = this.#shell;
    live.activeMs = parts.clock.monotonicMs();
    const accepted = live.view.inbox.get(message);
    if (accepted !== undefined) live.mailbox.add(waitingOf(accepted, contracts.get(live.known.contract)));
    else for (const turn of live.view.turns.keys()) turns.takeSignal(live, turn);
    turns.kick(live);
  }
}

const NOTHING_PAID = ok([]);

/** A notice was promised when the watch began: it is never turned away. */
function busyFor(live: Live, { kind }: Arriving): NotOk | undefined {
  if (kind === 'signal' && live.view.signals.size >= SIGNALS_MAX) return { type: 'busy', retryAfterMs: 1_000 };
  const room = live.mailbox.room(live.accepting);
  return room.isOpen || kind === 'notice' ? undefined : { type: 'busy', retryAfterMs: room.retryAfterMs };
}
