/**
 * What a node learns about authority, as events of the stream `authority`: histories of identities, delegations, revocations;
 * and where trust has crossed a tier, in the stream `trust`. Appended in the order in which it was learned.
 */
import { delegationEvent, grantedPayload, revokedPayload } from '../../mesh/delegation/authority.ts';
import type { Delegation } from '../../mesh/delegation/delegation.ts';
import { AUTHORITY_STREAM } from '../../mesh/delegation/vocabulary.ts';
import { incept } from '../../mesh/identity.ts';
import type { RevocationLearned } from '../../mesh/revocation/revocations.ts';
import { identityLearned, inceptionIn, TRUST_EVENTS } from '../../mesh/trust/events.ts';
import { type TrustChange, trustChanged } from '../../mesh/trust/explain.ts';
import type { Did } from '../../runtime/codec/did.ts';
import type { JsonValue } from '../../runtime/codec/json.ts';
import { type EventId, parseStreamId, type StreamId } from '../../runtime/codec/record.ts';
import { fromBase64url, toBase64url } from '../../runtime/core/bytes.ts';
import type { Clock } from '../../runtime/core/clock.ts';
import type { Random } from '../../runtime/core/random.ts';
import { type Refusal, unwrap } from '../../runtime/core/result.ts';
import { eventIdOf, newEventId } from '../../runtime/kernel/event-id.ts';
import type { EventLog, NewEvent, Write } from '../../runtime/log/event-log.ts';
import { jsonOf } from '../../runtime/log/upcast.ts';
import { eventType } from '../../runtime/log/vocabulary.ts';

/** A rotation or revocation of an identity whose inception is an `identity.learned`. */
const CHANGED = 'identity.changed';

export class AuthorityJournal {
  readonly #log: EventLog;
  readonly #ports: { readonly clock: Clock; readonly random: Random };
  #writing: Promise<unknown> = Promise.resolve();

  constructor(log: EventLog, ports: { readonly clock: Clock; readonly random: Random }) {
    this.#log = log;
    this.#ports = ports;
  }

  /** The statements about identities that are on record, in their order. */
  *statements(): Generator<Uint8Array> {
    for (const past of this.#log.readStream(AUTHORITY)) {
      if (past.type === TRUST_EVENTS.learned) yield* some(inceptionIn(jsonOf(past, this.#log)));
      if (past.type === CHANGED) yield* some(statementIn(jsonOf(past, this.#log)));
    }
  }

  /** Once each, whoever brings them how often. */
  identity(did: Did, statement: Uint8Array): void {
    const id = eventIdOf('identity', did, toBase64url(statement));
    if (this.#log.find(id) !== undefined) return;
    const isInception = incept(statement).ok;
    const payload = isInception ? identityLearned(statement) : { statement: toBase64url(statement) };
    this.#append(AUTHORITY, this.#event(isInception ? TRUST_EVENTS.learned : CHANGED, payload, id));
  }

  granted(delegation: Delegation): void {
    const by = { id: eventIdOf('granted', delegation.cid), actor: this.#log.did };
    this.#append(AUTHORITY, delegationEvent('delegation.granted', grantedPayload(delegation), by));
  }

  revoked(learned: RevocationLearned, statement: Uint8Array): void {
    const by = { id: this.#newId(), actor: this.#log.did };
    this.#append(AUTHORITY, delegationEvent('authority.revoked', revokedPayload(learned, statement), by));
  }

  revocationRefused(refusal: Refusal, statement?: { readonly by: readonly Did[]; readonly target: string }): void {
    const { code, message } = refusal;
    const [by] = statement?.by ?? [];
    const whose = statement === undefined || by === undefined ? {} : { by, target: statement.target };
    const payload = { ...whose, code, detail: message.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, ' ').slice(0, 500) };
    const event = { id: this.#newId(), actor: this.#log.did };
    this.#append(AUTHORITY, delegationEvent('authority.revocation_refused', payload, event));
  }

  /** A message is accepted under a chain: what that takes of it, for whoever records the acceptance. */
  debited(payload: Parameters<typeof delegationEvent<'budget.debited'>>[1], id: EventId): Write {
    const event = delegationEvent('budget.debited', payload, { id, actor: this.#log.did });
    return { stream: AUTHORITY, expected: 'any', events: [event] };
  }

  tier(change: TrustChange): void {
    const id = eventIdOf('tier', change.subject, change.index);
    this.#append(TRUST, this.#event(TRUST_EVENTS.changed, trustChanged(change), id));
  }

  /** What others have to say in its order. */
  also(stream: StreamId, event: NewEvent): void {
    this.#append(stream, event);
  }

  /** Resolves when all of it is on disk. */
  async recorded(): Promise<void> {
    await this.#writing;
  }

  #append(stream: StreamId, event: NewEvent): void {
    // A log that refuses this refuses the next act, too: whoever asks for that hears of it.
    this.#writing = Promise.allSettled([
      this.#writing,
      this.#log.append([{ stream, expected: 'any', events: [event] }]),
    ]);
  }

  #event(type: string, value: JsonValue, id: EventId): NewEvent {
    return { id, type: eventType(type), actor: this.#log.did, payload: { type: 'json', value } };
  }

  #newId(): EventId {
    return newEventId(this.#ports.clock, this.#ports.random);
  }
}

const AUTHORITY = unwrap(parseStreamId(AUTHORITY_STREAM), 'a stream');
const TRUST = unwrap(parseStreamId('trust'), 'a stream');

function some<T>(value: T | undefined): readonly T[] {
  return value === undefined ? [] : [value];
}

function statementIn(payload: JsonValue): Uint8Array | undefined {
  const { statement } = (payload ?? {}) as { readonly statement?: unknown };
  return typeof statement === 'string' ? fromBase64url(statement) : undefined;
}
