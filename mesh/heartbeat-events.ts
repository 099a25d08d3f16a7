/**
 * What a node records of who lives, each event in the stream `peer/<token>` of the node that it is about. One sample of
 * every version is kept for ever under `golden/`.
 */
import type { Did } from '../runtime/codec/did.ts';
import type { JsonValue } from '../runtime/codec/json.ts';
import { parseEventType, parseStreamId } from '../runtime/codec/record.ts';
import { unwrap } from '../runtime/core/result.ts';
import type { Death } from './death.ts';
import type { ClockNews } from './heartbeat-clocks.ts';
import type { PeerNews } from './heartbeat-peers.ts';
import { type LinkEvent, PREFIX } from './link/link-events.ts';
import { nodeToken } from './subject.ts';

type Life = { readonly node: Did; readonly epoch: string };

/** Payloads by type, all of version 1. `epoch` names the life that is spoken of. */
export type VitalEvents = {
  /** It was silent for too long, or somebody (`by`) said that it had ended; `by` is null for what this node saw itself. */
  readonly 'peer.suspected': Life & { readonly by: Did | null; readonly cause: Death['cause'] };
  /** It is taken for dead. `replaced` and `left` are final. */
  readonly 'peer.died': Life & { readonly why: 'silent' | 'accused' | 'replaced' | 'left' };
  /** Its clock has come to differ from this node's by more than 2 s, by so many ms; or does no longer. */
  readonly 'peer.clock_differs': Life & { readonly aheadMs: number; readonly differs: boolean };
  /** The same life goes on. */
  readonly 'peer.returned': Life & { readonly after: 'suspicion' | 'death' };
};

export const VITAL_EVENT_TYPES: readonly (keyof VitalEvents)[] = [
  'peer.suspected',
  'peer.died',
  'peer.returned',
  'peer.clock_differs',
];

/** The event that tells of a change, if it is one to be kept; `notice`: what has brought it about. */
export function vitalEvent(news: PeerNews, notice?: Death): LinkEvent | undefined {
  const { node, epoch } = news;
  switch (news.type) {
    case 'joined':
      return undefined;
    case 'suspected':
      return event('peer.suspected', { node, epoch, by: notice?.by ?? null, cause: notice?.cause ?? 'silent' });
    case 'died':
      return event('peer.died', { node, epoch, why: news.why });
    case 'refuted':
      return event('peer.returned', { node, epoch, after: 'suspicion' });
    case 'returned':
      return event('peer.returned', { node, epoch, after: 'death' });
  }
}

/** The event that tells of a clock. */
export function clockEvent({ node, epoch, aheadMs, differs }: ClockNews): LinkEvent {
  return event('peer.clock_differs', { node, epoch, aheadMs, differs });
}

function event<T extends keyof VitalEvents>(type: T, payload: VitalEvents[T]): LinkEvent {
  const value = payload as unknown as JsonValue;
  return {
    stream: unwrap(parseStreamId(`${PREFIX}${nodeToken(payload.node)}`), 'a stream of a node'),
    event: { type: unwrap(parseEventType(type), 'an event type in the source'), payload: { type: 'json', value } },
  };
}
