/**
 * Agents elsewhere, as a realm's roster promises them. The link knows who was heard; the roster knows who will be. So what
 * is asked of an agent whose node is away waits for it, until its own deadline, and nobody is told that it is dead.
 */
import type { Incoming, Outgoing, Remote } from '../../runtime/actor/remote.ts';
import type { Did } from '../../runtime/codec/did.ts';
import type { Clock } from '../../runtime/core/clock.ts';
import type { Outcome } from '../../runtime/kernel/outcome.ts';
import { type RealmNode, wireName } from './realm-folder.ts';
import { RosterRule } from './roster-rule.ts';

const LOOK_AGAIN_MS = 50;

export class RosterRemote implements Remote {
  readonly #link: Remote;
  readonly #clock: Clock;
  readonly #elsewhere: ReadonlyMap<string, Did>;
  readonly #byWireName: ReadonlyMap<string, string>;
  readonly #rule: RosterRule;
  readonly #contractOf: (agent: string) => string | undefined;

  /** `contractOf`: what an agent that was not heard yet is expected to answer. */
  constructor(link: Remote, realm: RealmNode, contractOf: (agent: string) => string | undefined, clock: Clock) {
    this.#link = link;
    this.#clock = clock;
    this.#rule = new RosterRule(realm.roster);
    this.#contractOf = contractOf;
    const others = realm.roster.nodes.filter(({ name }) => name !== realm.name);
    this.#elsewhere = new Map(others.flatMap(({ agents }) => agents.map(({ name, did }) => [name, did])));
    const all = realm.roster.nodes.flatMap(({ agents }) => agents.map(({ name }) => name));
    this.#byWireName = new Map(all.map((name) => [wireName(name), name]));
  }

  /** An agent's name by that on the wire. */
  nameOf(name: string): string {
    return this.#byWireName.get(name) ?? name;
  }

  /** A message from the wire with names as agents have them. */
  arriving(message: Incoming): Incoming {
    const { from, to, chain } = message;
    const own = (name: string): string => this.nameOf(name);
    const agent = this.#rule.nameOf(from.did, from.agent);
    return { ...message, from: { ...from, agent }, to: own(to), chain: chain.map(own) };
  }

  find(agent: string): { readonly contract: string; readonly did: Did } | undefined {
    const found = this.#link.find(wireName(agent));
    if (found !== undefined) return found;
    const [did, contract] = [this.#elsewhere.get(agent), this.#contractOf(agent)];
    return did === undefined || contract === undefined ? undefined : { contract, did };
  }

  ask(message: Outgoing, signal: AbortSignal): Promise<Outcome> {
    return this.#onceHeard(message, signal, () => this.#link.ask(leaving(message), signal));
  }

  tell(message: Outgoing, signal: AbortSignal): Promise<Outcome> {
    return this.#onceHeard(message, signal, () => this.#link.tell(leaving(message), signal));
  }

  async #onceHeard(message: Outgoing, signal: AbortSignal, send: () => Promise<Outcome>): Promise<Outcome> {
    const began = this.#clock.now();
    while (this.#link.find(wireName(message.to)) === undefined) {
      signal.throwIfAborted();
      if (this.#clock.now() >= message.deadline) return { type: 'timeout', withinMs: message.deadline - began };
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#clock.after(LOOK_AGAIN_MS, resolve);
      await promise;
    }
    return send();
  }
}

/** With names as the wire has them. */
function leaving(message: Outgoing): Outgoing {
  const { from, to, chain } = message;
  return { ...message, from: { ...from, agent: wireName(from.agent) }, to: wireName(to), chain: chain.map(wireName) };
}
