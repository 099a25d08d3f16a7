/**
 * The code behind the audit's tools. It runs in the node's process, never in an agent's. All three are idempotent, so a
 * throw means `failed` with the error's code.
 */
import { CodedError, type ProvidedTool, provide, type Refusal, type Result } from 'ringmesh/runtime';
import { readBounded } from './bounded-read.ts';
import type { ConfinedFolder } from './confined-folder.ts';
import { fetchFacts, readLock, writeReport } from './contracts.ts';
import { LOCK_BYTES_MAX, parseLock } from './lock-file.ts';
import { readDocument } from './package-document.ts';
import { isPackageName } from './package-name.ts';
import type { Registry } from './registry.ts';

export type ToolPorts = {
  /** The one file that `lock.read` reads. */
  readonly lock: string;
  /** The one folder that `report.write` writes into. */
  readonly out: ConfinedFolder;
  readonly registry: Registry;
};

export function auditTools({ lock, out, registry }: ToolPorts): readonly ProvidedTool[] {
  return [
    provide(readLock, async () => orThrow(parseLock(await readBounded(lock, LOCK_BYTES_MAX)))),
    ...researcherTools(registry),
    provide(writeReport, ({ path, text }) => out.write(path, text)),
  ];
}

/** What a node that has nothing but researchers needs. */
export function researcherTools(registry: Registry): readonly ProvidedTool[] {
  return [
    provide(fetchFacts, async ({ name, versions }, { signal }) => {
      if (!isPackageName(name))
        throw new CodedError('registry.bad_name', `expected a package's name, found ${JSON.stringify(name)}`);
      const fetched = await registry.fetch(name, signal);
      if (fetched.type === 'absent') return fetched;
      return { type: 'facts', facts: orThrow(readDocument(fetched.bytes, { name, versions })) } as const;
    }),
  ];
}

function orThrow<T>(result: Result<T, Refusal>): T {
  if (result.ok) return result.value;
  throw new CodedError(result.error.code, result.error.message);
}
