/**
 * Reads the lock, shares its packages out, collects what comes back, and has the report written.
 *
 * C0. It starts nobody. Whoever answers is there and gets work; an empty batch waits for each researcher that may come, or
 *     come back. With nobody there for ten ticks, what waits fails with a name.
 * C1. A job is waiting, out, judged or failed. `judged` is final for an audit: its packages are not fetched again.
 * C2. A researcher has at most one batch out. Whoever is done first gets the next one, so a slow one holds up only itself.
 * C3. Every audit ends: what stays out for ten ticks fails with a name, and so does a report that nobody writes.
 * C5. A researcher may ask the registry about the packages of its batches and about nothing else; whoever works for the
 *     coordinator may answer it. All that it gives is a part of what its operator gave it.
 * C4. An audit is finished when its report is written and nothing has failed. One that is not is gone on with.
 *
 * All this is the fold of the coordinator's facts, so it survives whatever happens to the process.
 */
import { type ContextOf, fail, type Grant, implement, type Outcome, refTo } from 'ringmesh/runtime';
import {
  BATCH_PACKAGES,
  Coordinator,
  DELEGATED_MS,
  type Job,
  type Judgement,
  PAGE_NAMES,
  REPORTER,
  RETRY_FOR,
  Reporter,
  Researcher,
  researcherName,
  type Written,
} from './contracts.ts';
import type { Lock, LockedPackage } from './lock-file.ts';
import { patiently } from './patience.ts';
import type { Audit } from './report.ts';

type Progress =
  | { readonly type: 'waiting' }
  | { readonly type: 'out'; readonly researcher: string; readonly ticks: number }
  | Judgement;

type Running = {
  readonly audit: string;
  readonly at: number;
  readonly lock: Pick<Lock, 'digest' | 'lockfileVersion' | 'skipped'>;
  readonly jobs: readonly (Job & { readonly progress: Progress })[];
  readonly researchers: readonly string[];
  /** Ticks with no researcher at all. */
  readonly deserted: number;
  /** The last report that was written has everything. */
  readonly isComplete: boolean;
  readonly report: { readonly type: 'none' } | { readonly type: 'asked'; readonly ticks: number } | Written;
};

type State = { readonly running: Running | null };
type Ctx = ContextOf<typeof Coordinator, State>;

const TICK = '30s';
const TICKS_MAX = 10;
/** For who was there before the coordinator was started again, and may be still. */
const ABSENT_TICKS = 2;

