/**
 * How messages that are ready together leave: one signature, and one message of the carrier for each node, where that is
 * possible. A bundle is a whole batch for one node; so nodes that get several messages get a bundle each, and those that get
 * one each share a batch of frames.
 */
import type { Millis } from '../../runtime/core/brand.ts';
import { HEAD_BYTES } from '../head.ts';
import { BUNDLE_BYTES_MAX } from '../limits.ts';
import { type Message, type SealingNode, sealMessages, sealMessagesAsBundle } from '../message.ts';
import type { Session } from '../session.ts';
import type { Lane, NodeToken } from '../subject.ts';

/** A message, and the session over which it goes; pieces of large bodies on a lane of their own. */
export type Parcel = { readonly message: Message; readonly session: Session; readonly lane?: 'body' | undefined };

/** What the carrier is given. */
export type Packet = { readonly lane: Lane; readonly to: NodeToken; readonly bytes: Uint8Array };

/** `batchMax`: messages under one signature, 1 to SEAL_BATCH_MAX. */
type Bounds = { readonly at: Millis; readonly bytesMax: number; readonly batchMax: number };

/** Seals all of it. Within a session the order is kept. */
export function pack(
  parcels: readonly Parcel[],
  node: SealingNode,
  { at, bytesMax, batchMax }: Bounds,
): readonly Packet[] {
  const bySession = Map.groupBy(parcels, ({ session }) => session);
  const packets: Packet[] = [];
  const single: Parcel[] = [];
  for (const ofOne of bySession.values()) {
    for (const group of split(ofOne, Math.min(bytesMax, BUNDLE_BYTES_MAX), batchMax)) {
      const [first] = group;
      if (first === undefined) continue;
      if (group.length === 1) single.push(first);
      else packets.push({ ...addressOf(group, first), bytes: sealMessagesAsBundle(group.map(routed), node, at) });
    }
  }
  for (let from = 0; from < single.length; from += batchMax) {
    const batch = single.slice(from, from + batchMax);
    const frames = sealMessages(batch.map(routed), node, at);
    for (const [index, bytes] of frames.entries()) {
      const parcel = batch[index];
      if (parcel !== undefined) packets.push({ ...addressOf([parcel], parcel), bytes });
    }
  }
  return packets;
}

/** Salt, tag, lengths: what a message has in a bundle beside head, claims and content. */
const EXTRA_BYTES = 64;
const BUNDLE_START_BYTES = 72;

/** Consecutive groups, each within the bounds of a bundle. */
function split(parcels: readonly Parcel[], bytesMax: number, batchMax: number): readonly (readonly Parcel[])[] {
  const groups: Parcel[][] = [];
  let bytes = 0;
  for (const parcel of parcels) {
    const more = HEAD_BYTES + EXTRA_BYTES + parcel.message.claims.length + parcel.message.content.length;
    const last = groups.at(-1);
    if (last !== undefined && last.length < batchMax && bytes + more <= bytesMax) {
      last.push(parcel);
      bytes += more;
    } else {
      groups.push([parcel]);
      bytes = BUNDLE_START_BYTES + more;
    }
  }
  return groups;
}

/** What travels together goes on one lane: that of requests, if there is one among it. */
function addressOf(group: readonly Parcel[], { session, lane: own }: Parcel): Omit<Packet, 'bytes'> {
  if (own !== undefined) return { lane: own, to: session.peerToken };
  const kinds = new Set(group.map(({ message }) => message.kind));
  const lane = kinds.has('ask') ? 'ask' : kinds.has('tell') ? 'tell' : kinds.has('present') ? 'hand' : 'answer';
  return { lane: lane === 'hand' && group.length > 1 ? 'answer' : lane, to: session.peerToken };
}

function routed({ message, session }: Parcel): {
  readonly message: Message;
  readonly route: { readonly type: 'session'; readonly session: Session };
} {
  return { message, route: { type: 'session', session } };
}
