import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { HOUSE } from '../../policy/office.fixture.ts';
import { type Desk, desk, ended, linesFrom, objects } from '../command.fixture.ts';
import { aDay } from './day.fixture.ts';

const page = readFileSync(resolve(import.meta.dirname, '../../../docs/cli.md'), 'utf8');
const part = page
  .split(/^(?=## )/m)
  .filter((section) => section.startsWith('## `policy '))
  .join('');
const blocks = [...part.matchAll(/^```(.*)\n([\s\S]*?)^```$/gm)].map(([, kind = '', text = '']) => ({ kind, text }));
const of = (kind: string): readonly string[] => blocks.filter((block) => block.kind === kind).map(({ text }) => text);

async function office(): Promise<Desk> {
  const at = desk();
  await aDay(at);
  writeFileSync(join(at.path, 'house.yaml'), HOUSE);
  writeFileSync(join(at.path, 'stricter.yaml'), HOUSE.replace('10000', '100'));
  return at;
}

test('every block of the page is of a kind that is checked here', () => {
  expect(blocks.map(({ kind }) => kind)).toEqual(['console', 'console', 'console', 'sh', 'json', 'json']);
});

test('the commands print what the page shows', async () => {
  using at = await office();
  for (const block of of('console')) {
    const [command = '', ...shown] = block.trimEnd().split('\n');
    const { stdout, stderr, status } = at.run(command.replace('$ ringmesh ', '').split(' '));

    const told = stdout.replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/, '2026-11-21T10:00:00.000Z').trimEnd();
    expect({ command, told, stderr, status }).toEqual({ command, told: shown.join('\n'), stderr: '', status: 0 });
  }
});

test('the decision point answers as the page shows', async () => {
  using at = await office();
  const [command = ''] = of('sh');
  const [question = '', answer = ''] = of('json');
  const child = at.start([...command.trim().replace('ringmesh ', '').split(' '), '--json']);
  const [told] = objects(await linesFrom(child, 1));

  const headers = { 'content-type': 'application/json' };
  const response = await fetch(`${told?.['url']}/access/v1/evaluation`, { method: 'POST', headers, body: question });

  expect(await response.json()).toEqual(JSON.parse(answer));
  child.kill('SIGTERM');
  expect(await ended(child)).toMatchObject({ signal: 'SIGTERM' });
});
