/** `docs/quickstart.md`, done as it says, in an empty project. */
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { type Desk, desk } from '../command.fixture.ts';
import { AS_SOURCE } from './project.fixture.ts';

const ROOT = resolve(import.meta.dirname, '../../..');
const page = readFileSync(join(ROOT, 'docs/quickstart.md'), 'utf8');
const blocks = [...page.matchAll(/^```(.*)\n([\s\S]*?)^```$/gm)].map(([, kind = '', text = '']) => ({ kind, text }));
const of = (kind: string): readonly string[] => blocks.filter((block) => block.kind === kind).map(({ text }) => text);

/** Files begin with their name as a comment. */
const files = new Map(
  [...of('ts'), ...of('yaml')].flatMap((block) => {
    const [, name, text] = /^(?:\/\/|#) (\S+\.(?:ts|yaml))\n([\s\S]*)$/.exec(block) ?? [];
    return name === undefined || text === undefined ? [] : [[name, text] as const];
  }),
);

function project(): Desk {
  const at = desk();
  mkdirSync(join(at.path, 'node_modules'));
  symlinkSync(ROOT, join(at.path, 'node_modules/ringmesh'));
  symlinkSync(join(ROOT, 'node_modules/zod'), join(at.path, 'node_modules/zod'));
  writeFileSync(join(at.path, 'package.json'), '{ "type": "module" }');
  for (const [name, text] of files) writeFileSync(join(at.path, name), text);
  return at;
}

/** What differs from machine to machine and run to run, as the page has it. */
function asShown(at: Desk, text: string): string {
  const isolated = text.replace(/^isolation .*$/m, 'isolation memory: watchdog, cpu: watchdog, processes: permissions');
  return isolated
    .replaceAll(join(at.path, 'state'), 'STATE')
    .replaceAll(at.path, 'DIR')
    .replace(/hello\/[0-9a-f]{16}\//g, 'hello/NODE/')
    .replace(/^(root +)\S{43}$/m, '$1ROOT')
    .replace(/ {2,}/g, '  ')
    .trimEnd();
}

test('every block of the page is of a kind that is checked here', () => {
  expect(blocks.map(({ kind }) => kind)).toEqual([
    ...['sh', 'ts', 'ts', 'yaml', 'yaml', 'console', 'console', 'yaml refused', 'text', 'yaml', 'console'],
  ]);
  expect([...files.keys()]).toEqual(['contract.ts', 'greeter.ts', 'policy.yaml', 'swarm.yaml']);
});

test('the files are those of the example, and few lines', () => {
  for (const [name, text] of files) expect(text).toBe(readFileSync(join(ROOT, 'examples/hello', name), 'utf8'));
  const code = [...files.values()]
    .join('')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('/**'));
  expect(code.length).toBeLessThanOrEqual(40);
});

test('the commands print what the page shows', () => {
  using at = project();
  for (const block of of('console')) {
    const [command = '', ...shown] = block.trimEnd().split('\n');
    const { stdout, stderr, status } = at.run(command.replace('$ ringmesh ', '').split(' '), AS_SOURCE);
    expect({ command, status, stderr: status === 0 ? '' : stderr }).toEqual({ command, status: 0, stderr: '' });
    expect(asShown(at, stdout)).toBe(shown.join('\n').replace(/ {2,}/g, '  '));
  }
});

test('the clone has the same under the name that the page gives', () => {
  const [command = ''] = of('sh');
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  const args = command.trim().replace('npm run ringmesh -- ', '').split(' ');
  expect(scripts['ringmesh']).toMatch(/ --conditions=source swarm\/cli\/main\.ts$/);
  using at = desk();
  const [verb = '', file = ''] = args;
  expect(at.run([verb, join(ROOT, file), '--log', 'log', '--anchor', 'a'], AS_SOURCE)).toMatchObject({ status: 0 });
});

test('the slip of the pen is told as the page shows', () => {
  using at = project();
  writeFileSync(join(at.path, 'swarm.yaml'), of('yaml refused')[0] ?? '');
  const { status, stderr } = at.run(['up', 'swarm.yaml'], AS_SOURCE);
  expect(status).toBe(2);
  expect(stderr.split('\n\n')[0]).toBe((of('text')[0] ?? '').trimEnd());
});

test('the schema is where the page says', () => {
  using at = project();
  const [, path = ''] = /\$schema=(\S+)/.exec(page) ?? [];
  expect(JSON.parse(readFileSync(join(at.path, path), 'utf8'))).toMatchObject({ title: 'A swarm file' });
});
