/** The three events in which an agent's standing becomes visible, in the stream `ring/<agent>`. They tell; the fold of the
 *  agent's own acts decides (rings.ts, N5). */
import type { Ring, Score } from './ring.ts';

export const RING_EVENTS = { endorsed: 'agent.endorsed', promoted: 'ring.promoted', demoted: 'ring.demoted' } as const;

export type RingMoved = { readonly agent: string; readonly from: Ring; readonly to: Ring; readonly score: Score };

export type AgentEndorsed = {
  readonly agent: string;
  readonly ring: Ring;
  readonly trust_floor: Score;
  readonly expires_at: number;
};
