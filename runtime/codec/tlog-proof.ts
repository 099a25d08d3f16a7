/**
 * Proofs that travel, c2sp.org/tlog-proof@v1: an index, the path from that leaf to a root, and the checkpoint that signs the
 * root, as lines of text that anyone can check offline against the log's verifier key.
 *
 * The record itself may come along as the format's extra data. Nobody has signed that, and nobody need have: its leaf hash
 * either is on the path or it is not.
 */
import { assert } from '../core/assert.ts';
import { concat, utf8, view } from '../core/bytes.ts';
import { NOTE_BYTES_MAX, PROOF_HASHES_MAX, RECORD_BYTES_MAX } from '../core/limits.ts';
import { err, ok, type Refusal, type Result } from '../core/result.ts';
import { type Digest, parseDigest } from './digest.ts';
import { fromBase64, toBase64 } from './note.ts';

export type TlogProof = {
  readonly index: number;
  /** From the leaf's sibling up (RFC 6962 section 2.1.1). */
  readonly hashes: readonly Digest[];
  /** The signed note, not yet opened. */
  readonly checkpoint: Uint8Array;
  /** Not authenticated by the format. Here: the bytes of the record. */
  readonly extra?: Uint8Array;
};

export function formatTlogProof({ index, hashes, checkpoint, extra }: TlogProof): Uint8Array {
  assert(Number.isSafeInteger(index) && index >= 0, 'formatTlogProof: an index');
  const lines = [
    HEADER,
    ...(extra === undefined ? [] : [`extra ${toBase64(extra)}`]),
    `index ${index}`,
    ...hashes.map(toBase64),
  ];
  return concat(utf8(`${lines.join('\n')}\n\n`), checkpoint);
}

/** Accepts what `formatTlogProof` writes, with any note for a checkpoint. The refusal's offset is that of the line. */
export function parseTlogProof(bytes: Uint8Array): Result<TlogProof, Refusal<'proof.malformed'>> {
  if (bytes.length > PROOF_BYTES_MAX) return malformed(`at most ${PROOF_BYTES_MAX} bytes`, PROOF_BYTES_MAX);
  const blank = view(bytes).indexOf('\n\n');
  if (blank === -1) return malformed('an empty line before the checkpoint', bytes.length);
  const lines = view(bytes).toString('latin1', 0, blank).split('\n');
  let [at, offset] = [0, 0];
  const take = (prefix: string): string | undefined => {
    const line = lines[at];
    if (line?.startsWith(prefix) !== true) return undefined;
    at += 1;
    offset += line.length + 1;
    return line.slice(prefix.length);
  };

  if (take(HEADER) !== '') return malformed(`the line ${HEADER}`, 0);
  const extraAt = offset;
  const extraText = take('extra ');
  const extra = extraText === undefined ? undefined : fromBase64(extraText);
  if (extraText !== undefined && extra === undefined) return malformed('base64 after "extra "', extraAt);
  const indexAt = offset;
  const index = take('index ') ?? '';
  if (!DECIMAL.test(index) || !Number.isSafeInteger(Number(index))) {
    return malformed('"index " and a decimal number', indexAt);
  }
  const hashes: Digest[] = [];
  for (let hashAt = offset, line = take(''); line !== undefined; hashAt = offset, line = take('')) {
    const hash = parseDigest(fromBase64(line) ?? new Uint8Array(0));
    if (!hash.ok) return malformed('a hash of 32 bytes in base64', hashAt);
    if (hashes.push(hash.value) > PROOF_HASHES_MAX) return malformed(`at most ${PROOF_HASHES_MAX} hashes`, hashAt);
  }
  const checkpoint = bytes.subarray(blank + 2);
  return ok({ index: Number(index), hashes, checkpoint, ...(extra === undefined ? {} : { extra }) });
}

const HEADER = 'c2sp.org/tlog-proof@v1';
const DECIMAL = /^(?:0|[1-9][0-9]*)$/;

/** A record in base64, a path and a note, and as much again for the lines around them. */
const PROOF_BYTES_MAX = 2 * (2 * RECORD_BYTES_MAX + 64 * PROOF_HASHES_MAX + NOTE_BYTES_MAX);

function malformed(expected: string, offset: number): Result<never, Refusal<'proof.malformed'>> {
  return err({ code: 'proof.malformed', message: `expected ${expected}`, offset });
}
