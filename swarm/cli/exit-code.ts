/** What a code means to whoever started the process. The table stands in `--help`, README.md and docs/cli.md. */

/** Done · unexpected · usage · not found · denied · verification failed · an experiment went wrong · no answer. */
export type ExitCode = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 8;

export const EXIT_CODES = `Exit codes:
  0  done
  1  unexpected: a bug, the machine, or another writer; stderr says which
  2  usage: an unknown command or option, or input that cannot be accepted
  3  not found
  4  denied: a policy, a ring or a rate said no to what was asked
  5  verification failed: tampering, damage, a rollback or a fork
  6  an experiment did not end well, or its fault was not seen to happen
  8  no answer in time, or nobody there to answer`;

/** The exit code of an error's code. What is not listed is unexpected. */
export function exitCodeOf(code: string): ExitCode {
  return BY_CODE.get(code) ?? BY_SUBJECT.get(code.slice(0, code.indexOf('.'))) ?? 1;
}

const BY_CODE: ReadonlyMap<string, ExitCode> = new Map<string, ExitCode>([
  ['output.closed', 0], // `ringmesh log show ledger | head` is no failure
  ['export.not_empty', 2],
  ['json.not_data', 2],
  ['log.exists', 2],
  ['log.id_reused', 2],
  ['log.old_format', 2],
  ['log.origin_taken', 2],
  ['log.too_large', 2],
  ['checkpoint.not_found', 3],
  ['note.malformed_key', 2], // only a key that was given on the command line; a log's own is `log.key_unusable`
  ['origin.malformed', 2],
  ['policy.bundle_malformed', 2],
  ['policy.other_bundle', 2],
  ['project.exists', 2],
  ['ask.invalid', 2],
  ['control.path_too_long', 2],
  ['control.refused', 2],
  ['ask.denied', 4],
  ['revocation.not_entitled', 4],
  ['revocation.unknown_signer', 4],
  ['ask.unanswered', 8],
  ['control.lost', 8],
  ['control.not_running', 8],
  ['realm.busy', 1],
  ['realm.lock_unusable', 1],
  ['realm.slot_unusable', 1],
  ['realm.slots_taken', 1],
  ['swarm.delegation_unusable', 2],
  ['swarm.module_unusable', 2],
  ['swarm.no_broker', 2],
  ['swarm.no_such_role', 2],
  ['swarm.policy_unusable', 2],
  ['swarm.quorum_too_small', 2],
  ['agent.not_found', 3],
  ['order.unanswered', 8],
  ['broker.not_found', 3],
  ['callout.no_keys', 3],
  ['code.not_found', 3],
  ['event.not_found', 3],
  ['export.not_found', 3],
  ['file.not_found', 3],
  ['key.not_found', 3],
  ['log.not_found', 3],
  ['realm.keys_elsewhere', 3],
  ['machine.not_found', 3],
  ['log.out_of_range', 3],
  ['log.damaged', 5],
  ['log.forked', 5],
  ['log.key_unusable', 5],
  ['log.rolled_back', 5],
  ['log.unreadable', 5],
  ['policy.bundle_bad_signature', 5],
  ['policy.bundle_unsigned', 5],
  ['replay.diverged', 5],
]);

/** By what stands before the first dot. */
const BY_SUBJECT: ReadonlyMap<string, ExitCode> = new Map<string, ExitCode>([
  ['config', 2],
  ['delegation', 2],
  ['did', 2],
  ['input', 2],
  ['key', 2],
  ['nkey', 2],
  ['realm', 2],
  ['usage', 2],
  ['anchor', 5],
  ['checkpoint', 5],
  ['jwt', 5],
  ['note', 5],
  ['proof', 5],
  ['record', 5],
  ['statement', 5],
  ['chaos', 6],
]);