export const coordinator = implement(Coordinator, {
  state: (): State => ({ running: null }),
  evolve: {
    Begun: (_, { audit, at, lock, jobs }): State => ({
      running: {
        audit,
        at,
        lock,
        jobs: jobs.map((job) => ({ ...job, progress: { type: 'waiting' } })),
        researchers: [],
        deserted: 0,
        report: { type: 'none' },
        isComplete: false,
      },
    }),
    Resumed: (state) =>
      change(state, (running) => ({
        ...withProgress(running, ({ progress }) => (progress.type === 'failed' ? { type: 'waiting' } : progress)),
        researchers: [],
        deserted: 0,
        report: { type: 'none' },
      })),
    Staffed: (state, { researcher }) =>
      change(state, (running) => ({
        ...running,
        researchers: [...running.researchers, researcher],
        deserted: 0,
      })),
    Dismissed: (state, { researcher }) =>
      change(state, (running) => ({
        ...running,
        researchers: running.researchers.filter((one) => one !== researcher),
      })),
    Returned: (state, { names }) =>
      change(state, (running) =>
        withProgress(running, ({ name, progress }) =>
          names.includes(name) && progress.type === 'out' ? { type: 'waiting' } : progress,
        ),
      ),
    Shared: (state, { researcher, names }) =>
      change(state, (running) =>
        withProgress(running, ({ name, progress }) =>
          names.includes(name) ? { type: 'out', researcher, ticks: 0 } : progress,
        ),
      ),
    Judged: (state, { judgements }) => {
      const judged = new Map(judgements.map((one) => [one.name, one]));
      return change(state, (running) =>
        withProgress(
          running,
          ({ name, progress }) => (progress.type === 'judged' ? progress : (judged.get(name) ?? progress)), // C1
        ),
      );
    },
    Ticked: (state) =>
      change(state, (running) => ({
        ...withProgress(running, ({ progress }) =>
          progress.type === 'out' ? { ...progress, ticks: progress.ticks + 1 } : progress,
        ),
        deserted: running.researchers.length === 0 ? running.deserted + 1 : 0,
        report:
          running.report.type === 'asked' ? { ...running.report, ticks: running.report.ticks + 1 } : running.report,
      })),
    Collected: (state) => change(state, (running) => ({ ...running, report: { type: 'asked', ticks: 0 } })),
    Written: (state, { isComplete, written }) =>
      change(state, (running) => ({ ...running, isComplete, report: written })),
  },
  on: {
    async begin({ researchers, seen }, ctx) {
      const lock = await patiently(ctx, () => ctx.use.readLock({}));
      if (lock.type !== 'ok') return lock;
      const { running } = ctx.state();
      const isSame = running?.lock.digest === lock.value.digest;
      const isNew = running === null || !isSame || (running.isComplete && running.audit !== seen);
      if (running === null || isNew) {
        const { digest, lockfileVersion, skipped, packages } = lock.value;
        const begun = {
          audit: ctx.id(),
          at: ctx.now(),
          lock: { digest, lockfileVersion, skipped },
          jobs: jobsOf(packages),
        };
        ctx.emit('Begun', begun);
      } else if (running.isComplete) {
        return { audit: running.audit, isNew };
      } else {
        ctx.emit('Resumed', {});
      }
      const audit = ctx.state().running?.audit ?? '';
      for (const command of REPORTERS) await give(ctx, REPORTER, { command, forMs: DELEGATED_MS });
      for (let n = 1; n <= researchers; n += 1) await invite(ctx, researcherName(n));
      ctx.every(timerOf(audit), TICK, 'tick', { audit });
      await goOn(ctx);
      return { audit, isNew };
    },

    async judged({ audit, researcher, judgements }, ctx) {
      const { running } = ctx.state();
      if (running?.audit !== audit) return;
      if (!running.researchers.includes(researcher)) {
        ctx.emit('Staffed', { researcher }); // C0
        ctx.watch(researcher, 'gone');
      }
      if (judgements.length > 0) ctx.emit('Judged', { judgements });
      await goOn(ctx);
    },

    async gone({ agent }, ctx) {
      const { running } = ctx.state();
      if (running === null || running.isComplete || !running.researchers.includes(agent)) return;
      const out = running.jobs.filter(({ progress }) => progress.type === 'out' && progress.researcher === agent);
      ctx.emit('Dismissed', { researcher: agent });
      if (out.length > 0) ctx.emit('Returned', { names: out.map(({ name }) => name) });
      await invite(ctx, agent);
      await goOn(ctx);
    },

    async tick({ audit }, ctx) {
      if (ctx.state().running?.audit !== audit) return ctx.cancel(timerOf(audit));
      ctx.emit('Ticked', {});
      giveUp(ctx);
      await goOn(ctx);
    },

    page({ audit, from }, ctx) {
      const { running } = ctx.before;
      if (running?.audit !== audit) return fail('audit.replaced', 'another audit has begun');
      const next = from + PAGE_NAMES;
      const content = contentOf(running, running.jobs.slice(from, next));
      return { content, next: next < running.jobs.length ? next : null };
    },

    written({ audit, written }, ctx) {
      const { running } = ctx.state();
      if (running?.audit === audit && running.report.type === 'asked') finish(ctx, running, written);
    },
  },
});

/** C0. What is told to somebody who is not there yet waits for him. */
async function invite(ctx: Ctx, researcher: string): Promise<void> {
  const { running } = ctx.state();
  if (running === null) return;
  const given = await give(ctx, researcher, ANSWER);
  if (given.type !== 'ok') return; // nobody of that name can ever come
  const { audit, at } = running;
  await patiently(ctx, () => ctx.tell(refTo(Researcher, researcher)).research({ audit, at, jobs: [] }, RETRY_FOR));
}

/** What the reporter does. */
const REPORTERS = ['/tool/report/write', '/audit-coordinator/page', '/audit-coordinator/written'];
/** What every researcher does. */
const ANSWER: Grant = { command: '/audit-coordinator/judged', forMs: DELEGATED_MS };

/** C5. The policy wants to see what arguments are meant, even if all are. */
function give(ctx: Ctx, to: string, { where = [], ...grant }: Grant): Promise<Outcome<unknown>> {
  return patiently(ctx, () => ctx.use.delegate({ ...grant, where, to }));
}

/** Gives work to whoever has none (C2); with none left, has the report written. */
async function goOn(ctx: Ctx): Promise<void> {
  const { running } = ctx.state();
  if (running === null || running.report.type !== 'none') return;
  for (const researcher of idleOf(running)) await share(ctx, researcher);
  if (running.deserted >= TICKS_MAX) {
    giveBack(ctx, jobsThatAre(ctx, 'waiting'), { code: 'audit.unstaffed', message: 'no researcher is there' }); // C0
  }
  const open = jobsThatAre(ctx, 'waiting', 'out');
  if (open.length > 0 || ctx.state().running?.report.type !== 'none') return;
  ctx.emit('Collected', {}); // before anything is waited for, lest it is asked for twice
  const { audit } = running;
  const told = await patiently(ctx, () => ctx.tell(refTo(Reporter, REPORTER)).report({ audit }, RETRY_FOR));
  if (told.type !== 'ok')
    finish(ctx, running, {
      type: 'unwritten',
      failure: { code: told.type, message: 'the reporter could not be told' },
    });
}

