/**
 * Agents elsewhere, as a realm's roster promises them. The link knows who was heard; the roster knows who will be. So what
 * is asked of an agent whose node is away waits for it, until its own deadline, and nobody is told that it is dead.
 */
import type { Outgoing, Remote } from '../../runtime/actor/remote.ts';
import type { Did } from '../../runtime/codec/did.ts';
import type { Clock } from '../../runtime/core/clock.ts';
import type { Outcome } from '../../runtime/kernel/outcome.ts';
import type { RealmNode } from './realm-folder.ts';

const LOOK_AGAIN_MS = 50;

export class RosterRemote implements Remote {
  readonly #link: Remote;
  readonly #clock: Clock;
  readonly #elsewhere: ReadonlyMap<string, Did>;
  readonly #contractOf: (agent: string) => string | undefined;

  /** `contractOf`: what an agent that was not heard yet is expected to answer. */
  constructor(link: Remote, realm: RealmNode, contractOf: (agent: string) => string | undefined, clock: Clock) {
    this.#link = link;
    this.#clock = clock;
    this.#contractOf = contractOf;
    const others = realm.roster.nodes.filter(({ name }) => name !== realm.name);
    this.#elsewhere = new Map(others.flatMap(({ agents }) => agents.map(({ name, did }) => [name, did])));
  }

  find(agent: string): { readonly contract: string; readonly did: Did } | undefined {
    const found = this.#link.find(agent);
    if (found !== undefined) return found;
    const [did, contract] = [this.#elsewhere.get(agent), this.#contractOf(agent)];
    return did === undefined || contract === undefined ? undefined : { contract, did };
  }

  ask(message: Outgoing, signal: AbortSignal): Promise<Outcome> {
    return this.#onceHeard(message, signal, () => this.#link.ask(message, signal));
  }

  tell(message: Outgoing, signal: AbortSignal): Promise<Outcome> {
    return this.#onceHeard(message, signal, () => this.#link.tell(message, signal));
  }

  async #onceHeard(message: Outgoing, signal: AbortSignal, send: () => Promise<Outcome>): Promise<Outcome> {
    const began = this.#clock.now();
    while (this.#link.find(message.to) === undefined) {
      signal.throwIfAborted();
      if (this.#clock.now() >= message.deadline) return { type: 'timeout', withinMs: message.deadline - began };
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#clock.after(LOOK_AGAIN_MS, resolve);
      await promise;
    }
    return send();
  }
}
