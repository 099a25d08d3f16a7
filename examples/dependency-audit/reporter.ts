/** Collects the results of an audit from the coordinator, writes the two reports, and says so. */
import { type ContextOf, implement, type Outcome, refTo } from 'ringmesh/runtime';
import { COORDINATOR, Coordinator, RETRY_FOR, Reporter, type Written } from './contracts.ts';
import { patiently } from './patience.ts';
import { type Audit, reportOf, toJson, toMarkdown } from './report.ts';
import { failureOf } from './researcher.ts';

type Ctx = ContextOf<typeof Reporter, object>;

export const reporter = implement(Reporter, {
  state: () => ({}),
  evolve: {},
  on: {
    async report({ audit }, ctx) {
      const written = await write(audit, ctx);
      await patiently(ctx, () => ctx.tell(refTo(Coordinator, COORDINATOR)).written({ audit, written }, RETRY_FOR));
    },
  },
});

async function write(audit: string, ctx: Ctx): Promise<Written> {
  const content = await collect(audit, ctx);
  if (content.type !== 'ok') return { type: 'unwritten', failure: failureOf(content) };
  const report = reportOf(content.value);
  const files: string[] = [];
  for (const [path, text] of [
    ['report.json', toJson(report)],
    ['report.md', toMarkdown(report)],
  ] as const) {
    const outcome = await patiently(ctx, () => ctx.use.writeReport({ path, text }));
    if (outcome.type !== 'ok') return { type: 'unwritten', failure: failureOf(outcome) };
    files.push(path);
  }
  return { type: 'written', files };
}

/** All pages as one. */
async function collect(audit: string, ctx: Ctx): Promise<Outcome<Audit>> {
  let content: Audit | undefined;
  for (let from: number | null = 0; from !== null; ) {
    const at: number = from;
    const page: Outcome<{ content: Audit; next: number | null }> = await patiently(ctx, () =>
      ctx.ask(refTo(Coordinator, COORDINATOR)).page({ audit, from: at }),
    );
    if (page.type !== 'ok') return page;
    const { audited, missing } = page.value.content;
    content = {
      ...page.value.content,
      audited: [...(content?.audited ?? []), ...audited],
      missing: [...(content?.missing ?? []), ...missing],
    };
    from = page.value.next;
  }
  return content === undefined ? { type: 'died', message: 'no page' } : { type: 'ok', value: content };
}
