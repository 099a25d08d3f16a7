/**
 * The agents of this node, as others see them: their DIDs, histories, cards and hosting certificates. Their keys stay behind
 * `Identities`; this node's message key speaks for them by certificates of at most an hour, renewed in time.
 */
import type { Cid } from '../../runtime/codec/cid.ts';
import type { Did } from '../../runtime/codec/did.ts';
import type { DigestText } from '../../runtime/codec/record.ts';
import type { Millis } from '../../runtime/core/brand.ts';
import { unwrap } from '../../runtime/core/result.ts';
import { readCard } from '../agent-card.ts';
import type { Epoch } from '../head.ts';
import { readCertificate } from '../hosting.ts';
import { CERTIFICATE_MS_MAX } from '../limits.ts';
import { RENEW_BEFORE_MS } from './limits.ts';

/** The identities of agents, with whoever keeps their keys. */
export interface Identities {
  /** The DID of an agent; nothing for one that has none, and so cannot speak with other nodes. */
  didOf(agent: string): Did | undefined;
  /** Its statements, inception first. Asked for at each renewal. */
  historyOf(agent: string): readonly Uint8Array[];
  /** Its card, signed by its key in force. Asked for at each renewal. */
  cardOf(agent: string): Uint8Array;
  /** A hosting certificate (`writeCertificate`), signed by its key in force. */
  certify(
    agent: string,
    hosting: {
      readonly agent: Did;
      readonly node: Did;
      readonly epoch: Epoch;
      readonly issued: Millis;
      readonly expires: Millis;
    },
  ): Uint8Array;
}

/** An agent as it is shown to others. */
export type Shown = {
  readonly name: string;
  readonly did: Did;
  readonly certificate: Cid;
  readonly expires: Millis;
  /** History, certificate and card, each after what it builds on. */
  readonly statements: readonly Uint8Array[];
  /** Digests of the contracts on its card. */
  readonly contracts: readonly DigestText[];
};

export class Desk {
  readonly #identities: Identities;
  readonly #node: { readonly did: Did; readonly epoch: Epoch };
  readonly #byName = new Map<string, Shown>();
  readonly #byDid = new Map<Did, Shown>();

  constructor(identities: Identities, node: { readonly did: Did; readonly epoch: Epoch }) {
    this.#identities = identities;
    this.#node = node;
  }

  /** These agents and no others are here. Whether anything changed. */
  host(agents: readonly string[], at: Millis): boolean {
    let isChanged = false;
    for (const [name, { did }] of this.#byName) {
      if (agents.includes(name)) continue;
      this.#byName.delete(name);
      this.#byDid.delete(did);
      isChanged = true;
    }
    for (const name of agents) if (!this.#byName.has(name)) isChanged = this.#certify(name, at) || isChanged;
    return isChanged;
  }

  /** Renews what ends soon. Whether anything changed. */
  renew(at: Millis): boolean {
    let isChanged = false;
    for (const { name, expires } of this.#byName.values()) {
      if (expires - at < RENEW_BEFORE_MS) isChanged = this.#certify(name, at) || isChanged;
    }
    return isChanged;
  }

  named(name: string): Shown | undefined {
    return this.#byName.get(name);
  }

  find(did: Did): Shown | undefined {
    return this.#byDid.get(did);
  }

  all(): readonly Shown[] {
    return [...this.#byName.values()];
  }

  #certify(name: string, at: Millis): boolean {
    const did = this.#identities.didOf(name);
    if (did === undefined) return false;
    const { did: node, epoch } = this.#node;
    const expires = (at + CERTIFICATE_MS_MAX) as Millis;
    const certificate = this.#identities.certify(name, { agent: did, node, epoch, issued: at, expires });
    const { cid } = unwrap(readCertificate(certificate), 'a certificate of an agent of this node');
    const card = this.#identities.cardOf(name);
    const { value } = unwrap(readCard(card), 'a card of an agent of this node');
    const statements = [...this.#identities.historyOf(name), certificate, card];
    const contracts = value.contracts.map(({ digest }) => digest);
    const shown: Shown = { name, did, certificate: cid, expires, statements, contracts };
    this.#byName.set(name, shown);
    this.#byDid.set(did, shown);
    return true;
  }
}
