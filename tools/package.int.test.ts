import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { copyOfTree } from './scratch.ts';

const manifest = JSON.parse(readFileSync('package.json', 'utf8'));
const subpaths = Object.keys(manifest.exports).filter(
  (subpath) => subpath !== './package.json' && !subpath.endsWith('*'),
);
const folders = Object.keys(manifest.exports).flatMap((subpath) =>
  subpath.endsWith('/*') ? [subpath.slice(2, -2)] : [],
);

/** The packed package, installed as a user has it: no source, no development dependency. */
describe('the package as a user has it', () => {
  const user = mkdtempSync(join(tmpdir(), 'ringmesh-user-'));
  beforeAll(() => {
    using clone = copyOfTree();
    mkdirSync(join(user, 'node_modules'));
    writeFileSync(join(user, 'package.json'), '{ "private": true }'); // a scope of its own, whatever lies above it
    execFileSync('npm', ['pack', '--silent', '--pack-destination', user], { cwd: clone.path, stdio: 'pipe' });
    execFileSync('tar', ['-xzf', `ringmesh-${manifest.version}.tgz`], { cwd: user });
    renameSync(join(user, 'package'), join(user, 'node_modules/ringmesh'));
    for (const name of Object.keys(manifest.dependencies)) {
      const place = join(user, 'node_modules', name);
      mkdirSync(dirname(place), { recursive: true });
      symlinkSync(resolve('node_modules', name), place);
    }
  });
  afterAll(() => rmSync(user, { recursive: true }));

  test.each(subpaths)('exports something at %s', (subpath) => {
    const specifier = join('ringmesh', subpath);
    const program = `console.log(Object.keys(await import('${specifier}')).length)`;

    const exported = Number(
      execFileSync('node', ['--input-type=module', '-e', program], { cwd: user, encoding: 'utf8' }),
    );

    expect(exported).toBeGreaterThan(0);
  });

  test.each(folders)('gives the files of %s by name', (folder) => {
    const [file] = readdirSync(join(user, 'node_modules/ringmesh', folder));
    const program = `console.log(import.meta.resolve('ringmesh/${folder}/${file}'))`;

    const resolved = execFileSync('node', ['--input-type=module', '-e', program], { cwd: user, encoding: 'utf8' });

    expect(existsSync(fileURLToPath(resolved.trim()))).toBe(true);
  });

  test('has a command that says what it can do', () => {
    const help = execFileSync('node', [join('node_modules/ringmesh', manifest.bin.ringmesh), '--help'], {
      cwd: user,
      encoding: 'utf8',
    });

    expect(help).toContain('log');
  });

  test('brings no TypeScript source and no test of ours', () => {
    const files = readdirSync(join(user, 'node_modules/ringmesh'), { recursive: true, encoding: 'utf8' });

    expect(files.filter((file) => /(?<!\.d)\.ts$|\.(test|contract|fixture)\.(js|d\.ts)$/.test(file))).toEqual([]);
  });
});
