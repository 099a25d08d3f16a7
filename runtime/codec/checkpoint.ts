/**
 * Checkpoints, c2sp.org/tlog-checkpoint: a log's signed word on how long it is and what its root is. The text is three lines,
 * origin, size and root; ours has no extension lines, and one that has any is not ours.
 */
import { assert } from '../core/assert.ts';
import type { Brand } from '../core/brand.ts';
import { equalBytes } from '../core/bytes.ts';
import { err, ok, type Refusal, type Result, unwrap } from '../core/result.ts';
import { type Digest, parseDigest } from './digest.ts';
import { EMPTY_ROOT } from './merkle.ts';
import { fromBase64, openNote, type Signer, signNote, toBase64, type Verifier } from './note.ts';

/** The name of one log: `<realm>/<node>/log/<epoch>`. Also the name of the key that signs its checkpoints and nothing else. */
export type Origin = Brand<`${string}/${string}/log/${number}`, 'Origin'>;

/** The first `size` records of the log `origin` have the root `root`. Anyone may say so. */
export type TreeHead = { readonly origin: string; readonly size: number; readonly root: Digest };

/** A tree head that its log has signed: only `openCheckpoint` makes one, so that no proof is checked against a rumour. */
export type Checkpoint = Brand<TreeHead, 'Checkpoint'>;

/** Realm and node are 1 to 63 of `a-z 0-9 . _ -`, beginning with a letter or digit; the epoch is a decimal integer. */
export function parseOrigin(text: string): Result<Origin, Refusal> {
  const [, epoch] = ORIGIN.exec(text) ?? [];
  if (epoch !== undefined && Number.isSafeInteger(Number(epoch))) return ok(text as Origin);
  return err({ code: 'origin.malformed', message: 'expected <realm>/<node>/log/<epoch>' });
}

/** The log that takes over when this one can no longer be proved complete. */
export function nextEpoch(origin: Origin): Origin {
  const at = origin.lastIndexOf('/') + 1;
  return unwrap(parseOrigin(origin.slice(0, at) + (Number(origin.slice(at)) + 1)), 'an epoch has a next one');
}

/** The checkpoint as a signed note. Call it only when the records are durable and no inconsistent head was ever signed. */
export function signCheckpoint({ origin, size, root }: TreeHead, signer: Signer): Uint8Array {
  assert(origin === signer.name, 'signCheckpoint: the key of the origin');
  assert(Number.isSafeInteger(size) && size >= 0, 'signCheckpoint: a size');
  assert(size > 0 || equalBytes(root, EMPTY_ROOT), 'signCheckpoint: the empty root for the empty tree');
  return signNote(`${origin}\n${size}\n${toBase64(root)}\n`, signer);
}

/** What the log of `verifier` says of itself, or why these bytes are not its checkpoint. Other signatures are ignored. */
export function openCheckpoint(bytes: Uint8Array, verifier: Verifier): Result<Checkpoint, Refusal> {
  const note = openNote(bytes, [verifier]);
  if (!note.ok) return note;
  const [origin, sizeText, rootText, ...rest] = note.value.text.split('\n');
  if (origin !== verifier.name) {
    return err({ code: 'checkpoint.wrong_origin', message: `expected the origin ${verifier.name}, found another` });
  }
  if (rest.length !== 1) return malformed('three lines');
  const size = DECIMAL.test(sizeText ?? '') ? Number(sizeText) : Number.NaN;
  if (!Number.isSafeInteger(size)) return malformed('a size in decimal digits, below 2^53');
  const root = parseDigest(fromBase64(rootText ?? '') ?? new Uint8Array(0));
  if (!root.ok) return malformed('a root of 32 bytes in base64');
  if (size === 0 && !equalBytes(root.value, EMPTY_ROOT)) return malformed('the empty root for the empty tree');
  return ok({ origin, size, root: root.value } as TreeHead as Checkpoint);
}

const SEGMENT = '[a-z0-9][a-z0-9._-]{0,62}';
const INTEGER = '0|[1-9][0-9]{0,15}';
const ORIGIN = new RegExp(`^${SEGMENT}/${SEGMENT}/log/(${INTEGER})$`);
const DECIMAL = new RegExp(`^(?:${INTEGER})$`);

function malformed(expected: string): Result<never, Refusal> {
  return err({ code: 'checkpoint.malformed', message: `expected ${expected}` });
}
