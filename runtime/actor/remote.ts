/**
 * The seam between a node's agents and those of other nodes. What is behind it (envelopes, brokers, certificates) is not
 * known here; what crosses it has been verified by whoever hands it over.
 *
 * M1. A message that leaves has been decided and is on disk here before `Remote` hears of it.
 * M2. A message that arrives is accepted by one append before anybody is told so, and once: whoever sends it again gets the
 *     recorded answer, or waits for the one to come.
 */
import type { Cid } from '../codec/cid.ts';
import type { Did } from '../codec/did.ts';
import type { JsonValue } from '../codec/json.ts';
import type { Cause, DigestText, EventId } from '../codec/record.ts';
import type { Refusal, Result } from '../core/result.ts';
import { eventIdOf } from '../kernel/event-id.ts';
import type { Outcome } from '../kernel/outcome.ts';
import type { Write } from '../log/event-log.ts';

/** A message between agents of two nodes, as either has it. */
type Crossing = {
  /** Chosen by the sender; the same however often it is sent. Two senders may choose the same. */
  readonly message: EventId;
  readonly kind: 'ask' | 'tell';
  /** The sender, by the name and the DID that it has on its node. */
  readonly from: { readonly agent: string; readonly did: Did };
  /** The recipient, by name. */
  readonly to: string;
  readonly name: string;
  readonly body: JsonValue;
  /** Who is already waiting, outermost first, by name. */
  readonly chain: readonly string[];
  /** Wall milliseconds: after this nobody wants the answer, or the message is too old to be delivered. */
  readonly deadline: number;
  readonly correlation: EventId;
  /** The event that decided it, in the sender's log. */
  readonly cause?: Cause;
};

/** A message for an agent that this node does not host. */
export type Outgoing = Crossing & {
  readonly contract: string;
  /** The chain under which its sender may send it, root first, as its cause has it. */
  readonly delegations?: readonly string[];
};

/** A message from an agent of another node, verified. */
export type Incoming = Crossing & {
  /** Names the envelope that brought it, in the record of its acceptance. */
  readonly envelope: DigestText;
  /** The chain under which it may do so, root first. */
  readonly delegation: readonly Cid[];
  /** What accepting it takes of that chain, or why it cannot: asked in the tick that accepts it, once, and recorded in the
   *  same append. Default: nothing. */
  readonly pay?: Pay;
};

/** The id under which a node accepts a message of another: no other sender can have chosen it, and whoever reads both logs finds
 *  one by the other. */
export function arrivalIdOf(sender: Did, message: string): EventId {
  return eventIdOf('remote', sender, message);
}

/** What is to be recorded with an acceptance for what it costs. */
export type Pay = () => Result<readonly Write[], Refusal>;

/** How a node reaches agents that it does not host. */
export interface Remote {
  /** The contract and DID of an agent that some other node says it hosts. */
  find(agent: string): { readonly contract: string; readonly did: Did } | undefined;
  /** The answer; or `busy`, `timeout`, `died`, where there is none. Whether it happened is then not known. */
  ask(message: Outgoing, signal: AbortSignal): Promise<Outcome>;
  /** `ok` once the other node has durably accepted it; `invalid` or `denied` when it never will. */
  tell(message: Outgoing, signal: AbortSignal): Promise<Outcome>;
}

/** What a node offers to whoever brings it messages from elsewhere. */
export interface Receiver {
  /** Whether it lives here, or has ended and waits to hear that its last words were heard. */
  hosts(agent: string): boolean;
  /** `ok` with the id of the acceptance, once it is on disk; or why not. */
  accept(message: Incoming): Promise<Outcome<null>>;
  /** The same, and then the agent's answer, which is on disk. */
  answer(message: Incoming): Promise<Outcome>;
  /** An agent elsewhere is out of reach, or has ended: whoever watches it hears of it. */
  gone(agent: string): void;
}
