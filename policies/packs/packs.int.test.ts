import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { unwrap } from '../../runtime/core/result.ts';
import { parsePolicy } from '../document/document.ts';
import { formatFault } from '../document/fault.ts';
import { parseTable, runTable } from '../table/table.ts';

const HERE = import.meta.dirname;
const read = (name: string): string => readFileSync(join(HERE, name), 'utf8');
const tables = globSync('*.test.yaml', { cwd: HERE }).sort();
const packs = globSync('*.yaml', { cwd: HERE, exclude: ['*.test.yaml'] }).sort();

test('each pack has a table of tests, and says that it is a sample', () => {
  expect(tables).toEqual(packs.map((name) => name.replace('.yaml', '.test.yaml')));
  expect(packs).toHaveLength(4);
  for (const name of packs) expect(read(name)).toContain('A sample to copy and adapt');
});

describe.each(tables)('%s', (name) => {
  const table = unwrap(parseTable(read(name), name), 'a table');
  const documents = table.policies.map((path) => unwrap(parsePolicy(read(path), path), 'a pack'));
  const results = runTable(table, documents);
  if (!results.ok) throw new Error(results.error.map(formatFault).join('\n'));

  test.each(results.value)('$name', ({ differences }) => {
    expect(differences).toEqual([]);
  });

  test('every rule of the pack decides some case', () => {
    const [pack] = documents;
    const used = new Set(
      results.value.flatMap(({ decision }) => [
        ...decision.determining.map(({ rule }) => rule),
        ...decision.obligations.flatMap((owed) => (owed.kind === 'consume' ? [`${pack?.name}/${owed.bucket}`] : [])),
      ]),
    );

    expect(pack?.rules.map(({ id }) => `${pack.name}/${id}`).filter((rule) => !used.has(rule))).toEqual([]);
  });
});
