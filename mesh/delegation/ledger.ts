/**
 * What was spent under each delegation, at this node. A fold of the log.
 *
 * B1. A debit is booked to every link of the chain, so that what an ancestor gave is shared by all its descendants. Other
 *     nodes have ledgers of their own: a budget bounds what is spent at each executor.
 * B2. Two phases. What is allowed is reserved in the tick of its decision, so that two acts decided together cannot both
 *     have the last of it; the outcome settles it. Ok and unknown cost all that was reserved; failed costs the call; what was
 *     never begun costs nothing. What is in doubt stays reserved.
 * B3. One key is paid for once, however often it is attempted.
 * B4. The records of actions are the journal: `action.decided` with its chain reserves, `action.settled` and
 *     `action.abandoned` settle. So a restart gives the same ledger, and no debit can be lost between two writes.
 */
import { type Cid, parseCid } from '../../runtime/codec/cid.ts';
import type { JsonValue } from '../../runtime/codec/json.ts';
import type { LogRecord } from '../../runtime/codec/record.ts';
import type { Action } from '../../runtime/kernel/action.ts';
import { ACTION_EVENTS, type ActionDecided, type ActionSettled } from '../../runtime/kernel/action-events.ts';
import type { EventLog } from '../../runtime/log/event-log.ts';
import { jsonOf } from '../../runtime/log/upcast.ts';
import { RESERVATIONS_MAX } from '../limits.ts';
import { type Amount, minus, plus } from './amount.ts';
import { parsePayload } from './vocabulary.ts';

/** What an act costs by what is known before it: the same when it is replayed. */
export type CostOf = (act: Pick<Action, 'verb' | 'target' | 'input' | 'risk'>) => Amount;

const ONE_CALL: Amount = { calls: 1 };

type Account = { readonly settled: Amount; readonly reserved: Amount };
type Reservation = { readonly delegations: readonly Cid[]; readonly amount: Amount };

export class Ledger {
  readonly #accounts = new Map<Cid, Account>();
  readonly #open = new Map<string, Reservation>();
  readonly #costOf: CostOf;

  readonly #openMax: number;

  constructor(costOf: CostOf = () => ONE_CALL, openMax = RESERVATIONS_MAX) {
    this.#costOf = costOf;
    this.#openMax = openMax;
  }

  costOf(act: Parameters<CostOf>[0]): Amount {
    return this.#costOf(act);
  }

  /** Whether nothing more can be reserved until something settles. */
  get isFull(): boolean {
    return this.#open.size >= this.#openMax;
  }

  isOpen(key: string): boolean {
    return this.#open.has(key);
  }

  /** What is settled and reserved under a delegation (B1). */
  spent(delegation: Cid): Amount {
    const { settled, reserved } = this.#accounts.get(delegation) ?? EMPTY;
    return plus(settled, reserved);
  }

  /** B2. Whether there is enough, who calls has asked. */
  reserve(key: string, delegations: readonly Cid[], amount: Amount): void {
    if (this.#open.has(key)) return; // B3
    this.#open.set(key, { delegations, amount });
    this.#book(delegations, ({ settled, reserved }) => ({ settled, reserved: plus(reserved, amount) }));
  }

  settle(key: string, status: 'ok' | 'failed' | 'unknown' | 'abandoned'): void {
    const found = this.#open.get(key);
    if (found === undefined) return;
    this.#open.delete(key);
    const cost = costOfEnding(found.amount, status);
    this.#book(found.delegations, ({ settled, reserved }) => ({
      settled: plus(settled, cost),
      reserved: minus(reserved, found.amount),
    }));
  }

  /** Spends at once: for what was obeyed on a message, which has no outcome of its own. */
  debit(delegations: readonly Cid[], amount: Amount): void {
    this.#book(delegations, ({ settled, reserved }) => ({ settled: plus(settled, amount), reserved }));
  }

  /** What a record of the log means for the ledger (B4). */
  relive(past: LogRecord, log: Pick<EventLog, 'blob'>): void {
    switch (past.type) {
      case ACTION_EVENTS.decided: {
        const delegations = (past.decision?.delegations ?? []).flatMap(asCid);
        if (past.decision?.verdict !== 'allow' || delegations.length === 0) return;
        const decided = jsonOf(past, log) as unknown as ActionDecided;
        if (isPaidFor(decided)) this.reserve(keyOf(past.stream, decided.key), delegations, this.#costOf(decided));
        return;
      }
      case ACTION_EVENTS.settled:
      case ACTION_EVENTS.abandoned: {
        const { key, status = 'abandoned' } = jsonOf(past, log) as unknown as Partial<ActionSettled> & { key: string };
        this.settle(keyOf(past.stream, key), status);
        return;
      }
      case 'budget.debited': {
        const debited = parsePayload('budget.debited', jsonOf(past, log));
        if (debited !== undefined) this.debit(debited.delegations, debited.amount);
      }
    }
  }

  /** Forgets the accounts of delegations that can no longer be used. */
  forget(isNeeded: (delegation: Cid) => boolean): void {
    for (const cid of this.#accounts.keys()) if (!isNeeded(cid)) this.#accounts.delete(cid);
  }

  /** Everything that it knows, as data: equal ledgers, equal texts. */
  toJSON(): JsonValue {
    const sorted = <T>(entries: Iterable<readonly [string, T]>): (readonly [string, T])[] =>
      [...entries].sort(([a], [b]) => (a < b ? -1 : 1));
    return { accounts: sorted(this.#accounts), open: sorted(this.#open) };
  }

  #book(delegations: readonly Cid[], change: (account: Account) => Account): void {
    for (const cid of delegations) this.#accounts.set(cid, change(this.#accounts.get(cid) ?? EMPTY));
  }
}

/** An act under a name of its own in the whole node. */
export function keyOf(stream: string, key: string): string {
  return `${stream} ${key}`;
}

/** Messages are paid for by whoever obeys them, with `budget.debited`. */
export function isPaidFor({ verb }: Pick<Action, 'verb'>): boolean {
  return verb === 'use' || verb === 'spawn';
}

function costOfEnding(amount: Amount, status: 'ok' | 'failed' | 'unknown' | 'abandoned'): Amount {
  if (status === 'abandoned') return {};
  return status === 'failed' ? (amount.calls === undefined ? {} : { calls: amount.calls }) : amount;
}

function asCid(text: string): readonly Cid[] {
  const cid = parseCid(text);
  return cid.ok ? [cid.value] : [];
}

const EMPTY: Account = { settled: {}, reserved: {} };
