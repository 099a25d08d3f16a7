/** `log check-proof`: a proof against a key that came by another way. Opens no log, and believes nothing in the file. */
import { openCheckpoint } from '../../../runtime/codec/checkpoint.ts';
import { sha256 } from '../../../runtime/codec/digest.ts';
import { hashLeaf, verifyInclusion } from '../../../runtime/codec/merkle.ts';
import type { Verifier } from '../../../runtime/codec/note.ts';
import { decodeRecord, digestText, type LogRecord } from '../../../runtime/codec/record.ts';
import { parseTlogProof } from '../../../runtime/codec/tlog-proof.ts';
import { utf8 } from '../../../runtime/core/bytes.ts';
import { CodedError } from '../../../runtime/core/errors.ts';
import { err, ok, type Refusal, type Result } from '../../../runtime/core/result.ts';
import { type Fact, formatFacts } from '../facts.ts';
import { readInput } from '../read-input.ts';
import type { Shell } from '../shell.ts';
import { eventFacts, payloadText } from './event-facts.ts';
import { verifierOf } from './verifier.ts';

type CheckOptions = {
  readonly vkey?: string;
  readonly vkeyFile?: string;
  readonly record?: string;
  readonly json?: boolean;
};

export async function checkProof(shell: Shell, file: string, options: CheckOptions): Promise<void> {
  const verifier = await verifierOf(shell, options);
  if (verifier === undefined) {
    throw new CodedError('usage.invalid', 'expected the key that you trust, --vkey or --vkey-file, found neither');
  }
  const bytes = await readInput(shell, file);
  const record = options.record === undefined ? undefined : await readInput(shell, options.record);
  const verdict = check(bytes, verifier, record);
  if (!verdict.ok) {
    const { code, message } = verdict.error;
    if (options.json === true) await shell.out.write(formatFacts({ ok: false, code, message }, true));
    throw new CodedError(code, message);
  }
  await shell.out.write(options.json === true ? formatFacts(jsonOf(verdict.value), true) : textOf(verdict.value));
}

type Proven = {
  readonly origin: string;
  readonly size: number;
  readonly root: string;
  readonly leaf: ReturnType<typeof hashLeaf>;
  readonly record: LogRecord;
};

/** Cheap and authenticating first: the note, then the path, and only then what the record says. */
function check(bytes: Uint8Array, verifier: Verifier, given: Uint8Array | undefined): Result<Proven, Refusal> {
  const proof = parseTlogProof(bytes);
  if (!proof.ok) return proof;
  const { index, hashes, checkpoint: note, extra } = proof.value;
  const checkpoint = openCheckpoint(note, verifier);
  if (!checkpoint.ok) return checkpoint;
  const { origin, size, root } = checkpoint.value;
  const recordBytes = given ?? extra;
  if (recordBytes === undefined) {
    return err({
      code: 'usage.invalid',
      message: 'expected the record, which this proof does not carry: --record FILE',
    });
  }
  const record = decodeRecord(recordBytes);
  if (!record.ok) return record;
  const leaf = hashLeaf(recordBytes);
  const included = verifyInclusion({ index, size, leaf, root, proof: hashes });
  if (!included.ok) return included;
  if (record.value.index !== index || record.value.origin !== digestText(sha256(utf8(origin)))) {
    const message = `expected the record to name its place, ${index} in ${origin}, found another`;
    return err({ code: 'proof.wrong_record', message });
  }
  return ok({ origin, size, root: digestText(root), leaf, record: record.value });
}

function jsonOf({ origin, size, root, leaf, record }: Proven): { readonly [name: string]: Fact } {
  const event = eventFacts(record, leaf, () => undefined) as { readonly [name: string]: Fact };
  return { ok: true, origin, size, root, index: record.index, record: event };
}

function textOf({ origin, size, root, record }: Proven): string {
  const { index, stream, type, payload } = record;
  const time = new Date(record.wallMs).toISOString();
  return formatFacts(
    { proven: 'yes', origin, index, size, root, time, stream, type, data: payloadText(payload) },
    false,
  );
}
