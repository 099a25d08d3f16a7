/** Fetches what the registry says about a few packages, judges each locked version by it, and tells the coordinator. */
import { type ContextOf, implement, refTo } from 'ringmesh/runtime';
import { COORDINATOR, Coordinator, type Job, type Judgement, RETRY_FOR, Researcher } from './contracts.ts';
import { judge } from './judge.ts';
import type { LockedPackage } from './lock-file.ts';
import type { PackageFacts } from './package-document.ts';
import { patiently } from './patience.ts';
import type { AuditedPackage } from './report.ts';

export const researcher = implement(Researcher, {
  state: () => ({}),
  evolve: {},
  on: {
    async research({ audit, at, jobs }, ctx) {
      const judgements = await ctx.all(jobs.map((job) => research(job, at, ctx)));
      const told = { audit, researcher: ctx.self.agent, judgements };
      await patiently(ctx, () => ctx.tell(refTo(Coordinator, COORDINATOR)).judged(told, RETRY_FOR));
    },
  },
});

async function research(
  { name, locked }: Job,
  at: number,
  ctx: ContextOf<typeof Researcher, object>,
): Promise<Judgement> {
  const versions = [...new Set(locked.map(({ version }) => version))];
  const found = await patiently(ctx, () => ctx.use.fetchFacts({ name, versions }));
  if (found.type !== 'ok') return { type: 'failed', name, failure: failureOf(found) };
  const facts = found.value.type === 'absent' ? 'absent' : found.value.facts;
  return {
    type: 'judged',
    name,
    packages: versions.map((version) =>
      audited(
        locked.filter((one) => one.version === version),
        facts,
        at,
      ),
    ),
  };
}

/** One version, wherever in the tree it is installed: what is said about one place is said once. */
function audited(places: readonly LockedPackage[], facts: PackageFacts | 'absent', at: number): AuditedPackage {
  const [{ name, version } = { name: '', version: '' }] = places;
  const findings = new Map(
    places
      .flatMap((locked) => judge(locked, facts, at))
      .map((finding) => [`${finding.rule} ${finding.message}`, finding]),
  );
  return {
    name,
    version,
    isDev: places.every(({ isDev }) => isDev),
    paths: places.map(({ path }) => path),
    document: facts === 'absent' ? null : facts.digest,
    findings: [...findings.values()],
  };
}

/** What is not ok as a line of the report: its code, or its kind where it has none. */
export function failureOf(outcome: { readonly type: string; readonly code?: string; readonly message?: string }): {
  code: string;
  message: string;
} {
  return { code: outcome.code ?? outcome.type, message: outcome.message ?? `the tool answered "${outcome.type}"` };
}
