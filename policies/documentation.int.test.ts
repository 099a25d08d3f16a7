import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempDisposableSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { unwrap } from '../runtime/core/result.ts';
import { compileBundle } from './bundle/bundle.ts';
import { parsePolicy } from './document/document.ts';
import { formatFault } from './document/fault.ts';
import { parseTable, runTable } from './table/table.ts';

const ROOT = resolve(import.meta.dirname, '..');
const page = readFileSync(join(ROOT, 'docs/policies.md'), 'utf8');
const blocks = [...page.matchAll(/^```(.*)\n([\s\S]*?)^```$/gm)].map(([, kind = '', text = '']) => ({ kind, text }));
const of = (kind: string): readonly string[] => blocks.filter((block) => block.kind === kind).map(({ text }) => text);
const policies = of('yaml').map((text, n) => unwrap(parsePolicy(text, `block ${n}`), 'a policy on the page'));

test('every block on the page is of a kind that is checked here', () => {
  expect(new Set(blocks.map(({ kind }) => kind))).toEqual(
    new Set(['yaml', 'yaml refused', 'yaml table', 'text', 'ts', 'sh']),
  );
});

test('the policies make a bundle', () => {
  const bundle = compileBundle(policies);

  expect(bundle.ok ? [] : bundle.error.map(formatFault)).toEqual([]);
});

test('the slips are told as the page shows them', () => {
  const slips = unwrap(parsePolicy(of('yaml refused').join(), 'slips.yaml'), 'slips that only a bundle shows');
  const bundle = compileBundle([slips]);

  expect(bundle.ok ? '' : `${bundle.error.map(formatFault).join('\n')}\n`).toBe(of('text').join());
});

test('the table is as expected', () => {
  const table = unwrap(parseTable(of('yaml table').join(), 'table'), 'a table');
  const results = unwrap(runTable(table, policies.slice(0, 1)), 'results');

  expect(results.flatMap(({ differences }) => differences)).toEqual([]);
});

test('the program prints what its comments say', () => {
  mkdirSync(join(ROOT, '.cache'), { recursive: true }); // inside the package, so that its name resolves
  using directory = mkdtempDisposableSync(join(ROOT, '.cache/docs-'));
  const [program = ''] = of('ts');
  writeFileSync(join(directory.path, 'page.ts'), program);

  const { stdout, stderr } = spawnSync(process.execPath, ['--conditions=source', join(directory.path, 'page.ts')], {
    encoding: 'utf8',
  });

  expect(stderr).toBe('');
  expect(stdout.trimEnd().split('\n')).toEqual(
    [...program.matchAll(/console\.log\(.*\); \/\/ (.*)$/gm)].map(([, told]) => told),
  );
});

test('the commands succeed', () => {
  for (const line of of('sh').join().trim().split('\n')) {
    const args = line.split(' ').slice(1);
    const { status, stderr } = spawnSync(process.execPath, ['swarm/cli/main.ts', ...args], {
      cwd: ROOT,
      encoding: 'utf8',
    });

    expect({ line, status, stderr }).toEqual({ line, status: 0, stderr: '' });
  }
});
