/**
 * What was taken back in a realm, beside its keys: so that whoever signs roots there, without any node's log, signs none of it
 * again, and a node that was away hears of it when it starts.
 *
 *     revoked/<digest of target and signers>       a statement
 *
 * It is a memory of `ringmesh revoke`, not the realm's word: each statement counts by its own signature.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Revocation, readRevocation } from '../../mesh/revocation/revocation.ts';
import type { Statement } from '../../mesh/statement.ts';
import { sha256 } from '../../runtime/codec/digest.ts';
import { toBase64url, utf8 } from '../../runtime/core/bytes.ts';
import { CodedError } from '../../runtime/core/errors.ts';
import { replaceFile } from '../../runtime/log/durable-file.ts';

/** On disk when it resolves. The same said again is kept once.
 *  @throws {CodedError} `statement.*` */
export async function keepRevoked(directory: string, statement: Uint8Array): Promise<void> {
  const { value, signers } = readOrThrow(statement, 'what was signed');
  const folder = join(directory, FOLDER);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const name = toBase64url(sha256(utf8([value.target, ...signers.keys()].join(' '))));
  await replaceFile(join(folder, name), statement);
}

/** @throws {CodedError} `statement.*`: what is there was changed */
export function readRevoked(directory: string): readonly Statement<Revocation>[] {
  const folder = join(directory, FOLDER);
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder).filter((name) => NAME.test(name));
  return names.map((name) => readOrThrow(readFileSync(join(folder, name)), join(folder, name)));
}

const FOLDER = 'revoked';
/** Not one that a power cut left half written. */
const NAME = /^[\w-]{43}$/;

function readOrThrow(bytes: Uint8Array, what: string): Statement<Revocation> {
  const read = readRevocation(bytes);
  if (!read.ok) throw new CodedError(read.error.code, `${what}: ${read.error.message}`);
  return read.value;
}
