/**
 * What a node and a host say to each other: JSON, one object per message, so that a host may be a function call, a child
 * process or a container. The node has the log, the kernel and the clock; the host has the authors' code and states, which
 * it can lose at any moment.
 */
import type { Did } from '../codec/did.ts';
import type { JsonValue } from '../codec/json.ts';
import type { Outcome } from '../kernel/outcome.ts';
import type { JournalEntry } from './turn-journal.ts';

/** A recorded fact of an agent. */
export type Emitted = { readonly name: string; readonly data: JsonValue };

/** What a state is folded from: all facts, or a state that was kept and the facts after it. */
export type History = { readonly base?: KeptBase; readonly facts: readonly Emitted[] };
/** The state after the first `emitted` facts, as the code with this digest folded it. */
export type KeptBase = { readonly code: string; readonly emitted: number; readonly state: JsonValue };

/** A recorded answer; after a wait, also what the wake brought: the time, and how many facts there were. */
export type Recorded = JournalEntry<Outcome> & { readonly woken?: { readonly at: number; readonly emitted: number } };

export type ToHost =
  /** Take a turn, or take it again. */
  | {
      readonly type: 'enter';
      readonly turn: string;
      readonly agent: string;
      readonly contract: string;
      readonly message: string;
      readonly body: JsonValue;
      readonly caller: { readonly did: Did; readonly agent: string | null; readonly chain: readonly string[] };
      readonly at: number;
      /** How many facts the agent had when the turn began. */
      readonly start: number;
      /** Its facts up to now; absent while the host is known to have folded `start` of them. */
      readonly history?: History;
      readonly journal: readonly Recorded[];
      /** What earlier segments of this turn have committed. */
      readonly committed: { readonly entries: number; readonly digest: string } | null;
    }
  /** The answer to an operation. */
  | { readonly type: 'settle'; readonly turn: string; readonly ordinal: number; readonly outcome: Outcome }
  /** Nobody waits for this turn any more: its signal aborts. */
  | { readonly type: 'abort'; readonly turn: string; readonly code: string }
  /** Forget the turn: it is parked, or given up. */
  | { readonly type: 'drop'; readonly turn: string }
  /** Forget the agent's state. */
  | { readonly type: 'evict'; readonly agent: string };

export type FromHost =
  | { readonly type: 'ready'; readonly contracts: readonly { readonly name: string; readonly digest: string }[] }
  | { readonly type: 'operation'; readonly turn: string; readonly ordinal: number; readonly operation: Operation }
  | TurnParked
  | TurnDone
  | TurnFailed
  | TurnStale
  | TurnDiverged;

/** The turn waits for the world: this is what for, and what it leaves to be committed. */
export type TurnParked = {
  readonly type: 'park';
  readonly turn: string;
  readonly waits: readonly Wait[];
  readonly segment: Segment;
};

export type TurnDone = {
  readonly type: 'done';
  readonly turn: string;
  readonly reply: Outcome;
  readonly segment: Segment;
  /** Digest of the state after it. */
  readonly state: string;
  /** The state itself, now and then: worth keeping. */
  readonly kept?: KeptBase;
};

/** The host has no use for what it was given to fold from: it needs all of the facts. */
export type TurnStale = { readonly type: 'stale'; readonly turn: string };

export type TurnFailed = {
  readonly type: 'failed';
  readonly turn: string;
  readonly code: string;
  readonly message: string;
};

export type TurnDiverged = {
  readonly type: 'diverged';
  readonly turn: string;
  readonly expected: string;
  readonly found: string;
};

/** What needs an answer from the node. */
export type Operation =
  | {
      readonly verb: 'use';
      readonly tool: string;
      readonly input: JsonValue;
      readonly under: string | null;
    }
  | {
      readonly verb: 'ask';
      readonly agent: string;
      readonly contract: string;
      readonly message: string;
      readonly input: JsonValue;
      readonly withinMs: number;
    }
  | {
      readonly verb: 'tell';
      readonly agent: string;
      readonly contract: string;
      readonly message: string;
      readonly input: JsonValue;
      readonly retryForMs: number;
    }
  | {
      readonly verb: 'spawn';
      readonly agent: string;
      readonly contract: string;
      readonly options: JsonValue;
    }
  | { readonly verb: 'stop'; readonly agent: string }
  | { readonly verb: 'approve'; readonly tool: string; readonly input: JsonValue; readonly withinMs: number };

/** What a parked turn waits for. Its ordinal is one of the turn's operations. */
export type Wait = {
  readonly ordinal: number;
  readonly name: string;
  readonly digest: string;
  /** The event waited for, or `null` for time alone. */
  readonly event: string | null;
  /** For how long; `null`: for ever. */
  readonly withinMs: number | null;
};

/** What a turn has done to itself since its last commit, in order; and the digest of all that it has done so far. */
export type Segment = {
  readonly entries: readonly Entry[];
  readonly total: number;
  readonly digest: string;
};

export type Entry =
  | { readonly type: 'emit'; readonly name: string; readonly data: JsonValue }
  | {
      readonly type: 'tell';
      readonly message: string;
      readonly agent: string;
      readonly contract: string;
      readonly name: string;
      readonly input: JsonValue;
      readonly retryForMs: number;
    }
  | {
      readonly type: 'arm';
      readonly timer: string;
      readonly delayMs: number;
      readonly everyMs: number | null;
      readonly message: string;
      readonly input: JsonValue;
    }
  | { readonly type: 'cancel'; readonly timer: string }
  | { readonly type: 'watch'; readonly agent: string; readonly message: string };

/** An operation as a journal names it. */
export function nameOf(operation: Operation): string {
  switch (operation.verb) {
    case 'use':
    case 'approve':
      return `${operation.verb} ${operation.tool}`;
    case 'ask':
    case 'tell':
      return `${operation.verb} ${operation.contract}.${operation.message}@${operation.agent}`;
    case 'spawn':
    case 'stop':
      return `${operation.verb} ${operation.agent}`;
  }
}
