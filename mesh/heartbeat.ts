/**
 * Heartbeats: what a node says of itself to all, every few seconds, as a signed statement on the lane of heartbeats. A
 * broadcast has no recipient and no session, so it is no envelope; it obliges nobody and asks for nothing.
 *
 * E1. Only the node itself speaks of itself: its key has signed, alone, and the carrier names the same node.
 * E2. A heartbeat is of now: its moment is at most FRESH_MS_MAX old. What is older says nothing about who lives.
 */
import type { Did } from '../runtime/codec/did.ts';
import type { KeyPair } from '../runtime/codec/ed25519.ts';
import type { DigestText } from '../runtime/codec/record.ts';
import { assert } from '../runtime/core/assert.ts';
import type { Millis } from '../runtime/core/brand.ts';
import { err, ok, type Refusal, type Result } from '../runtime/core/result.ts';
import { bytes, didKey, digest, millis } from './fields.ts';
import { EPOCH_BYTES } from './head.ts';
import { DIRECTORY_MAX, FRESH_MS_MAX, SKEW_MS } from './limits.ts';
import { readStatement, type Statement, writeStatement } from './statement.ts';
import { integer, object, oneOf } from './strict-json.ts';
import { type NodeToken, nodeToken } from './subject.ts';

export type Beat = {
  /** Agents that it hosts. */
  readonly agents: number;
  /** When it was said, on the sender's clock. */
  readonly at: Millis;
  /** Which life of the node: its boot epoch in base64url. */
  readonly epoch: string;
  /** The next will follow after this many milliseconds: how long silence is normal. */
  readonly every: number;
  /** Its log, as of now. */
  readonly head: { readonly origin: DigestText; readonly root: DigestText; readonly size: number };
  /** Messages that wait for its agents, all together. */
  readonly mailbox: number;
  readonly node: Did;
  /** Of this heartbeat in this life, from 0, growing. */
  readonly number: number;
  /** `leaving` is the last word of a life that ends in order. */
  readonly phase: 'up' | 'draining' | 'leaving';
  /** Of what it knows to be revoked: how many statements, and which. */
  readonly revocations: { readonly digest: DigestText; readonly epoch: number };
  /** Milliseconds since the oldest turn under way began, 0 if none is: a hung turn shows. */
  readonly turn: number;
};

/** Two missed ones make a suspect, and the authority lease of 15 s is over before anybody is taken for dead. */
export const BEAT_EVERY_MS = 5_000;
/** What a node may promise: faster is a flood, slower says nothing in time. */
const EVERY_MS_MIN = 50;
const EVERY_MS_MAX = 60_000;

const BEAT = {
  domain: 'iatp-mesh/1/beat',
  shape: object({
    agents: integer(0, DIRECTORY_MAX),
    at: millis,
    epoch: bytes(EPOCH_BYTES),
    every: integer(EVERY_MS_MIN, EVERY_MS_MAX),
    head: object({ origin: digest, root: digest, size: integer(0) }),
    mailbox: integer(0),
    node: didKey,
    number: integer(0),
    phase: oneOf('up', 'draining', 'leaving'),
    revocations: object({ digest, epoch: integer(0) }),
    turn: integer(0),
  }),
} as const;

/** About 900 bytes. `pair` is the node's message key. */
export function writeBeat(beat: Beat, pair: KeyPair): Uint8Array {
  const fault = BEAT.shape.faultIn(beat, '');
  assert(fault === undefined, `writeBeat: ${fault?.expected} at ${fault?.path}`);
  return writeStatement(BEAT.domain, beat, [pair]);
}

/** The heartbeat in `bytes`, which the carrier says came from `carriedFrom` (E1, E2). */
export function readBeat(bytes: Uint8Array, at: Millis, carriedFrom: NodeToken): Result<Beat, BeatRefusal> {
  const read = readStatement(bytes, BEAT);
  if (!read.ok) return read;
  const told = checkTold(read.value, read.value.value.node, at, carriedFrom);
  if (told.ok) return ok(read.value.value);
  const isOfOtherTime = told.error.code === 'beat.future' || told.error.code === 'beat.stale';
  return err({ ...told.error, ...(isOfOtherTime ? { beat: read.value.value } : {}) });
}

/** `beat`: one that its node has signed, and that is only not of now. */
export type BeatRefusal = Refusal & { readonly beat?: Beat };

/** What holds for everything that a node says to all (E1, E2). */
export function checkTold(
  { value, signers }: Statement<{ readonly at: Millis }>,
  by: Did,
  at: Millis,
  carriedFrom: NodeToken,
): Result<true, Refusal> {
  if (signers.size !== 1 || !signers.has(by)) {
    return err({ code: 'beat.wrong_key', message: `expected ${by} alone to have signed` });
  }
  if (nodeToken(by) !== carriedFrom) {
    return err({ code: 'beat.wrong_carrier', message: `expected the carrier to name ${by} as the sender` });
  }
  if (value.at > at + SKEW_MS) {
    const message = `expected it to be said before ${at}, found ${value.at - at} ms after`;
    return err({ code: 'beat.future', message });
  }
  if (at - value.at > FRESH_MS_MAX) {
    const message = `expected it to be said within ${FRESH_MS_MAX} ms of ${at}, found ${at - value.at} ms before`;
    return err({ code: 'beat.stale', message });
  }
  return ok(true);
}
