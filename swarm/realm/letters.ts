/**
 * Letters between the nodes of a realm, where its broker keeps mailboxes: what is told to an agent whose node is away is left
 * there as well, and what waits in this node's own mailbox is taken.
 *
 * L1. A letter is a second way and never the only one: the sender keeps the message until the receiver itself has accepted
 *     it. So of each pair of agents the oldest tell that waits is left, and those behind it wait for it, here.
 * L2. Only what does little harm may wait: a tell of risk class 1 or less, to an agent whose contract uses no tool above that.
 *     A letter carries the chain that its message names. When it is read, that is verified as of then, and pays with the
 *     acceptance: what was revoked or has ended meanwhile is refused, on record.
 * L3. A name in a letter means whom the roster means by it, and nobody else.
 * L4. A letter is given up only after its message is durably accepted, or never will be. What is known by its id is accepted
 *     again without being done again: that is for the receiver's log.
 */
import type { Check } from '../../mesh/admit.ts';
import type { Claims } from '../../mesh/claims.ts';
import { writeDelegations } from '../../mesh/delegation/presentation.ts';
import type { Directory } from '../../mesh/directory.ts';
import { readCertificate } from '../../mesh/hosting.ts';
import { CERTIFICATE_MS_MAX, DEADLINE_MS_MAX } from '../../mesh/limits.ts';
import { JSON_MEDIA, writeBody } from '../../mesh/link/bodies.ts';
import { isLarge } from '../../mesh/link/body-reference.ts';
import type { Chains } from '../../mesh/link/chains.ts';
import type { Identities } from '../../mesh/link/desk.ts';
import { incomingOf } from '../../mesh/link/inbox.ts';
import { linkEvent } from '../../mesh/link/link-events.ts';
import { OwnHead } from '../../mesh/link/log-heads.ts';
import { Names } from '../../mesh/link/names.ts';
import { Recorder } from '../../mesh/link/recorder.ts';
import { type Counts, Tally } from '../../mesh/link/tally.ts';
import { commandOf, readCommand } from '../../mesh/link/words.ts';
import type { Collected, Letter, Mailbox, Receipt } from '../../mesh/mailbox.ts';
import { admitLetter, delegationsIn, type LetterReader, writeLetter } from '../../mesh/mailbox-letter.ts';
import { composeMessage, type SealingNode, sealMessages } from '../../mesh/message.ts';
import { nodeToken } from '../../mesh/subject.ts';
import { type Contract, riskOfMessage } from '../../runtime/actor/contract.ts';
import type { Outgoing, Pay, Receiver } from '../../runtime/actor/remote.ts';
import type { Cid } from '../../runtime/codec/cid.ts';
import type { Did } from '../../runtime/codec/did.ts';
import { parseDidKey } from '../../runtime/codec/did-key.ts';
import { sha256 } from '../../runtime/codec/digest.ts';
import type { PublicKey } from '../../runtime/codec/ed25519.ts';
import { digestText } from '../../runtime/codec/record.ts';
import { assert } from '../../runtime/core/assert.ts';
import type { Millis } from '../../runtime/core/brand.ts';
import { equalBytes, utf8 } from '../../runtime/core/bytes.ts';
import type { Clock } from '../../runtime/core/clock.ts';
import type { Random } from '../../runtime/core/random.ts';
import { ok, type Refusal, unwrap } from '../../runtime/core/result.ts';
import type { EventLog } from '../../runtime/log/event-log.ts';
import { type RealmNode, wireName } from './realm-folder.ts';

export type LettersParts = {
  readonly mailbox: Mailbox;
  readonly realm: RealmNode;
  readonly node: SealingNode;
  readonly identities: Identities;
  /** What the agents of the realm answer, by the agent's name. */
  readonly contractOf: (agent: string) => Contract | undefined;
  readonly directory: Directory;
  readonly checks: readonly Check[];
  /** What knows the delegations of this node; default: nobody asks for any, and what names one is left in no letter. */
  readonly chains?: Chains | undefined;
  /** This node's agents, by names as on the wire. */
  readonly receiver: Pick<Receiver, 'hosts' | 'accept'>;
  readonly log: EventLog;
  readonly clock: Clock;
  readonly random: Random;
};

export class Letters {
  readonly #parts: LettersParts;
  readonly #reader: LetterReader;
  readonly #names: Names;
  readonly #head: OwnHead;
  readonly #recorder: Recorder;
  readonly #refused = new Tally<'anybody'>();
  readonly #nodes: readonly { readonly did: Did; readonly key: PublicKey }[];
  /** Every agent of the roster by its name on the wire, and where it is. */
  readonly #agents: ReadonlyMap<string, { readonly name: string; readonly did: Did; readonly node: Did }>;

