import { spawnSync } from 'node:child_process';
import { mkdtempDisposableSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { checkPlace, countOld, deleteBefore, makeSample, type Place } from './records.ts';

const [main = '', swarm = ''] = ['../../swarm/cli/main.ts', './swarm.yaml'].map((path) =>
  join(import.meta.dirname, path),
);
const NOW_S = 1_800_000_000;
const YEAR_S = 365 * 24 * 60 * 60;

type Ran = { readonly status: number | null; readonly stdout: string; readonly stderr: string };

function withFolder(): Disposable & { readonly path: string; readonly run: (...args: readonly string[]) => Ran } {
  const folder = mkdtempDisposableSync(join(tmpdir(), 'ringmesh-records-'));
  const { path } = folder;
  const run = (...args: readonly string[]) =>
    spawnSync(process.execPath, ['--conditions=source', main, ...args], { cwd: path, encoding: 'utf8' });
  return { path, run, [Symbol.dispose]: () => folder[Symbol.dispose]() };
}

const up = ['up', swarm, '--log', 'log', '--anchor', 'anchors', '--json'] as const;

type Summary = {
  readonly answers: readonly { readonly outcome: { readonly value: object } }[];
  readonly actions: { readonly refused: readonly { readonly first: number }[] };
};

test('the tool would delete what is old, and nothing else', () => {
  using at = withFolder();
  const place: Place = { file: join(at.path, 'a.sqlite'), table: 'my "records"', column: 'made' };
  makeSample(place, NOW_S);
  expect(countOld(place, NOW_S - YEAR_S)).toEqual({ total: 1000, old: 271 });
  expect(deleteBefore(place, NOW_S - YEAR_S)).toEqual({ deleted: 271 });
  expect(countOld(place, NOW_S - YEAR_S)).toEqual({ total: 729, old: 0 });
  expect(() => checkPlace({ ...place, table: 'other' })).toThrow(/no such table/);
});

test('an agent that may do everything short of it deletes nothing: a human has to agree, and the log says why', () => {
  using at = withFolder();
  const first = at.run(...up, '--set', 'sample=sample.sqlite');
  expect(first).toMatchObject({ status: 0 });
  const { answers, actions } = JSON.parse(first.stdout) as Summary;
  expect(answers[0]?.outcome.value).toMatchObject({ total: 1000, old: 271, deleted: 0, refused: 'approval.required' });
  expect(actions).toMatchObject({ allowed: 1, denied: 0, escalated: 1 });
  const place = { file: join(at.path, 'sample.sqlite'), table: 'records', column: 'created_at' };
  expect(countOld(place, 0).total).toBe(1000);

  const why = at.run('policy', 'explain', 'log', String(actions.refused[0]?.first));
  expect(why.stdout).toContain('cleaner wanted to use records.delete');
  expect(why.stdout).toContain('deleted records do not come back, so a human agrees first');
  expect(why.stdout).toContain('decided again from the log: the same');
  expect(at.run('log', 'verify', 'log', '--anchor', 'anchors')).toMatchObject({ status: 0 });
});

test('a database of the user, with dates as text, is counted and left as it was', () => {
  using at = withFolder();
  {
    using db = new DatabaseSync(join(at.path, 'shop.db'));
    db.exec(`CREATE TABLE orders (id INTEGER, placed TEXT);
      INSERT INTO orders VALUES (1, '2001-02-03'), (2, '2002-03-04T05:06:07Z'), (3, '2999-01-01')`);
  }
  const { stdout, stderr } = at.run(...up, '--set', 'db=shop.db', 'table=orders', 'column=placed');
  expect({ stdout, stderr }).toMatchObject({ stdout: expect.stringContaining('"total":3,"old":2,"deleted":0') });
  expect(countOld({ file: join(at.path, 'shop.db'), table: 'orders', column: 'placed' }, NOW_S).total).toBe(3);
});

test('a database that is not there is told, and not made', () => {
  using at = withFolder();
  const { status, stderr } = at.run('up', swarm, '--log', 'log', '--anchor', 'anchors', '--set', 'db=typo.db');
  expect(status).toBe(2);
  expect(stderr).toMatch(/swarm\.module_unusable: .*typo\.db, found no file/);
});
