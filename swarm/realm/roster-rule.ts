/**
 * Who may speak as whom in a realm. The roster binds an agent's name to its DID and its node; anybody else is a guest, under a
 * name that no agent of the realm has.
 *
 * W1. An agent of the roster is at its own node and nowhere else, whoever holds its keys.
 * W2. Nobody speaks under a name of the roster but who has it there. A guest's name is put apart before policy sees it.
 * W3. No guest is called as policies call the operator.
 */
import type { Check } from '../../mesh/admit.ts';
import { parseDidMesh } from '../../mesh/did-mesh.ts';
import { nodeDid } from '../../mesh/message.ts';
import { GUESTS } from '../../runtime/actor/ref.ts';
import type { Did } from '../../runtime/codec/did.ts';
import { OPERATOR } from '../control/control-socket.ts';
import { type RealmRoster, wireName } from './realm-folder.ts';

export class RosterRule {
  readonly #nodeOf: ReadonlyMap<Did, Did>;
  readonly #nameOf: ReadonlyMap<Did, string>;
  readonly #taken: ReadonlySet<string>;

  constructor({ nodes }: RealmRoster) {
    const all = nodes.flatMap(({ did: node, agents }) => agents.map(({ did, name }) => ({ node, did, name })));
    this.#nodeOf = new Map(all.map(({ did, node }) => [did, node]));
    this.#nameOf = new Map(all.map(({ did, name }) => [did, name]));
    this.#taken = new Set(all.map(({ name }) => wireName(name)));
  }

  /** Whether an agent may be at a node (W1), under the name in its DID (W2, W3). */
  mayHost(node: Did, agent: Did): boolean {
    const home = this.#nodeOf.get(agent);
    if (home !== undefined) return home === node;
    const parsed = parseDidMesh(agent);
    return !parsed.ok || !(this.#taken.has(parsed.value.name) || guestName(parsed.value.name) === OPERATOR);
  }

  /** The name under which this node's policies know a sender. `wire`: the one in its DID. */
  nameOf(agent: Did, wire: string): string {
    return this.#nameOf.get(agent) ?? guestName(wire);
  }

  /** For admission: the same of whoever sends. */
  readonly check: Check = ({ claims, node }) => {
    if (claims.certificate === undefined || this.mayHost(nodeDid(node), claims.from)) return undefined;
    return { code: 'realm.not_its_place', message: `expected ${claims.from} at the node that the roster says` };
  };
}

function guestName(wire: string): string {
  return `${GUESTS}${wire}`;
}
