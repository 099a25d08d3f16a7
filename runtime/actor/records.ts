/** How a node writes: agents' events as the log wants them. A log that refuses one ends the node (N8). */
import type { Did } from '../codec/did.ts';
import { sha256 } from '../codec/digest.ts';
import type { JsonValue } from '../codec/json.ts';
import { type Cause, type DigestText, digestText, type EventId, parseStreamId, readRecord } from '../codec/record.ts';
import { utf8 } from '../core/bytes.ts';
import { unwrap } from '../core/result.ts';
import { newEventId } from '../kernel/event-id.ts';
import type { Enqueued, NewEvent, Recorded, Write } from '../log/event-log.ts';
import { eventType } from '../log/vocabulary.ts';
import { catchUp, factOf, streamOf } from './agent-stream.ts';
import type { Accepted } from './agent-view.ts';
import type { Background } from './background.ts';
import type { Live } from './live.ts';
import type { NodeParts } from './node-parts.ts';
import type { NewAgentEvent } from './segment-events.ts';
import { versionOf } from './vocabulary.ts';

/** The stream of the supervisor of agents without a parent. */
export const ROOT_STREAM = unwrap(parseStreamId('node/supervisor'), 'a stream');

export class Records {
  readonly #parts: NodeParts;
  readonly #background: Background;
  readonly #origin: DigestText;

  constructor(parts: NodeParts, background: Background) {
    this.#parts = parts;
    this.#background = background;
    this.#origin = digestText(sha256(utf8(parts.log.origin)));
  }

  /** Appends to the agent's stream and folds what was appended into its view. The version of the last of them. */
  async add(live: Live, events: readonly NewAgentEvent[], because?: Accepted): Promise<number> {
    const cause = because === undefined ? {} : { cause: this.causeOf(because.index) };
    const correlation = because?.correlation === undefined ? {} : { correlation: because.correlation };
    const written = events.map((event) => ({ ...cause, ...correlation, ...event }));
    const recorded = await this.append([this.of(live.known.agent, written)]);
    this.catchUp(live);
    return recorded.at(-1)?.version ?? live.view.version;
  }

  async append(writes: readonly Write[]): Promise<readonly Recorded[]> {
    const enqueued = this.enqueue(writes);
    await this.flushed();
    return enqueued;
  }

  enqueue(writes: readonly Write[]): readonly Enqueued[] {
    try {
      return this.#parts.log.enqueue(perStream(writes));
    } catch (error) {
      this.#background.fault(error);
      throw error;
    }
  }

  async flushed(): Promise<void> {
    try {
      await this.#parts.log.flushed();
    } catch (error) {
      this.#background.fault(error);
      throw error;
    }
  }

  /** Events for an agent's stream. */
  of(agent: string, events: readonly NewAgentEvent[]): Write {
    return { stream: streamOf(agent), expected: 'any', events: events.map((event) => this.#event(event, agent)) };
  }

  /** Events for a supervisor's stream: an agent's, or the root's. */
  ofSupervisor(parent: string | null, events: readonly NewAgentEvent[]): Write {
    if (parent !== null) return this.of(parent, events);
    return { stream: ROOT_STREAM, expected: 'any', events: events.map((event) => this.#event(event, null)) };
  }

  ofHost(contract: string, event: NewAgentEvent): Write {
    const stream = unwrap(parseStreamId(`host/${contract}`), 'a contract name makes a stream');
    return { stream, expected: 'any', events: [this.#event(event, null)] };
  }

  catchUp(live: Live): void {
    catchUp(this.#parts.log, streamOf(live.known.agent), live.view);
  }

  /** Folds an event that is on its way to the disk into the view; false, and nothing, if the view lacks an earlier one. */
  foldAhead(live: Live, { version, bytes }: Enqueued): boolean {
    if (version !== live.view.version + 1) return false;
    const record = readRecord(bytes);
    if (record.payload.type === 'blob') return false; // it is not to be had before it is on disk
    live.view.apply(factOf(record, this.#parts.log));
    return true;
  }

  causeOf(index: number): Cause {
    return { origin: this.#origin, index, leaf: digestText(this.#parts.log.leaf(index)) };
  }

  didOf(agent: string | null): Did {
    const { log, didOf } = this.#parts;
    return agent === null ? log.did : (didOf?.(agent) ?? log.did);
  }

  newId(): EventId {
    return newEventId(this.#parts.clock, this.#parts.random);
  }

  #event({ id, type, payload, ...rest }: NewAgentEvent, agent: string | null): NewEvent {
    return {
      id: id ?? this.newId(),
      type: eventType(type),
      ...versionOf(type),
      actor: this.didOf(agent),
      payload: { type: 'json', value: payload as JsonValue },
      ...rest,
    };
  }
}

/** One write per stream, as the log wants it; nothing changes its order within a stream. */
function perStream(writes: readonly Write[]): readonly Write[] {
  if (writes.length === 1) return writes;
  const merged = new Map<string, Write>();
  for (const write of writes) {
    const before = merged.get(write.stream);
    merged.set(write.stream, before === undefined ? write : { ...before, events: [...before.events, ...write.events] });
  }
  return [...merged.values()];
}
