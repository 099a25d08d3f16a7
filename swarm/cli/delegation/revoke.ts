/** `revoke`: a signed statement, on stdout. */
import { parseRevocable, readRevocation, writeRevocationOf } from '../../../mesh/revocation/revocation.ts';
import { view } from '../../../runtime/core/bytes.ts';
import { CodedError } from '../../../runtime/core/errors.ts';
import { systemClock } from '../../../runtime/core/system.ts';
import type { PassphraseOptions } from '../keys/passphrase.ts';
import type { Shell } from '../shell.ts';
import { orThrow } from './chain-file.ts';
import { openSigner } from './signer.ts';

export type RevokeOptions = PassphraseOptions & {
  readonly by: string;
  readonly as: 'operator' | 'sponsor';
  readonly reason: string;
  readonly json?: boolean;
};

/** @throws `did.malformed` · `input.malformed`: no content id, or a reason of several lines · `key.*` */
export async function revoke(shell: Shell, target: string, options: RevokeOptions): Promise<void> {
  const parsed = parseRevocable(target);
  if (!parsed.ok) throw new CodedError('input.malformed', `expected a content id or a DID, found ${target}`);
  if (!/^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]{1,500}$/u.test(options.reason)) {
    throw new CodedError('input.malformed', 'expected a reason of one line, up to 500 characters');
  }
  const { pair } = await openSigner(shell, options.by, options);
  const { reason } = options;
  const statement = writeRevocationOf({ at: systemClock.now(), reason, target: parsed.value }, pair);
  const { signers } = orThrow(readRevocation(statement)); // what is printed was read as others will
  const text = view(statement).toString('utf8');
  const told = {
    schema: 'ringmesh.revocation/1',
    target: parsed.value,
    by: [...signers.keys()],
    reason,
    statement: text,
  };
  await shell.out.write(options.json === true ? `${JSON.stringify(told)}\n` : `${text}\n`);
}