async function share(ctx: Ctx, researcher: string): Promise<void> {
  const { running } = ctx.state();
  const batch = jobsThatAre(ctx, 'waiting').slice(0, BATCH_PACKAGES);
  if (running === null || batch.length === 0 || !idleOf(running).includes(researcher)) return;
  const jobs = batch.map(({ name, locked }) => ({ name, locked }));
  const names = jobs.map(({ name }) => name);
  const { audit, at } = running;
  ctx.emit('Shared', { researcher, names }); // before anything is waited for, lest somebody else gets them, too
  const where = [{ arg: 'name', is: 'in' as const, value: names }];
  const given = await give(ctx, researcher, { command: '/tool/registry/facts', where, forMs: DELEGATED_MS });
  const told =
    given.type === 'ok'
      ? await patiently(ctx, () => ctx.tell(refTo(Researcher, researcher)).research({ audit, at, jobs }, RETRY_FOR))
      : given;
  if (told.type === 'ok') return;
  giveBack(ctx, jobs, { code: 'code' in told ? told.code : told.type, message: `${researcher} could not be told` });
}

/** C3. What is out with somebody who has not come back since goes to others before that. */
function giveUp(ctx: Ctx): void {
  takeBack(ctx);
  const { running } = ctx.state();
  if (running === null) return;
  const silent = running.jobs.filter(({ progress }) => progress.type === 'out' && progress.ticks >= TICKS_MAX);
  giveBack(ctx, silent, { code: 'audit.silent', message: 'its researcher did not answer' });
  for (const { progress } of silent) {
    const { running: now } = ctx.state();
    if (progress.type === 'out' && now?.researchers.includes(progress.researcher) === true) {
      ctx.emit('Dismissed', { researcher: progress.researcher }); // whoever was silent once gets no more work
    }
  }
  const { report } = running;
  if (report.type !== 'asked' || report.ticks < TICKS_MAX) return;
  finish(ctx, running, {
    type: 'unwritten',
    failure: { code: 'audit.silent', message: 'the reporter did not answer' },
  });
}

function takeBack(ctx: Ctx): void {
  const { running } = ctx.state();
  const lost = running?.jobs.filter(
    ({ progress }) =>
      progress.type === 'out' && progress.ticks >= ABSENT_TICKS && !running.researchers.includes(progress.researcher),
  );
  if (lost !== undefined && lost.length > 0) ctx.emit('Returned', { names: lost.map(({ name }) => name) });
}

function giveBack(ctx: Ctx, jobs: readonly Job[], failure: { code: string; message: string }): void {
  if (jobs.length > 0) ctx.emit('Judged', { judgements: jobs.map(({ name }) => ({ type: 'failed', name, failure })) });
}

function finish(ctx: Ctx, running: Running, written: Written): void {
  const isComplete = written.type === 'written' && running.jobs.every(({ progress }) => progress.type === 'judged');
  ctx.emit('Written', { isComplete, written });
  ctx.cancel(timerOf(running.audit));
}

function idleOf(running: Running): readonly string[] {
  const busy = new Set(running.jobs.map(({ progress }) => (progress.type === 'out' ? progress.researcher : '')));
  return running.researchers.filter((researcher) => !busy.has(researcher));
}

function jobsThatAre(ctx: Ctx, ...types: readonly Progress['type'][]): readonly Job[] {
  return ctx.state().running?.jobs.filter(({ progress }) => types.includes(progress.type)) ?? [];
}

/** One job per name: the registry has one document for all versions of it. */
function jobsOf(packages: readonly LockedPackage[]): Job[] {
  return [...Map.groupBy(packages, ({ name }) => name)].map(([name, locked]) => ({ name, locked }));
}

function contentOf({ at, lock }: Running, jobs: Running['jobs']): Audit {
  const { digest, lockfileVersion, skipped } = lock;
  return {
    at,
    lock: { digest, lockfileVersion },
    audited: jobs.flatMap(({ progress }) => (progress.type === 'judged' ? progress.packages : [])),
    missing: jobs.flatMap(({ name, progress }) => (progress.type === 'failed' ? [{ name, ...progress.failure }] : [])),
    skipped,
  };
}

function change(state: State, how: (running: Running) => Running): State {
  return state.running === null ? state : { running: how(state.running) };
}

function withProgress(running: Running, next: (job: Running['jobs'][number]) => Progress): Running {
  return { ...running, jobs: running.jobs.map((job) => ({ ...job, progress: next(job) })) };
}

function timerOf(audit: string): string {
  return `tick/${audit}`;
}
