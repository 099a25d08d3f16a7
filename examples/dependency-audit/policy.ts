/** Who may do what in an audit, from `policy.yaml`, and whom its operator answers for on the first day. */
import { fileURLToPath } from 'node:url';
import type { Endorsement } from 'ringmesh';
import { type Bundle, compileBundle, formatFault, type PolicyFault, parsePolicy } from 'ringmesh/policies';
import { CodedError, hasCode, type Millis } from 'ringmesh/runtime';
import { readBounded } from './bounded-read.ts';
import { COORDINATOR, REPORTER, RESEARCHERS_MAX, ROGUE, researcherName } from './contracts.ts';

export const POLICY_FILE = fileURLToPath(new URL('./policy.yaml', import.meta.url));

/** A hundred times what ours has. */
const POLICY_BYTES_MAX = 256 * 1024;

/** @throws {CodedError} `audit.no_policy`, with every fault where it stands */
export async function loadPolicy(file: string): Promise<Bundle> {
  const bytes = await readBounded(file, POLICY_BYTES_MAX).catch((cause: unknown) => {
    if (!hasCode(cause)) throw cause;
    throw new CodedError('audit.no_policy', `expected a policy, found none: ${messageOf(cause)}`, { cause });
  });
  const document = parsePolicy(new TextDecoder().decode(bytes), file);
  if (!document.ok) throw faulty(document.error);
  const compiled = compileBundle([document.value]);
  if (!compiled.ok) throw faulty(compiled.error);
  return compiled.value;
}

const HOUR_MS = 60 * 60_000;

/** A word for each of the audit's own agents: ring 2 for an hour, or until its first violation. */
export function endorsementsAt(now: Millis): readonly Endorsement[] {
  const researchers = Array.from({ length: RESEARCHERS_MAX }, (_, n) => researcherName(n + 1));
  const expiresAt = (now + HOUR_MS) as Millis;
  return [COORDINATOR, REPORTER, ...researchers, ROGUE].map(
    (agent): Endorsement => ({ agent, ring: 2, trustFloor: 650, expiresAt }),
  );
}

function faulty(faults: readonly PolicyFault[]): CodedError {
  return new CodedError('audit.no_policy', `expected a policy without faults:\n${faults.map(formatFault).join('\n')}`);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
