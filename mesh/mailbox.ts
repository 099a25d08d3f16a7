/**
 * Mailboxes for nodes that are away: an optional place on the carrier where others leave letters. What every `Mailbox`
 * promises (`mailbox.contract.ts` holds each to it), and what not:
 *
 * - **Delivery** is at least once: a letter is handed over until its receiver says what became of it, and may come again after
 *   that. Whoever takes letters knows them by the message's id, in its log.
 * - **Leaving is not acceptance.** Nobody has read, verified or recorded a letter that was left; the carrier may lose it, and
 *   forgets it when its time is over. The sender keeps the message until the receiver itself accepts it.
 * - **Bounds.** A mailbox holds so many letters, so many of each sender, so many bytes, for so long. When it is full, leaving
 *   is refused: nothing that was left is dropped for it.
 * - **Order** is that of leaving, except for what was put off.
 * - **Sender.** `from` is vouched for by the carrier; the letter's signature is the other check (`mailbox-letter.ts`).
 * - **Concurrency.** One collection at a time; leaving at any time.
 */
import type { DigestText } from '../runtime/codec/record.ts';
import type { Millis } from '../runtime/core/brand.ts';
import { CodedError } from '../runtime/core/errors.ts';
import { DEADLINE_MS_MAX } from './limits.ts';
import type { NodeToken } from './subject.ts';

export type Letter = {
  readonly from: NodeToken;
  readonly bytes: Uint8Array;
  /** When it was left, by the carrier's clock. */
  readonly leftAt: Millis;
  /** How often it was handed over, this time included. */
  readonly attempts: number;
};

/** What became of a letter: durably accepted, or certainly known already; to be handed over again later; never to be. */
export type Receipt = 'accepted' | 'later' | 'refused';

export type Collected = { readonly accepted: number; readonly later: number; readonly refused: number };

export interface Mailbox {
  /**
   * Leaves a letter for another node. The same id within two minutes is the same letter: `known`.
   * @throws {CodedError} `mailbox.full` (retryable) · `mailbox.unavailable` (retryable) there is none for that node, or no carrier ·
   *   `mailbox.unknown` (retryable) nobody knows whether it was left: leave it again with the same id · `transport.too_large`;
   *   or the signal's reason
   */
  leave(
    to: NodeToken,
    letter: { readonly id: DigestText; readonly bytes: Uint8Array },
    signal: AbortSignal,
  ): Promise<'left' | 'known'>;

  /**
   * Takes what waits for this node now, one letter after the other, and ends. A letter is given up by the carrier only after
   * `take` has said so; if it throws, the letter is handed over again, and so are those behind it.
   * @throws {CodedError} `mailbox.unavailable` (retryable); what `take` throws; or the signal's reason
   */
  collect(take: (letter: Letter) => Promise<Receipt>, signal: AbortSignal): Promise<Collected>;
}

export type MailboxBounds = {
  readonly lettersMax: number;
  readonly perSenderMax: number;
  readonly bytesMax: number;
  readonly letterBytesMax: number;
  readonly ageMs: number;
  /** A letter that nobody has said anything about is handed over again after this long. */
  readonly receiptMs: number;
  /** One that was put off, after this long. */
  readonly laterMs: number;
};

/** Ten busy senders fill a mailbox, one does not; a letter is a body of 256 KiB and the histories that it needs; it waits as
 *  long as a message may; a receipt is one flush of the receiver's log, so half a minute is an accident. */
export const MAILBOX: MailboxBounds = {
  lettersMax: 1_000,
  perSenderMax: 100,
  bytesMax: 64 * 1024 * 1024,
  letterBytesMax: 512 * 1024,
  ageMs: DEADLINE_MS_MAX,
  receiptMs: 30_000,
  laterMs: 5_000,
};

export function mailboxFull(message: string): CodedError {
  return new CodedError('mailbox.full', `expected room in the mailbox, found none: ${message}`, { retryable: true });
}

export function mailboxUnavailable(message: string, cause?: Error): CodedError {
  return new CodedError('mailbox.unavailable', `expected ${message}`, { cause, retryable: true });
}

export function tooLarge(bytesMax: number, found: number): CodedError {
  return new CodedError('transport.too_large', `expected at most ${bytesMax} bytes, found ${found}`);
}
