/**
 * How bytes get from node to node. What every `Transport` promises (`transport.contract.ts` holds each to it), and what not:
 *
 * - **Delivery** is at most once: a message arrives whole, or not at all, and nobody is told. Who needs more acknowledges and
 *   sends again.
 * - **Order** is kept from one node to another within a lane while the connection lasts; between lanes there is none.
 * - **Sender.** `from` is vouched for by the carrier, as far as the carrier is honest. It is the first of two independent
 *   checks; the envelope's signature is the other.
 * - **Durability**: none. `flush` says that the carrier has what was sent before, not that anybody received it.
 * - **Concurrency.** `send` never waits. One reader reads arrivals; what it does not fetch in time is dropped and counted.
 * - **Absence** and **gaps** are hints: nobody listened to a message just now; the connection was lost and is back, so
 *   messages may be missing. Anybody on the carrier may be able to fake an absence.
 * - **End.** Disposing ends the arrivals; sending afterwards throws.
 */
import type { Lane, NodeToken } from './subject.ts';

export type Arrival =
  | { readonly type: 'message'; readonly lane: Lane; readonly from: NodeToken; readonly bytes: Uint8Array }
  | { readonly type: 'absent'; readonly lane: Lane; readonly to: NodeToken }
  | { readonly type: 'gap' };

export interface Transport extends AsyncDisposable {
  readonly self: NodeToken;
  /** The longest message that can be sent. */
  readonly messageBytesMax: number;
  /** Arrivals that were dropped because nobody fetched them. */
  readonly dropped: number;

  /**
   * Sends to one node, or to everybody on the lanes that are for everybody (`to` is then `ALL`). Never to oneself.
   * @throws {CodedError} `transport.too_large` · `transport.closed`
   */
  send(lane: Lane, to: NodeToken, bytes: Uint8Array): void;

  /** Resolves once the carrier has everything sent before.
   *  @throws {CodedError} `transport.closed`, or the signal's reason */
  flush(signal: AbortSignal): Promise<void>;

  /** What arrives from now on, and what arrived since the last reader left. One reader at a time. In groups of at most
   *  ARRIVALS_PER_TURN: a reader that yields to the event loop between groups lets commits and sends overlap with
   *  signatures, which is worth half as much again (the convoy). */
  arrivals(signal: AbortSignal): AsyncIterable<readonly Arrival[]>;
}