  constructor(parts: LettersParts) {
    const { realm, log, clock, random } = parts;
    this.#parts = parts;
    this.#nodes = realm.roster.nodes.map(({ did }) => ({
      did,
      key: unwrap(parseDidKey(did), 'a node’s DID is its key'),
    }));
    const agents = realm.roster.nodes.flatMap(({ did: node, agents: hosted }) =>
      hosted.map(({ name, did }) => [wireName(name), { name, did, node }] as const),
    );
    this.#agents = new Map(agents);
    this.#names = new Names((name) => this.#agents.get(name)?.did); // L3
    this.#head = new OwnHead(log);
    this.#recorder = new Recorder({ log, clock, random });
    this.#reader = this.#readerOf(parts);
  }

  /** Letters that nobody answers for, by code. */
  get refused(): Counts {
    return this.#refused.of('anybody');
  }

  /** Whether this message, with names as agents have them, may be left at all (L2). */
  mayLeave(message: Outgoing): boolean {
    const { kind, to, name, chain, body } = message;
    const contract = this.#parts.contractOf(to);
    const place = this.#agents.get(wireName(to));
    if (place === undefined || place.node === this.#parts.realm.did) return false;
    const isBare = kind === 'tell' && chain.length === 0;
    const isLight = isTame(contract, name) && spelled(contract, name) && hasRoomFor(body);
    return isBare && isLight && this.#shownFor(message, place.did) !== undefined;
  }

  /** The chain that a message names, as it is presented; `undefined` where it is not known here. */
  #shownFor(message: Outgoing, to: Did): Uint8Array | undefined {
    const { delegations = [] } = message;
    if (delegations.length === 0) return new Uint8Array(0);
    const known = this.#parts.chains?.toShow(message, to).find((chain) => chain.at(-1)?.cid === delegations.at(-1));
    return known === undefined ? undefined : writeDelegations(known);
  }

  /** Leaves it, once however often it is called within two minutes.
   *  @throws {CodedError} as `Mailbox.leave` */
  async leave(message: Outgoing, signal: AbortSignal): Promise<'left' | 'known'> {
    const place = this.#agents.get(wireName(message.to));
    assert(place !== undefined && this.mayLeave(message), 'leave: what may be left');
    const id = digestText(sha256(utf8(`${message.from.did} ${message.message}`)));
    return this.#parts.mailbox.leave(nodeToken(place.node), { id, bytes: this.#write(message, place) }, signal);
  }

  /** Takes what waits for this node now.
   *  @throws {CodedError} as `Mailbox.collect`; what the log throws */
  collect(signal: AbortSignal): Promise<Collected> {
    return this.#parts.mailbox.collect((letter) => this.#take(letter), signal);
  }

  #write(outgoing: Outgoing, place: { readonly name: string; readonly did: Did; readonly node: Did }): Uint8Array {
    const { identities, node, clock, random, contractOf, realm } = this.#parts;
    const at = clock.now();
    const from = wireName(outgoing.from.agent);
    const expires = (at + CERTIFICATE_MS_MAX) as Millis;
    const hosting = { agent: outgoing.from.did, node: realm.did, epoch: node.epoch, issued: at, expires };
    const certificate = identities.certify(from, hosting);
    const contract = contractOf(outgoing.to);
    const command = contract === undefined ? undefined : commandOf(contract.name, outgoing.name);
    assert(contract !== undefined && command !== undefined, 'leave: a message of a contract');
    const { cause, correlation, message: id } = outgoing;
    const claims = {
      ...(cause === undefined ? {} : { cause: { index: cause.index, leaf: cause.leaf } }),
      certificate: unwrap(readCertificate(certificate), 'a certificate of an agent of this node').cid,
      ...{ chain: [], command, contract: contract.digest, correlation },
      deadline: Math.min(outgoing.deadline, at + DEADLINE_MS_MAX) as Millis,
      ...{
        delegation: (outgoing.delegations ?? []) as readonly Cid[],
        from: outgoing.from.did,
        head: this.#head.now(),
        id,
        to: place.did,
      },
    };
    const content = unwrap(writeBody(outgoing.body), 'what was committed is data');
    const message = composeMessage({ kind: 'tell', claims, media: JSON_MEDIA, content }, random);
    const to = unwrap(parseDidKey(place.node), 'a node’s DID is its key');
    const [frame] = sealMessages([{ message, route: { type: 'sessionless', to } }], node, at);
    assert(frame !== undefined, 'a frame for each message');
    return writeLetter([...identities.historyOf(from), certificate], frame, this.#shownFor(outgoing, place.did));
  }

  /** L4. */
  async #take(letter: Letter): Promise<Receipt> {
    const { clock, chains } = this.#parts;
    await this.#learnChain(letter);
    const at = clock.now();
    const admitted = admitLetter(letter, at, this.#reader);
    if (!admitted.ok) {
      const refusal = admitted.error;
      if (!refusal.authenticated) {
        this.#refused.count('anybody', refusal.code);
        return 'refused';
      }
      // It belongs here, and its agent has not been started yet.
      if (refusal.code === 'envelope.no_such_agent' && this.#isOfHere(refusal.claims)) return 'later';
      const { code, message: detail, from, message, envelope } = refusal;
      return this.#refuse({ code, detail, from, message }, envelope);
    }
    const incoming = incomingOf(admitted.value, this.#names, at);
    const { claims, message, envelope } = admitted.value;
    const from = this.#nodes.find(({ did }) => nodeToken(did) === letter.from)?.did ?? claims.from;
    if (!incoming.ok) {
      const { code, message: detail } = incoming.error;
      return this.#refuse({ code, detail, from, message }, envelope);
    }
    let unpaid: Refusal | undefined;
    const pay: Pay = () => {
      const paid = chains?.pay(admitted.value, clock.now()) ?? NOTHING_PAID;
      if (!paid.ok) unpaid = paid.error;
      return paid;
    };
    const outcome = await this.#parts.receiver.accept({ ...incoming.value, pay });
    if (unpaid !== undefined) {
      const { code, message: detail } = unpaid;
      return this.#refuse({ code, detail, from, message }, envelope);
    }
    if (outcome.type === 'ok') return 'accepted';
    return outcome.type === 'invalid' || outcome.type === 'denied' ? 'refused' : 'later';
  }

  /** Takes in the chain that a letter shows, once its signature holds: what does not hold is refused when the message is
   *  checked. */
  async #learnChain(letter: Letter): Promise<void> {
    const { clock, chains } = this.#parts;
    const shown = delegationsIn(letter);
    if (chains === undefined || shown.length === 0) return;
    const unchecked = { ...this.#reader, view: { ...this.#reader.view, checks: [] } };
    const at = clock.now();
    if (admitLetter(letter, at, unchecked).ok) await chains.learn(shown, at);
  }

  async #refuse(
    payload: Parameters<typeof linkEvent<'message.refused'>>[2],
    envelope: Parameters<typeof linkEvent>[3],
  ): Promise<Receipt> {
    await this.#recorder.record([linkEvent('message.refused', payload.from, payload, envelope)]);
    return 'refused';
  }

  #isOfHere(claims: Claims | undefined): boolean {
    return [...this.#agents.values()].some(({ did, node }) => did === claims?.to && node === this.#parts.realm.did);
  }

  #readerOf({ node, directory, checks, receiver, contractOf }: LettersParts): LetterReader {
    const hosted = (agent: Did): string | undefined => {
      const name = this.#names.nameOf(agent);
      return name !== undefined && this.#agents.get(name)?.did === agent ? name : undefined;
    };
    return {
      view: {
        key: node.pair.publicKey,
        epoch: node.epoch,
        session: () => undefined,
        sessionless: undefined,
        isHosted: (agent) => {
          const name = hosted(agent);
          return name !== undefined && receiver.hosts(name);
        },
        subject: (did) => directory.subject(did),
        certificate: (certificate) => directory.certificate(certificate),
        isWithdrawn: (certificate) => directory.isWithdrawn(certificate),
        awaited: () => undefined,
        checks,
      },
      peer: (key) => this.#nodes.find((known) => equalBytes(known.key.bytes, key))?.key,
      mayWait: ({ to, command }) => {
        const name = hosted(to);
        const agent = name === undefined ? undefined : this.#agents.get(name)?.name;
        return agent !== undefined && isTame(contractOf(agent), readCommand(command)?.name ?? '');
      },
    };
  }
}

/** L2. Unknown is risky. */
function isTame(contract: Contract | undefined, message: string): boolean {
  if (contract === undefined || riskOfMessage(contract, message) > RISK_MAX) return false;
  return Object.values(contract.spec.uses ?? {}).every(({ risk }) => risk <= RISK_MAX);
}

const RISK_MAX = 1;
const NOTHING_PAID = ok([]);

function spelled(contract: Contract | undefined, name: string): boolean {
  return contract !== undefined && commandOf(contract.name, name) !== undefined;
}

/** A body that travels by digest is fetched from its sender, and nobody knows whether that one still lives by then. */
function hasRoomFor(body: Outgoing['body']): boolean {
  const content = writeBody(body);
  return content.ok && !isLarge(content.value);
}
