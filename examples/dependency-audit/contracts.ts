/**
 * The three agents of an audit and the tools they use, as values without code: what callers, policies and hosts import.
 * `swarm.yaml` starts them.
 *
 * The coordinator reads the lock, shares its packages out, and knows at any moment which are waiting, out, judged or
 * failed. Researchers fetch and judge. The reporter writes. Each batch of work is a message, each result a fact in the log.
 */
import { contract, delegate, tool } from 'ringmesh/runtime';
import { z } from 'zod';
import { Lock, LockedPackage } from './lock-file.ts';
import { PackageFacts } from './package-document.ts';
import { Audit, AuditedPackage } from './report.ts';

/** Packages in one message. With four at once and four researchers as many requests are open as npm itself opens. */
export const BATCH_PACKAGES = 4;
/** Names in one page of results. */
export const PAGE_NAMES = 50;
export const RESEARCHERS_MAX = 16;

export const readLock = tool('lock.read', { in: z.strictObject({}), out: Lock, effect: 'idempotent', within: '20s' });

export const fetchFacts = tool('registry.facts', {
  in: z.strictObject({ name: z.string(), versions: z.array(z.string()).max(1_000) }),
  out: z.discriminatedUnion('type', [
    z.strictObject({ type: z.literal('facts'), facts: PackageFacts }),
    z.strictObject({ type: z.literal('absent') }),
  ]),
  effect: 'idempotent',
  risk: 1,
  within: '2m',
});

export const writeReport = tool('report.write', {
  in: z.strictObject({ path: z.string(), text: z.string() }),
  out: z.strictObject({ path: z.string(), bytes: z.int(), digest: z.string(), isChanged: z.boolean() }),
  effect: 'idempotent',
  risk: 1,
  within: '30s',
});

/** Described by no policy and provided by no node. */
const runShell = tool('shell.run', {
  in: z.strictObject({ command: z.string() }),
  out: z.null(),
  effect: 'unsafe',
});

const id = z.string();
const Job = z.strictObject({ name: z.string(), locked: z.array(LockedPackage) });
const Failure = z.strictObject({ code: z.string(), message: z.string() });
const Judgement = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('judged'), name: z.string(), packages: z.array(AuditedPackage) }),
  z.strictObject({ type: z.literal('failed'), name: z.string(), failure: Failure }),
]);
const Written = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('written'), files: z.array(z.string()) }),
  z.strictObject({ type: z.literal('unwritten'), failure: Failure }),
]);

export type Job = z.infer<typeof Job>;
export type Judgement = z.infer<typeof Judgement>;
export type Written = z.infer<typeof Written>;

export const Coordinator = contract('audit-coordinator', {
  messages: {
    /** Begins an audit of the lock, or goes on with the one that is unfinished. `seen` is an audit that the caller knows
     *  to be unfinished, so that one which ends just now is not begun anew. */
    begin: {
      in: z.strictObject({
        /** How many may be there, here or on other nodes: `audit/researcher/1` and so on. */
        researchers: z.int().min(1).max(RESEARCHERS_MAX),
        seen: id.optional(),
      }),
      out: z.strictObject({ audit: id, isNew: z.boolean() }),
      within: '60s',
    },
    /** From a researcher: what became of a batch. Whoever says so is there, and has nothing to do. */
    judged: { in: z.strictObject({ audit: id, researcher: z.string(), judgements: z.array(Judgement) }) },
    /** From the reporter, which reads the results in parts: one message holds at most a mebibyte. */
    page: {
      in: z.strictObject({ audit: id, from: z.int().nonnegative() }),
      out: z.strictObject({ content: Audit, next: z.int().nullable() }),
    },
    /** From the reporter. */
    written: { in: z.strictObject({ audit: id, written: Written }) },
    /** From the node: a researcher is out of reach, and others do its work. */
    gone: { in: z.strictObject({ agent: z.string(), instance: z.int(), why: z.string() }) },
    /** From the clock: what has been out for too long is given up. */
    tick: { in: z.strictObject({ audit: id }) },
  },
  events: {
    Begun: z.strictObject({
      audit: id,
      at: z.int(),
      lock: Lock.pick({ digest: true, lockfileVersion: true, skipped: true }),
      jobs: z.array(Job),
    }),
    Resumed: z.strictObject({}),
    Staffed: z.strictObject({ researcher: z.string() }),
    Dismissed: z.strictObject({ researcher: z.string() }),
    Returned: z.strictObject({ names: z.array(z.string()) }),
    Shared: z.strictObject({ researcher: z.string(), names: z.array(z.string()) }),
    Judged: z.strictObject({ judgements: z.array(Judgement) }),
    Ticked: z.strictObject({}),
    Collected: z.strictObject({}),
    Written: z.strictObject({ isComplete: z.boolean(), written: Written }),
  },
  uses: { readLock, delegate },
});

export const Researcher = contract('audit-researcher', {
  messages: {
    /** A batch; an empty one asks who is there. */
    research: { in: z.strictObject({ audit: id, at: z.int(), jobs: z.array(Job).max(BATCH_PACKAGES) }) },
  },
  uses: { fetchFacts },
  needs: { trust: 300 },
});

export const Reporter = contract('audit-reporter', {
  messages: { report: { in: z.strictObject({ audit: id }) } },
  uses: { writeReport },
});

/** Only with `--with-rogue`. */
export const Rogue = contract('audit-rogue', {
  messages: {
    misbehave: {
      /** `given`: with what it was given. `revoked`: when a part of that has been taken back. */
      in: z.strictObject({ stage: z.enum(['given', 'revoked']) }),
      out: z.strictObject({ refusals: z.array(z.strictObject({ tried: z.string(), ...Failure.shape })) }),
      within: '60s',
    },
  },
  uses: { fetchFacts, writeReport, runShell, delegate },
});

/** A message waits this long for an agent that is not there: as long as a run may be put off. */
export const RETRY_FOR = { retryFor: '7d' } as const;
/** And what it takes to do it lasts as long. */
export const DELEGATED_MS = 7 * 24 * 60 * 60_000;

/** Where the agents live. */
export const COORDINATOR = 'audit';
export const REPORTER = 'audit/reporter';
export const ROGUE = 'rogue';

export function researcherName(n: number | ''): string {
  return `audit/researcher/${n}`;
}
