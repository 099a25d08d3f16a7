import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { desk, expectError } from '../command.fixture.ts';

// That the project runs is a test of the package: tools/package.int.test.ts.
describe('init', () => {
  test('writes a project into a missing directory, and says which files', () => {
    using at = desk();

    const { status, stdout } = at.run(['init', 'new/shop', '--json']);

    expect(status).toBe(0);
    const { schema, name, files } = JSON.parse(stdout);
    expect({ schema, name }).toEqual({ schema: 'ringmesh.init/1', name: 'shop' });
    expect(readdirSync(join(at.path, 'new/shop')).sort()).toEqual([...files].sort());
    const { dependencies } = JSON.parse(readFileSync(join(at.path, 'new/shop/package.json'), 'utf8'));
    expect(dependencies.ringmesh).toMatch(/^\^\d+\.\d+\.\d+$/);
  });

  test('asks npm for the package where it is told to', () => {
    using at = desk();
    mkdirSync(join(at.path, 'shop'));

    expect(at.run(['init', 'shop', '--ringmesh', 'file:../ringmesh.tgz']).status).toBe(0);

    expect(readFileSync(join(at.path, 'shop/package.json'), 'utf8')).toContain('"ringmesh": "file:../ringmesh.tgz"');
  });

  test.each<[string, (path: string) => void]>([
    [
      'a folder with something in it',
      (path) => {
        mkdirSync(path);
        writeFileSync(join(path, '.keep'), '');
      },
    ],
    ['a file', (path) => writeFileSync(path, '')],
  ])('refuses %s and changes nothing', (_, make) => {
    using at = desk();
    make(join(at.path, 'shop'));
    const before = readdirSync(at.path, { recursive: true });

    expectError(at.run(['init', 'shop']), 2, 'project.exists');

    expect(readdirSync(at.path, { recursive: true })).toEqual(before);
  });
});
