import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { copyOfTree, plant, type Scratch } from './scratch.ts';

/** Each gate, a fault planted in a copy of this tree, and how the gate names it. */
const faults: readonly { gate: string; files: Readonly<Record<string, string>>; named: string }[] = [
  {
    gate: 'format and lint',
    files: { 'runtime/core/planted.ts': 'export const a  = 1\n' },
    named: 'runtime/core/planted.ts format',
  },
  {
    gate: 'format and lint',
    files: { 'runtime/core/planted.ts': 'export const now = (): number => Date.now();\n' },
    named: 'runtime/core/planted.ts:1:34 lint/style/noRestrictedGlobals',
  },
  {
    gate: 'format and lint',
    files: {
      'runtime/core/planted.ts':
        'export async function work(): Promise<void> {}\n\nexport function floating(): void {\n  work();\n}\n',
    },
    named: 'runtime/core/planted.ts:4:3 lint/nursery/noFloatingPromises',
  },
  {
    gate: 'types',
    files: { 'runtime/core/planted.ts': "export const a: number = 'b';\n" },
    named: 'runtime/core/planted.ts(1,14): error TS2322',
  },
  {
    gate: 'floors',
    files: {
      'runtime/core/planted.ts': "import '../codec/planted.ts';\n",
      'runtime/codec/planted.ts': 'export const a = 1;\n',
    },
    named: 'runtime/core-is-low: runtime/core/planted.ts → runtime/codec/planted.ts',
  },
  {
    gate: 'dead code',
    files: { 'runtime/core/planted.ts': 'export const a = 1;\n' },
    named: 'runtime/core/planted.ts',
  },
  {
    gate: 'tidy',
    files: { 'runtime/core/utils.ts': 'export const a = 1;\n' },
    named: 'runtime/core/utils.ts: a grab-bag',
  },
  {
    gate: 'package',
    files: { 'runtime/core/planted.ts': "export const a: number = 'b';\n" },
    named: 'runtime/core/planted.ts(1,14): error TS2322',
  },
];

describe('npm run check', () => {
  test.each(faults)('the gate "$gate" fails on a planted fault, and names $named', ({ gate, files, named }) => {
    using tree = copyOfTree();
    plant(tree, files);

    const { status, stdout } = check(tree, gate);

    expect(stdout).toContain(named);
    expect(stdout).toContain(`FAILED ${gate}`);
    expect(status).toBe(1);
  });

  test('the gate "package" fails on an export that is not published', () => {
    using tree = copyOfTree();
    const manifest = JSON.parse(readFileSync(join(tree.path, 'package.json'), 'utf8'));
    manifest.exports['./planted'] = './dist/planted.js';
    plant(tree, { 'package.json': JSON.stringify(manifest) });

    const { status, stdout } = check(tree, 'package');

    expect(stdout).toMatch(/planted.*does not exist/);
    expect(status).toBe(1);
  });

  test('a gate that does not exist is refused', () => {
    using tree = copyOfTree();

    expect(check(tree, 'spelling').status).toBe(2);
  });
});

function check(tree: Scratch, gate: string): { readonly status: number | null; readonly stdout: string } {
  return spawnSync('node', ['tools/check.ts', gate], { cwd: tree.path, encoding: 'utf8' });
}
