/** The identities of a node's agents, from the folders of their keys: what the mesh asks of whoever keeps keys. */
import { writeCard } from '../../mesh/agent-card.ts';
import { writeCertificate } from '../../mesh/hosting.ts';
import type { Identity } from '../../mesh/identity.ts';
import { openAgentKeys } from '../../mesh/key-folder.ts';
import type { Identities } from '../../mesh/link/desk.ts';
import { spell } from '../../mesh/link/words.ts';
import type { Contract } from '../../runtime/actor/contract.ts';
import type { Did } from '../../runtime/codec/did.ts';
import type { KeyPair } from '../../runtime/codec/ed25519.ts';
import type { Millis } from '../../runtime/core/brand.ts';
import type { Clock } from '../../runtime/core/clock.ts';
import { CodedError } from '../../runtime/core/errors.ts';
import { wireName } from './realm-folder.ts';

/** A card lasts as long as a process may run without a renewal of its agents' certificates, and much longer. */
const CARD_MS = 30 * 24 * 60 * 60 * 1000;

/** By names as on the wire. `contractOf` takes an agent's own name. */
export class FolderIdentities implements Identities {
  readonly #agents: ReadonlyMap<string, { readonly identity: Identity; readonly key: KeyPair }>;
  readonly #contractOf: (agent: string) => Contract | undefined;
  readonly #clock: Clock;

  /** @throws {CodedError} as `openAgentKeys` */
  constructor(folders: ReadonlyMap<string, string>, contractOf: (agent: string) => Contract | undefined, clock: Clock) {
    this.#agents = new Map([...folders].map(([agent, folder]) => [wireName(agent), openAgentKeys(folder)]));
    const contracts = new Map([...folders.keys()].map((agent) => [wireName(agent), contractOf(agent)]));
    this.#contractOf = (name) => contracts.get(name);
    this.#clock = clock;
  }

  didOf(agent: string): Did | undefined {
    return this.#agents.get(agent)?.identity.did;
  }

  historyOf(agent: string): readonly Uint8Array[] {
    return this.#of(agent).identity.history;
  }

  cardOf(agent: string): Uint8Array {
    const { identity, key } = this.#of(agent);
    const contract = this.#contractOf(agent);
    const trust = contract?.spec.needs?.trust;
    const issued = this.#clock.now();
    const card = {
      agent: identity.did,
      contracts: contract === undefined ? [] : [offerOf(contract)],
      description: `${contract?.name ?? 'agent'} ${agent}`,
      endorsements: [],
      expires: (issued + CARD_MS) as Millis,
      issued,
      name: agent,
      needs: trust === undefined ? {} : { trust },
      revision: issued,
      version: '1',
    };
    return writeCard(card, key);
  }

  certify(agent: string, hosting: Parameters<Identities['certify']>[1]): Uint8Array {
    return writeCertificate(hosting, this.#of(agent).key);
  }

  #of(agent: string) {
    const found = this.#agents.get(agent);
    if (found === undefined) throw new CodedError('key.not_found', `expected the keys of ${agent}, found none`);
    return found;
  }
}

/** What a card says of a contract. Messages that no command can name cannot be sent between nodes, and are left out. */
function offerOf({ name, digest, spec }: Contract) {
  const messages = Object.keys(spec.messages).flatMap((message) => {
    const spelled = spell(message);
    return spelled === undefined ? [] : [{ name: spelled, description: message }];
  });
  return { name, digest, messages };
}
