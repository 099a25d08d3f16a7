/**
 * The events of links between nodes, each in the stream `peer/<token>` of the node that it is about. One sample of every
 * version is kept for ever under `golden/`.
 */
import type { Did } from '../../runtime/codec/did.ts';
import type { JsonValue } from '../../runtime/codec/json.ts';
import { type DigestText, parseEventType, parseStreamId, type StreamId } from '../../runtime/codec/record.ts';
import { unwrap } from '../../runtime/core/result.ts';
import type { NewEvent } from '../../runtime/log/event-log.ts';
import { nodeToken } from '../subject.ts';
import type { LogHead } from './heads.ts';

type Head = { readonly origin: string; readonly root: string; readonly size: number };

/** Payloads by type, all of version 1. */
export type LinkEvents = {
  /** A session has begun: a node in one life of it. */
  readonly 'peer.met': { readonly node: Did; readonly epoch: string; readonly encrypted: boolean; readonly head: Head };
  /** It has said that it ends. */
  readonly 'peer.left': { readonly node: Did };
  /** What it states of its log, once a second at most while it grows. */
  readonly 'peer.head_seen': { readonly node: Did; readonly head: Head };
  /** Two statements of it about its log that cannot both be true. */
  readonly 'peer.split_view': { readonly node: Did; readonly heard: Head; readonly said: Head };
  /** A message that it certainly sent, and that was not let in. */
  readonly 'message.refused': {
    readonly code: string;
    readonly detail: string;
    readonly from: Did;
    readonly message: string;
  };
  /** The same, where they are too many to be recorded one by one. */
  readonly 'message.refused_many': { readonly node: Did; readonly counts: { readonly [code: string]: number } };
  /** Two agents have one name; the one that is kept is meant by it. */
  readonly 'name.disputed': {
    readonly name: string;
    readonly kept: Did;
    readonly refused: Did;
    readonly node: Did;
  };
};

export type LinkEventType = keyof LinkEvents;

export const LINK_EVENT_TYPES: readonly LinkEventType[] = [
  'peer.met',
  'peer.left',
  'peer.head_seen',
  'peer.split_view',
  'message.refused',
  'message.refused_many',
  'name.disputed',
];

/** An event about a node, without its id and actor. */
export type LinkEvent = {
  readonly stream: StreamId;
  readonly event: Omit<NewEvent, 'id' | 'actor'>;
};

export function linkEvent<T extends LinkEventType>(
  type: T,
  node: Did,
  payload: LinkEvents[T],
  envelope?: DigestText,
): LinkEvent {
  return {
    stream: unwrap(parseStreamId(`${PREFIX}${nodeToken(node)}`), 'a stream of a node'),
    event: {
      type: unwrap(parseEventType(type), 'an event type in the source'),
      payload: { type: 'json', value: payload as JsonValue },
      ...(envelope === undefined ? {} : { envelope }),
    },
  };
}

/** The head that a record of type `peer.head_seen` or `peer.met` holds; the latter says in which life it was stated. */
export function headIn(value: JsonValue): { readonly node: Did; readonly head: LogHead; readonly epoch?: string } {
  return value as unknown as ReturnType<typeof headIn>;
}

/** Streams about nodes begin so. */
export const PREFIX = 'peer/';
