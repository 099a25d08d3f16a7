/** What a link asks of whoever knows the delegations of its node. */
import type { Outgoing } from '../../runtime/actor/remote.ts';
import type { Did } from '../../runtime/codec/did.ts';
import type { Millis } from '../../runtime/core/brand.ts';
import type { Refusal, Result } from '../../runtime/core/result.ts';
import type { Write } from '../../runtime/log/event-log.ts';
import type { Admitted } from '../admit.ts';
import type { Delegation } from '../delegation/delegation.ts';

export type Chains = {
  /** Chains, root first, of which the node of the receiver `to` must know before it gets the message. */
  readonly toShow: (message: Outgoing, to: Did) => readonly (readonly Delegation[])[];
  /** Takes in what another node shows (`DELEGATIONS_MEDIA`); what was refused. Resolves when it can be used. */
  readonly learn: (content: Uint8Array, at: Millis) => Promise<readonly Refusal[]>;
  /** Resolves when what statements have taught is on record, so that checks can build on it. */
  readonly recorded: () => Promise<void>;
  /** What the message's chain pays for it, to be recorded with its acceptance; or why it cannot. Asked in that tick. */
  readonly pay: (admitted: Admitted, at: Millis) => Result<readonly Write[], Refusal>;
};
