/** What is taken in of others' announcements: whose they may be, how many, and where their agents are. */
import type { Did } from '../../runtime/codec/did.ts';
import { parseDidKey } from '../../runtime/codec/did-key.ts';
import { formatDigest, sha256 } from '../../runtime/codec/digest.ts';
import type { PublicKey } from '../../runtime/codec/ed25519.ts';
import type { Millis } from '../../runtime/core/brand.ts';
import type { Directory } from '../directory.ts';
import { learnPresentation } from '../presentation.ts';
import { type NodeToken, nodeToken } from '../subject.ts';
import { ANNOUNCEMENT_RATE, ANNOUNCEMENTS_KEPT_MAX, PAUSE_MS, PEERS_MAX, SILENT_MS } from './limits.ts';
import { type LinkEvent, linkEvent } from './link-events.ts';
import type { Names } from './names.ts';
import { Buckets } from './tally.ts';

/** What is known of one announcer. */
type Announcer = { epoch: string; node: Did | undefined; heardAt: number; readonly seen: Set<string> };

export class Listening {
  readonly #directory: Directory;
  readonly #names: Names;
  readonly #mayMeet: (node: Did) => boolean;
  readonly #mayHost: (node: Did, agent: Did) => boolean;
  readonly #rate = new Buckets<NodeToken>(ANNOUNCEMENT_RATE);
  readonly #announcers = new Map<NodeToken, Announcer>();
  readonly #keys = new Map<Did, PublicKey>();
  /** Who was at a node when it was lost. */
  readonly #lost = new Map<Did, ReadonlySet<Did>>();
  #tickedAt = 0;

  constructor(listening: {
    readonly directory: Directory;
    readonly names: Names;
    readonly mayMeet: (node: Did) => boolean;
    readonly mayHost?: (node: Did, agent: Did) => boolean;
  }) {
    this.#directory = listening.directory;
    this.#names = listening.names;
    this.#mayMeet = listening.mayMeet;
    this.#mayHost = listening.mayHost ?? (() => true);
  }

  /** Takes an announcement in. `isNewcomer`: its node, in this life of it, was not heard of before. */
  hear(
    content: Uint8Array,
    from: NodeToken,
    at: Millis,
  ): { readonly events: readonly LinkEvent[]; readonly isNewcomer: boolean } {
    const announcer = this.#announcer(from);
    announcer.heardAt = this.#tickedAt;
    const digest = formatDigest(sha256(content));
    if (announcer.seen.has(digest) || !this.#rate.take(from, at)) return { events: [], isNewcomer: false };
    announcer.seen.add(digest);
    const [oldest] = announcer.seen;
    if (announcer.seen.size > ANNOUNCEMENTS_KEPT_MAX && oldest !== undefined) announcer.seen.delete(oldest);
    const agents = new Set<Did>();
    let epoch = announcer.epoch;
    for (const learned of learnPresentation(content, this.#directory, at, from)) {
      if (!learned.ok || learned.value.certificate === undefined) continue;
      const hosting = this.#directory.certificate(learned.value.certificate)?.value;
      if (hosting === undefined || nodeToken(hosting.node) !== from || !this.#mayMeet(hosting.node)) continue;
      agents.add(learned.value.about);
      epoch = hosting.epoch;
      announcer.node = hosting.node;
    }
    const isNewcomer = epoch !== announcer.epoch;
    announcer.epoch = epoch;
    return { events: this.place(agents, at, from), isNewcomer };
  }

  /** Notes where these agents are, by their newest certificate and their card. `from`: only if it is there. */
  place(agents: ReadonlySet<Did>, at: Millis, from?: NodeToken): readonly LinkEvent[] {
    const events: LinkEvent[] = [];
    for (const agent of agents) {
      const card = this.#directory.card(agent)?.value;
      const hosting = this.#directory.newestCertificate(agent, at);
      const name = this.#names.nameOf(agent);
      const [contract] = card?.contracts ?? [];
      if (hosting === undefined || name === undefined || contract === undefined) continue;
      const { node, issued, expires } = hosting.value;
      if (!this.#mayMeet(node) || !this.#mayHost(node, agent) || (from !== undefined && nodeToken(node) !== from))
        continue;
      const key = this.#key(node);
      if (key === undefined) continue;
      const place = { name, agent, node, key, contract, certificate: hosting.cid, issued, expires };
      const conflict = this.#names.learn(place, at);
      if (conflict !== undefined) events.push(linkEvent('name.disputed', node, conflict));
    }
    return events;
  }

  /** Nodes that have just become silent. `monotonicMs`: now; to be called every second or so. */
  silent(monotonicMs: number): readonly Did[] {
    const gap = monotonicMs - this.#tickedAt;
    this.#tickedAt = monotonicMs;
    const silent: Did[] = [];
    for (const announcer of this.#announcers.values()) {
      if (gap > PAUSE_MS) announcer.heardAt += gap;
      if (announcer.node === undefined || monotonicMs - announcer.heardAt < SILENT_MS) continue;
      silent.push(announcer.node);
      announcer.node = undefined;
      announcer.seen.clear();
    }
    return silent;
  }

  /** A node is out of reach: nobody is there. Who was. What was said before may mean something else now, so it is looked at
   *  again. */
  lose(node: Did): readonly string[] {
    const agents = new Set(this.#names.at(node));
    const [oldest] = this.#lost.keys();
    if (this.#lost.size >= PEERS_MAX && oldest !== undefined) this.#lost.delete(oldest);
    if (agents.size > 0) this.#lost.set(node, agents);
    for (const { seen } of this.#announcers.values()) seen.clear();
    return this.#names.leave(node);
  }

  /** The node is there again in the same life: so are its agents, as far as their certificates still say so. */
  regain(node: Did, at: Millis): readonly LinkEvent[] {
    const agents = this.#lost.get(node) ?? new Set();
    this.#lost.delete(node);
    return this.place(agents, at, nodeToken(node));
  }

  /** To admit a key costs a millisecond, and a node has many agents. */
  #key(node: Did): PublicKey | undefined {
    const known = this.#keys.get(node);
    if (known !== undefined) return known;
    const key = parseDidKey(node);
    if (!key.ok) return undefined;
    const [oldest] = this.#keys.keys();
    if (this.#keys.size >= PEERS_MAX && oldest !== undefined) this.#keys.delete(oldest);
    this.#keys.set(node, key.value);
    return key.value;
  }

  #announcer(from: NodeToken): Announcer {
    const known = this.#announcers.get(from);
    if (known !== undefined) return known;
    const [oldest] = this.#announcers.keys();
    if (this.#announcers.size >= PEERS_MAX && oldest !== undefined) this.#announcers.delete(oldest);
    const announcer: Announcer = { epoch: '', node: undefined, heardAt: this.#tickedAt, seen: new Set() };
    this.#announcers.set(from, announcer);
    return announcer;
  }
}
