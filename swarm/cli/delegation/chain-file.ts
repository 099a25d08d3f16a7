/** Chains in files: tokens, root first, one to a line. And whom the user named, by DID or by a folder of keys. */
import { existsSync } from 'node:fs';
import { type Delegation, readDelegation } from '../../../mesh/delegation/delegation.ts';
import { keySubject, type Subject } from '../../../mesh/hosting.ts';
import type { Identity } from '../../../mesh/identity.ts';
import { readKeyFolder } from '../../../mesh/key-folder.ts';
import { DELEGATION_CHAIN_MAX } from '../../../mesh/limits.ts';
import { type Did, parseDid } from '../../../runtime/codec/did.ts';
import { CodedError } from '../../../runtime/core/errors.ts';
import type { Refusal, Result } from '../../../runtime/core/result.ts';
import { readInput } from '../read-input.ts';
import type { Shell } from '../shell.ts';

/** Resolves a did:key by itself, and a did:mesh by the folders that were named. */
export function resolverOf(folders: readonly string[]): (did: Did) => Subject | undefined {
  const known = new Map<Did, Identity>();
  for (const folder of folders) {
    const { identity } = readKeyFolder(folder);
    if (identity !== undefined) known.set(identity.did, identity);
  }
  return (did) => {
    const identity = known.get(did);
    if (identity !== undefined) return { type: 'mesh', identity };
    const key = keySubject(did);
    return key.ok ? key.value : undefined;
  };
}

/** @throws `file.not_found` · `input.malformed` · `jwt.*` and `delegation.*` with exit 5: a token that does not hold */
export async function readChain(
  shell: Shell,
  path: string,
  resolve: (did: Did) => Subject | undefined,
): Promise<readonly Delegation[]> {
  const text = Buffer.from(await readInput(shell, path)).toString('utf8');
  const tokens = text.split('\n').filter((line) => line !== '');
  if (tokens.length === 0 || tokens.length > DELEGATION_CHAIN_MAX) {
    throw new CodedError('input.malformed', `expected 1 to ${DELEGATION_CHAIN_MAX} tokens, one to a line, in ${path}`);
  }
  const chain: Delegation[] = [];
  for (const token of tokens) chain.push(orUnsound(await readDelegation(token, resolve)));
  return chain;
}

/** The DID in `text`, or of the keys in the folder of that name. @throws `did.malformed` · `key.*` */
export function didNamed(text: string): Did {
  if (existsSync(text)) return readKeyFolder(text).did;
  return orThrow(parseDid(text));
}

/** @throws the refusal as an error, exit 2 */
export function orThrow<T>(result: Result<T, Refusal>): T {
  if (result.ok) return result.value;
  throw new CodedError(result.error.code, result.error.message);
}

/** @throws the refusal as a finding, exit 5 */
function orUnsound<T>(result: Result<T, Refusal>): T {
  if (result.ok) return result.value;
  throw new UnsoundChain(result.error);
}

/** What was verified does not hold: `exit` is 5 whatever the code. */
export class UnsoundChain extends CodedError {
  override readonly name = 'UnsoundChain';
  readonly exit = 5;
  constructor(refusal: Refusal) {
    super(refusal.code, refusal.message);
  }
}
