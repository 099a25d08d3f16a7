/**
 * `log prove`: a proof that an event is in the log, to be given away.
 *
 * What is printed has been checked as its receiver will check it, so a damaged log gives no proof instead of a bad one.
 */
import { openCheckpoint } from '../../../runtime/codec/checkpoint.ts';
import { hashLeaf, verifyInclusion } from '../../../runtime/codec/merkle.ts';
import { formatTlogProof, type TlogProof } from '../../../runtime/codec/tlog-proof.ts';
import { view } from '../../../runtime/core/bytes.ts';
import { CodedError } from '../../../runtime/core/errors.ts';
import type { Refusal, Result } from '../../../runtime/core/result.ts';
import { openLog, openStoreForReading } from '../../../runtime/log/log-directory.ts';
import { recoverTree } from '../../../runtime/log/recover.ts';
import type { Shell } from '../shell.ts';
import { openOptions, systemPorts, type WritingOptions } from './place.ts';

type ProveOptions = WritingOptions & { readonly size?: number };

export async function prove(shell: Shell, directory: string, index: number, options: ProveOptions): Promise<void> {
  let proof = await proofAt(directory, index, options.size);
  if (proof === undefined) {
    await sign(shell, directory, options);
    proof = await proofAt(directory, index, options.size);
  }
  if (proof === undefined) throw new CodedError('checkpoint.not_found', `expected a checkpoint that covers ${index}`);
  await shell.out.write(view(formatTlogProof(proof)).toString('utf8'));
}

/** The proof against the checkpoint of that size, or else the newest; `undefined` while none covers the event. */
async function proofAt(directory: string, index: number, size: number | undefined): Promise<TlogProof | undefined> {
  const { store, verifier } = await openStoreForReading(directory);
  await using _ = store;
  const tree = recoverTree(store);
  const end = size ?? tree.size;
  if (index >= Math.min(end, tree.size)) {
    throw new CodedError('log.out_of_range', `expected an index below ${Math.min(end, tree.size)}, found ${index}`);
  }
  const signed = newest(store.checkpoints(), size);
  if (signed === undefined || signed.size <= index) {
    if (size === undefined) return undefined;
    throw new CodedError('checkpoint.not_found', `expected a checkpoint signed at size ${size}, found none`);
  }
  const { root } = orThrow(openCheckpoint(signed.note, verifier));
  const [record] = store.records(index, index + 1);
  if (record === undefined) throw new CodedError('log.damaged', `record ${index}: expected a record, found none`);
  const hashes = tree.inclusionProof(index, signed.size);
  orThrow(verifyInclusion({ index, size: signed.size, leaf: hashLeaf(record), root, proof: hashes }));
  return { index, hashes, checkpoint: signed.note, extra: record };
}

function newest(
  checkpoints: Iterable<{ readonly size: number; readonly note: Uint8Array }>,
  size: number | undefined,
): { readonly size: number; readonly note: Uint8Array } | undefined {
  for (const signed of checkpoints) {
    if (size === undefined || signed.size === size) return signed;
    if (signed.size < size) return undefined;
  }
  return undefined;
}

/** A writer that was killed has left events that nothing signed covers yet. */
async function sign(shell: Shell, directory: string, options: ProveOptions): Promise<void> {
  await using log = await openLog(directory, openOptions(options, shell.env), systemPorts());
  await log.checkpoint();
}

function orThrow<T>(result: Result<T, Refusal>): T {
  if (result.ok) return result.value;
  throw new CodedError(result.error.code, result.error.message);
}
