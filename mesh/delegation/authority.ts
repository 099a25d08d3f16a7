/** The authority of a realm as a node sees it, put together, recorded, and known again after a restart. */
import type { Did } from '../../runtime/codec/did.ts';
import type { JsonValue } from '../../runtime/codec/json.ts';
import { type EventId, parseStreamId } from '../../runtime/codec/record.ts';
import type { Millis } from '../../runtime/core/brand.ts';
import { utf8, view } from '../../runtime/core/bytes.ts';
import { unwrap } from '../../runtime/core/result.ts';
import type { EventLog, NewEvent } from '../../runtime/log/event-log.ts';
import { jsonOf } from '../../runtime/log/upcast.ts';
import { eventType } from '../../runtime/log/vocabulary.ts';
import type { RevocationLearned, Revocations } from '../revocation/revocations.ts';
import type { Authority } from './chain.ts';
import type { Delegation } from './delegation.ts';
import type { Delegations, DelegationsParts } from './delegations.ts';
import type { Ledger } from './ledger.ts';
import { AUTHORITY_STREAM, type DelegationEventType, type DelegationPayload, parsePayload } from './vocabulary.ts';

export type RealmParts = {
  /** `Directory.subject`. */
  readonly subject: Authority['subject'];
  /** Whose word begins a chain for any command, and may end any. */
  readonly operators: ReadonlySet<Did>;
  readonly revocations: Revocations;
  /** Who else begins chains for a command: the executor itself and its sponsor, for what it answers. */
  readonly ownRoot?: (did: Did, command: string) => boolean;
  readonly mayBegin?: (did: Did) => boolean;
};

export function realmAuthority(parts: RealmParts): DelegationsParts {
  const { subject, operators, revocations, ownRoot = () => false, mayBegin = () => false } = parts;
  return {
    subject,
    isRoot: (did, command) => operators.has(did) || ownRoot(did, command),
    isOperator: (did) => operators.has(did),
    mayBegin: (did) => operators.has(did) || mayBegin(did),
    revokersOf: (target) => revocations.revokersOf(target),
    epoch: () => revocations.epoch,
  };
}

/** An event of delegation, for the stream `authority` or beside what was paid for. */
export function delegationEvent<T extends DelegationEventType>(
  type: T,
  payload: DelegationPayload<T>,
  by: { readonly id: EventId; readonly actor: Did },
): NewEvent {
  return { ...by, type: eventType(type), payload: { type: 'json', value: payload as JsonValue } };
}

/** What to record when a delegation is news. */
export function grantedPayload({ cid, token }: Delegation): DelegationPayload<'delegation.granted'> {
  return { delegation: cid, token };
}

/** What to record when a revocation is news. */
export function revokedPayload(
  { target, reason }: RevocationLearned,
  statement: Uint8Array,
): DelegationPayload<'authority.revoked'> {
  return { reason, statement: view(statement).toString('utf8'), target };
}

/** Folds the log: first what was revoked, then what was given, each verified as when it came, and what was spent. What
 *  has expired meanwhile, or whose issuer is not known yet, is left out. Histories have to be known before. */
export async function restoreAuthority(
  log: EventLog,
  to: { readonly revocations: Revocations; readonly delegations: Delegations; readonly ledger: Ledger },
  at: Millis,
): Promise<void> {
  const stream = unwrap(parseStreamId(AUTHORITY_STREAM), 'a stream');
  const tokens: string[] = [];
  for (const past of log.readStream(stream)) {
    const value = jsonOf(past, log);
    if (past.type === 'authority.revoked') {
      const revoked = parsePayload('authority.revoked', value);
      if (revoked !== undefined) to.revocations.learn(utf8(revoked.statement));
    }
    if (past.type === 'delegation.granted') {
      const granted = parsePayload('delegation.granted', value);
      if (granted !== undefined) tokens.push(granted.token);
    }
  }
  for (const token of tokens) await to.delegations.learn(token, at);
  for (const past of log.read()) to.ledger.relive(past, log);
}
