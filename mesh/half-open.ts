/**
 * Handshakes under way, bounded: in all, and per node that a hello comes from. Anybody can write a hello in another's
 * name, so a full table of one name keeps nobody else out; the broker, which pins the sender of every message, keeps others
 * from filling it.
 */
import type { Millis } from '../runtime/core/brand.ts';
import { err, ok, type Refusal, type Result } from '../runtime/core/result.ts';
import { HALF_OPEN_MAX, HALF_OPEN_PER_PEER_MAX } from './limits.ts';

export class HalfOpen<State extends { readonly expires: Millis }> {
  readonly #byPeer = new Map<string, State[]>();
  #size = 0;

  add(peer: string, state: State, at: Millis): Result<true, Refusal> {
    if (this.#size >= HALF_OPEN_MAX || this.of(peer).length >= HALF_OPEN_PER_PEER_MAX) this.expire(at);
    if (this.#size >= HALF_OPEN_MAX || this.of(peer).length >= HALF_OPEN_PER_PEER_MAX) {
      return err({ code: 'handshake.busy', message: 'expected fewer handshakes under way' });
    }
    this.#byPeer.set(peer, [...this.of(peer), state]);
    this.#size++;
    return ok(true);
  }

  /** All that are under way, ended ones included until somebody looks. */
  get size(): number {
    return this.#size;
  }

  /** The handshakes under way with one node, oldest first. */
  of(peer: string): readonly State[] {
    return this.#byPeer.get(peer) ?? [];
  }

  remove(peer: string, state: State): void {
    const rest = this.of(peer).filter((other) => other !== state);
    this.#size -= this.of(peer).length - rest.length;
    if (rest.length === 0) this.#byPeer.delete(peer);
    else this.#byPeer.set(peer, rest);
  }

  expire(at: Millis): void {
    for (const [peer, states] of this.#byPeer) {
      for (const state of states) if (at > state.expires) this.remove(peer, state);
    }
  }
}
