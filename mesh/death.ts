/**
 * Death notices: one node says to all that a certain life of another node has ended, because it saw its process end. Whoever
 * hears it suspects that life at once and does not wait for silence to grow; the accused refutes by its next heartbeat.
 * So a false notice costs a moment, and a notice of an earlier life does nothing to the one that goes on.
 */
import type { Did } from '../runtime/codec/did.ts';
import type { KeyPair } from '../runtime/codec/ed25519.ts';
import { assert } from '../runtime/core/assert.ts';
import type { Millis } from '../runtime/core/brand.ts';
import { err, ok, type Result } from '../runtime/core/result.ts';
import { bytes, didKey, millis } from './fields.ts';
import { EPOCH_BYTES } from './head.ts';
import { type Beat, type BeatRefusal, checkTold, readBeat } from './heartbeat.ts';
import { claimedType, readStatement, writeStatement } from './statement.ts';
import { object, oneOf } from './strict-json.ts';
import type { NodeToken } from './subject.ts';

export type Death = {
  readonly at: Millis;
  /** Who says so. */
  readonly by: Did;
  /** What was seen: the process exited, was killed, or does not answer. */
  readonly cause: 'exited' | 'killed' | 'silent';
  /** Which life: the boot epoch in base64url. */
  readonly epoch: string;
  readonly node: Did;
};

const DEATH = {
  domain: 'iatp-mesh/1/death',
  shape: object({
    at: millis,
    by: didKey,
    cause: oneOf('exited', 'killed', 'silent'),
    epoch: bytes(EPOCH_BYTES),
    node: didKey,
  }),
} as const;

/** `pair` is the message key of `by`. */
export function writeDeath(death: Death, pair: KeyPair): Uint8Array {
  const fault = DEATH.shape.faultIn(death, '');
  assert(fault === undefined, `writeDeath: ${fault?.expected} at ${fault?.path}`);
  return writeStatement(DEATH.domain, death, [pair]);
}

/** What a node said to all on the lane of heartbeats. */
export type Told = { readonly type: 'beat'; readonly beat: Beat } | { readonly type: 'death'; readonly death: Death };

/** The heartbeat or death notice in `bytes`, which the carrier says came from `carriedFrom`. */
export function readTold(bytes: Uint8Array, at: Millis, carriedFrom: NodeToken): Result<Told, BeatRefusal> {
  if (claimedType(bytes) !== DEATH.domain) {
    const beat = readBeat(bytes, at, carriedFrom);
    return beat.ok ? ok({ type: 'beat', beat: beat.value }) : beat;
  }
  const read = readStatement(bytes, DEATH);
  if (!read.ok) return read;
  const death = read.value.value;
  const told = checkTold(read.value, death.by, at, carriedFrom);
  if (!told.ok) return told;
  if (death.by === death.node) return err({ code: 'beat.wrong_key', message: 'expected another node to say so' });
  return ok({ type: 'death', death });
}
