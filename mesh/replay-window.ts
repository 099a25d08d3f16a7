/**
 * Which sequence numbers of one direction of one session have been accepted: a sliding window, as in DTLS (RFC 9147
 * section 4.5.1). What is older than the window counts as seen, so memory is constant and nothing is accepted twice.
 *
 * `hasSeen` is asked before the signature is verified, `accept` after: a forger can neither fill nor move the window.
 */
import { assert } from '../runtime/core/assert.ts';
import { REPLAY_WINDOW_MESSAGES } from './limits.ts';

export class ReplayWindow {
  #highest = -1;
  /** Bit `n % window` is set iff sequence n of the window was accepted. */
  readonly #bits = new Uint8Array(REPLAY_WINDOW_MESSAGES);

  /** Whether this number was accepted, or is too old to tell. */
  hasSeen(sequence: number): boolean {
    if (sequence > this.#highest) return false;
    if (sequence <= this.#highest - REPLAY_WINDOW_MESSAGES) return true;
    return this.#bits[sequence % REPLAY_WINDOW_MESSAGES] === 1;
  }

  /** Marks the number; false if it had been accepted before. */
  accept(sequence: number): boolean {
    assert(Number.isSafeInteger(sequence) && sequence >= 0, 'accept: a sequence number');
    if (this.hasSeen(sequence)) return false;
    const gap = Math.min(sequence - this.#highest, REPLAY_WINDOW_MESSAGES);
    for (let n = 1; n < gap; n++) this.#bits[(sequence - n) % REPLAY_WINDOW_MESSAGES] = 0;
    if (sequence > this.#highest) this.#highest = sequence;
    this.#bits[sequence % REPLAY_WINDOW_MESSAGES] = 1;
    return true;
  }
}
