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

  test('the README’s agent, written beside it, runs', () => {
    const folder = join(user, 'readme');
    mkdirSync(folder);
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
    const readme = readFileSync('README.md', 'utf8');
    for (const [, name = '', text = ''] of readme.matchAll(/^```(?:ts|yaml)\n(?:\/\/|#) (\S+)\n([\s\S]*?)^```$/gm)) {
      writeFileSync(join(folder, name), text);
    }
    const command = join(user, 'node_modules/ringmesh', manifest.bin.ringmesh);
    const env = { ...process.env, XDG_STATE_HOME: join(folder, 'state') };

    const said = execFileSync('node', [command, 'up', 'swarm.yaml'], { cwd: folder, encoding: 'utf8', env });

    expect(said).toContain('{"text":"Hello, world. You are number 1."}');
  });

  test('init makes a project that runs, passes its tests and type-checks, with nothing but the package', () => {
    const project = join(user, 'shop');
    const npm = (...args: readonly string[]) =>
      execFileSync('npm', args, {
        cwd: project,
        encoding: 'utf8',
        env: { ...process.env, npm_config_offline: 'true' },
      });
    symlinkSync(resolve('node_modules/@types'), join(user, 'node_modules/@types'));
    const bin = join('node_modules/ringmesh', manifest.bin.ringmesh);
    execFileSync('node', [bin, 'init', 'shop'], { cwd: user, stdio: 'pipe' });

    const [first, second] = [npm('start', '--silent'), npm('start', '--silent')];
    const tested = npm('test', '--silent');
    const log = execFileSync('node', [join('..', bin), 'log', 'verify', 'state/log', '--anchor', 'state/anchors'], {
      cwd: project,
      encoding: 'utf8',
    });

    expect(first).toBe('A1: 250 cents, priced 1 so far\nX-7: denied: articles that begin with X- are not for sale\n');
    expect(second).toContain('priced 2 so far');
    expect(tested).toMatch(/pass 4\n.*fail 0/);
    expect(log).toMatch(/^sound +yes$/m);
    expect(
      execFileSync('node', [resolve('node_modules/typescript/bin/tsc'), '-p', project], { encoding: 'utf8' }),
    ).toBe('');
  });

  test('brings no TypeScript source and no test of ours', () => {
    const files = readdirSync(join(user, 'node_modules/ringmesh'), { recursive: true, encoding: 'utf8' });

    expect(files.filter((file) => /(?<!\.d)\.ts$|\.(test|contract|fixture)\.(js|d\.ts)$/.test(file))).toEqual([]);
  });
});
