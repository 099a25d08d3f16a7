/**
 * Agents of other nodes by name. On the wire an agent is a DID; a did:mesh has its name in it, so a name can be read, and
 * what has to be settled is only whom it means where two have it.
 *
 * E1. An agent of this node is always meant before one of another.
 * E2. Of two agents elsewhere with one name, the one that was heard of first is meant, until its place has ended.
 * E3. One agent is at one place: where its newest certificate says.
 */
import type { Cid } from '../../runtime/codec/cid.ts';
import type { Did } from '../../runtime/codec/did.ts';
import type { PublicKey } from '../../runtime/codec/ed25519.ts';
import type { DigestText } from '../../runtime/codec/record.ts';
import type { Millis } from '../../runtime/core/brand.ts';
import { parseDidMesh } from '../did-mesh.ts';
import { DIRECTORY_MAX } from '../limits.ts';
import { NAMES_KEPT_MAX } from './limits.ts';

/** Where an agent is, by its own signed word. */
export type Place = {
  readonly name: string;
  readonly agent: Did;
  readonly node: Did;
  /** The node's key, admitted. */
  readonly key: PublicKey;
  /** What it answers, by name and digest: the first contract on its card. */
  readonly contract: { readonly name: string; readonly digest: DigestText };
  readonly certificate: Cid;
  readonly issued: Millis;
  readonly expires: Millis;
};

/** Two DIDs, one name. */
export type NameConflict = { readonly name: string; readonly kept: Did; readonly refused: Did; readonly node: Did };

export class Names {
  readonly #ownDid: (name: string) => Did | undefined;
  /** Bounded by DIRECTORY_MAX; what has ended is swept by `expire`. */
  readonly #places = new Map<string, Place>();
  readonly #read = new Map<Did, string | undefined>();
  readonly #conflicts = new Set<string>();

  /** `ownDid`: an agent of this node, by name. */
  constructor(ownDid: (name: string) => Did | undefined) {
    this.#ownDid = ownDid;
  }

  /** Takes in where an agent is; a conflict, once, where somebody else has the name. */
  learn(place: Place, at: Millis): NameConflict | undefined {
    const own = this.#ownDid(place.name);
    if (own !== undefined) return own === place.agent ? undefined : this.#conflict(place, own);
    const known = this.#places.get(place.name);
    if (known !== undefined && known.agent !== place.agent && at <= known.expires) {
      return this.#conflict(place, known.agent);
    }
    if (known?.agent === place.agent && known.issued > place.issued) return undefined;
    if (known === undefined && this.#places.size >= DIRECTORY_MAX) return undefined;
    this.#places.set(place.name, place);
    return undefined;
  }

  /** Forgets places whose certificates have ended. */
  expire(at: Millis): void {
    for (const [name, { expires }] of this.#places) if (at > expires) this.#places.delete(name);
  }

  /** Whom the name means elsewhere; nobody, if it means somebody here. */
  find(name: string, at: Millis): Place | undefined {
    const place = this.#places.get(name);
    return place === undefined || at > place.expires || this.#ownDid(name) !== undefined ? undefined : place;
  }

  /** Which DID the name means, here or elsewhere. */
  didOf(name: string, at: Millis): Did | undefined {
    return this.#ownDid(name) ?? this.find(name, at)?.agent;
  }

  /** The name of a DID; nothing, for one that has none. */
  nameOf(did: Did): string | undefined {
    if (this.#read.has(did)) return this.#read.get(did);
    const parsed = parseDidMesh(did);
    const name = parsed.ok ? parsed.value.name : undefined;
    const [oldest] = this.#read.keys();
    if (this.#read.size >= NAMES_KEPT_MAX && oldest !== undefined) this.#read.delete(oldest);
    this.#read.set(did, name);
    return name;
  }

  /** Who is there. */
  at(node: Did): readonly Did[] {
    return [...this.#places.values()].filter((place) => place.node === node).map(({ agent }) => agent);
  }

  /** A node is gone: nobody is there any more. Who was. */
  leave(node: Did): readonly string[] {
    const gone = [...this.#places.values()].filter((place) => place.node === node).map(({ name }) => name);
    for (const name of gone) this.#places.delete(name);
    return gone;
  }

  #conflict({ name, agent, node }: Place, kept: Did): NameConflict | undefined {
    const key = `${name} ${agent}`;
    if (this.#conflicts.has(key) || this.#conflicts.size >= NAMES_KEPT_MAX) return undefined;
    this.#conflicts.add(key);
    return { name, kept, refused: agent, node };
  }
}
