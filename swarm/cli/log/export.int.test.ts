import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { desk, ended, expectError, line, linesFrom, vkey, withLog } from '../command.fixture.ts';

const SMALL = ['--reserve', '0'];

describe('log export', () => {
  test('writes static files, and says what they cover', async () => {
    using at = desk();
    await withLog(at, 300);

    const { status, stdout, stderr } = at.run(['log', 'export', 'log', '--out', 'public', '--json', ...SMALL]);

    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const { origin, size } = JSON.parse(stdout) as { origin: string; size: number };
    expect({ origin, size }).toEqual({ origin: vkey(at).split('+')[0], size: 300 });
    expect(filesIn(join(at.path, 'public'))).toEqual([
      'checkpoint',
      'log.vkey',
      'tile/0/000',
      'tile/0/001.p/44',
      'tile/1/000.p/1',
      'tile/entries/000',
      'tile/entries/001.p/44',
    ]);
    expect(readFileSync(join(at.path, 'public/checkpoint'), 'utf8').split('\n').slice(0, 2)).toEqual([origin, '300']);
    expect(readFileSync(join(at.path, 'public/log.vkey'), 'utf8').trimEnd()).toBe(vkey(at));
  });

  test('refuses a directory that holds something, with exit 2', async () => {
    using at = desk();
    await withLog(at, 1);
    writeFileSync(join(at.path, 'public'), '');

    const ran = at.run(['log', 'export', 'log', '--out', 'public', ...SMALL]);

    expectError(ran, 2, 'export.not_empty');
  });

  test('needs to be told where to, and a log', async () => {
    using at = desk();
    await withLog(at, 1);

    const nowhere = at.run(['log', 'export', 'log']);
    const nothing = at.run(['log', 'export', 'nothing', '--out', 'public']);

    expectError(nowhere, 2, 'usage.invalid');
    expectError(nothing, 3, 'log.not_found');
  });

  test('beside a writer it exports what was signed', async () => {
    using at = desk();
    await withLog(at, 3);
    const writer = at.start(['log', 'append', 'log', ...SMALL]);
    writer.stdin.write(line(3));
    await linesFrom(writer, 1);

    const refused = at.run(['log', 'export', 'log', '--out', 'all', ...SMALL]);
    const signed = at.run(['log', 'export', 'log', '--out', 'signed', '--signed', '--json']);
    writer.stdin.end();
    await ended(writer);

    expectError(refused, 1, 'log.locked');
    expect(JSON.parse(signed.stdout)).toMatchObject({ size: 3 });
    expect(filesIn(join(at.path, 'signed'))).toContain('tile/entries/000.p/3');
  });

  test('what was never signed cannot be exported as signed, with exit 3', async () => {
    using at = desk();
    await withLog(at, 0);

    const ran = at.run(['log', 'export', 'log', '--out', 'public', '--signed']);

    expectError(ran, 3, 'checkpoint.not_found');
  });
});

describe('log check-export', () => {
  test('finds an export sound with nothing but the key', async () => {
    using at = desk();
    await withLog(at, 300);
    at.run(['log', 'export', 'log', '--out', 'public', ...SMALL]);
    const key = vkey(at);
    rmSync(join(at.path, 'log'), { recursive: true });

    const { status, stdout, stderr } = at.run(['log', 'check-export', 'public', '--vkey', key, '--json']);

    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(JSON.parse(stdout)).toMatchObject({ ok: true, size: 300, problemCount: 0 });
  });

  test('names the first record that was changed, with exit 5', async () => {
    using at = desk();
    await withLog(at, 300);
    at.run(['log', 'export', 'log', '--out', 'public', ...SMALL]);
    const bundle = join(at.path, 'public/tile/entries/000');
    writeFileSync(bundle, readFileSync(bundle, 'latin1').replace('{"n":77}', '{"n":78}'), 'latin1');

    const { status, stdout, stderr } = at.run(['log', 'check-export', 'public', '--vkey', vkey(at), '--json']);

    expect(status).toBe(5);
    expect(JSON.parse(stdout)).toMatchObject({ ok: false, firstBadIndex: 77 });
    expect(JSON.parse(stderr)).toMatchObject({ error: { exit: 5 } });
  });

  test('wants a key, and finds no export where there is none', async () => {
    using at = desk();
    await withLog(at, 1);

    const noKey = at.run(['log', 'check-export', 'log']);
    const nowhere = at.run(['log', 'check-export', 'nowhere', '--vkey-file', 'log/log.vkey']);

    expectError(noKey, 2, 'usage.invalid');
    expectError(nowhere, 3, 'export.not_found');
  });
});

function filesIn(directory: string): readonly string[] {
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return files.map(({ parentPath, name }) => join(parentPath, name).slice(directory.length + 1)).sort();
}
