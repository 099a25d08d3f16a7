/** A state that was kept counts for the code that folded it: the author's modules, and whatever they import. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { childHosts } from './child-hosts.ts';
import { contract } from './contract.ts';
import { implement } from './implement.ts';
import { refTo } from './ref.ts';
import { keptState } from './snapshots.ts';
import { TestNode } from './test-kit.ts';

const Tally = contract('tally', {
  messages: { add: { in: z.object({ n: z.int() }), out: z.int(), within: '60s' } },
  events: { Added: z.object({ n: z.int() }) },
});
/** Known to the kit by contract only: the code runs in the children. */
const nominal = implement(Tally, {
  state: () => ({ sum: 0 }),
  evolve: { Added: (state) => state },
  on: { add: () => 0 },
});

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ringmesh-code-'));
  const runtime = JSON.stringify(new URL('../index.ts', import.meta.url).href);
  const zod = JSON.stringify(import.meta.resolve('zod'));
  await writeFile(
    join(folder, 'tally.mjs'),
    `import { contract, implement } from ${runtime};
     import { z } from ${zod};
     import { fold } from './fold.mjs';
     const Tally = contract('tally', {
       messages: { add: { in: z.object({ n: z.int() }), out: z.int(), within: '60s' } },
       events: { Added: z.object({ n: z.int() }) },
     });
     export const tally = implement(Tally, {
       state: () => ({ sum: 0 }),
       evolve: { Added: ({ sum }, { n }) => ({ sum: fold(sum, n) }) },
       on: { add({ n }, ctx) { for (let i = 0; i < 100; i++) ctx.emit('Added', { n }); return ctx.state().sum; } },
     });`,
  );
});
afterAll(() => rm(folder, { recursive: true }));

test('a changed import of the author’s module is other code: every fact is folded again', async () => {
  const foldBy = (sign: '+' | '-') =>
    writeFile(join(folder, 'fold.mjs'), `export const fold = (sum, n) => sum ${sign} n;`);
  const module = pathToFileURL(join(folder, 'tally.mjs')).href;
  const hosts = childHosts({ modules: { tally: { module, name: 'tally' } } });
  await using kit = new TestNode({ implementations: [nominal], hosts, silenceMs: 600_000 });
  const one = refTo(Tally, 'one');
  await foldBy('+');
  await kit.open();
  await kit.node.spawn(Tally, 'one');
  for (let n = 0; n < 3; n++) await kit.node.ask(one).add({ n: 1 });
  expect(keptState(kit.log, 'one', 300)).toMatchObject({ emitted: 300, state: { sum: 300 } });

  await kit.crash();
  await kit.open();
  expect(await kit.node.ask(one).add({ n: 1 })).toMatchObject({ value: 400 });

  await kit.crash();
  await foldBy('-');
  await kit.open();
  expect(await kit.node.ask(one).add({ n: 1 })).toMatchObject({ value: -500 });
  expect(kit.count('turn.failed')).toBe(0);
});
