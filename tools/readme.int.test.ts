import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const readme = readFileSync('README.md', 'utf8');
const blocks = [...readme.matchAll(/^```(.*)\n([\s\S]*?)^```$/gm)].map(([, kind = '', text = '']) => ({ kind, text }));
const textsOf = (kind: string): readonly string[] =>
  blocks.filter((block) => block.kind === kind).map(({ text }) => text);

test('every block of the README is of a kind that is checked here', () => {
  expect(blocks.map(({ kind }) => kind)).toEqual(['sh', 'ts', 'ts', 'yaml', 'yaml', 'sh', 'text']);
});

test('its agent is that of examples/hello, which runs, and has twenty lines', () => {
  const files = [...textsOf('ts'), ...textsOf('yaml')].map((block) => {
    const [, name = '', text = ''] = /^(?:\/\/|#) (\S+)\n([\s\S]*)$/.exec(block) ?? [];
    return { name, text };
  });
  for (const { name, text } of files) {
    const shown = readFileSync(join('examples/hello', name), 'utf8').replace(/^# yaml-language-server.*\n/, '');
    expect({ name, text }).toEqual({ name, text: shown });
  }
  const code = files
    .filter(({ name }) => name.endsWith('.ts'))
    .flatMap(({ text }) => text.split('\n'))
    .filter((line) => line.trim() !== '' && !line.startsWith('/**'));
  expect(code.length).toBeLessThanOrEqual(20);
});

test('its commands are scripts of the package, with files that are there', () => {
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { readonly scripts: Record<string, string> };
  const commands = textsOf('sh').flatMap((text) => text.trim().split('\n'));
  expect(commands.map((command) => command.replace(/ +#.*/, ''))).toEqual([
    'npm run up', // e2e: tools/clean-machine.e2e.test.ts
    'npm test',
    'npm run ringmesh -- up examples/hello/swarm.yaml', // int: examples/hello/hello.int.test.ts
  ]);
  expect(Object.keys(scripts)).toEqual(expect.arrayContaining(['up', 'test', 'ringmesh']));
  expect(existsSync('examples/hello/swarm.yaml')).toBe(true);
});
