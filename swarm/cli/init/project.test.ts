import { describe, expect, test } from 'vitest';
import { compileBundle } from '../../../policies/bundle/bundle.ts';
import { parsePolicy } from '../../../policies/document/document.ts';
import { packageName, projectFiles } from './project.ts';

const NEEDS = { node: '>=24', ringmesh: '^0.1.0', zod: '4.0.0', typescript: '6.0.0', nodeTypes: '26.0.0' };

describe('the name of a project', () => {
  test.each([
    ['shop', 'shop'],
    ['My Shop!', 'my-shop'],
    ['.hidden', 'hidden'],
    ['Öl', 'l'],
    ['@scope', 'scope'],
    ['ringmesh', 'swarm'],
    ['___', 'swarm'],
    ['', 'swarm'],
  ])('of the folder %j is %s', (folder, name) => {
    expect(packageName(folder)).toBe(name);
  });
});

describe('the files of a project', () => {
  const files = projectFiles('shop', NEEDS);
  const textOf = (path: string): string => files.get(path) ?? '';

  test('ask npm for what they import, and no more', () => {
    const { dependencies, name } = JSON.parse(textOf('package.json'));
    const sources = [...files].filter(([path]) => path.endsWith('.ts')).map(([, text]) => text);
    const imported = sources.flatMap((text) => [...text.matchAll(/from '([a-z]+)[/']/g)].map(([, from]) => from));

    expect(name).toBe('shop');
    expect([...new Set(imported)].filter((from) => from !== 'node').sort()).toEqual(Object.keys(dependencies));
  });

  test('hold a policy without faults', () => {
    const document = parsePolicy(textOf('policy.yaml'), 'policy.yaml');

    expect(document.ok && compileBundle([document.value])).toMatchObject({ ok: true });
  });

  test('are all told of in the README, or hidden', () => {
    const told = [...files.keys()].filter((path) => /\.(ts|yaml)$/.test(path));

    expect(told.filter((path) => !textOf('README.md').includes(`\`${path}\``))).toEqual([]);
  });
});
