/** The events in which an agent's standing becomes visible, in the stream `ring/<agent>`. Promotions and demotions tell; the
 *  fold of the agent's own acts, and of what operators granted, decides (rings.ts, N5). The payload of `elevated` is an
 *  `Elevation`: recorded once `Rings.elevate` has taken it, and folded by giving it to `elevate` again, at the record's time. */
import type { Did } from '../codec/did.ts';
import type { Ring, Score } from './ring.ts';

export const RING_EVENTS = {
  endorsed: 'agent.endorsed',
  elevated: 'ring.elevated',
  promoted: 'ring.promoted',
  demoted: 'ring.demoted',
} as const;

export type RingMoved = { readonly agent: string; readonly from: Ring; readonly to: Ring; readonly score: Score };

export type AgentEndorsed = {
  readonly agent: string;
  /** Its identity, where it has one of its own. */
  readonly did?: Did;
  readonly ring: Ring;
  readonly trust_floor: Score;
  readonly expires_at: number;
};
