import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { lengthenLongValues } from '../../../runtime/log/tamper.fixture.ts';
import { desk, lines, withLog } from '../command.fixture.ts';

const SMALL = ['--reserve', '0'];

describe('log verify', () => {
  test('finds a sound log sound', async () => {
    using at = desk();
    await withLog(at, 300);

    const { status, stdout, stderr } = at.run(['log', 'verify', 'log', '--json']);

    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const stats = JSON.parse(at.run(['log', 'stats', 'log', '--json']).stdout) as { root: string; origin: string };
    expect(JSON.parse(stdout)).toEqual({
      ok: true,
      origin: stats.origin,
      size: 300,
      root: stats.root,
      checkpoints: 1,
      anchor: 'agrees',
      epochs: [0],
      firstBadIndex: null,
      problemCount: 0,
      problems: [],
    });
  });

  test('tells people the same in lines, and shows no progress on a pipe', async () => {
    using at = desk();
    await withLog(at, 3);

    const { status, stdout, stderr } = at.run(['log', 'verify', 'log']);

    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(/^sound +yes\norigin +local\/.*\/log\/0\nsize +3\n/);
  });

  test('an empty log is sound', async () => {
    using at = desk();
    await withLog(at, 0);

    const { status, stdout } = at.run(['log', 'verify', 'log', '--json']);

    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ ok: true, size: 0, anchor: 'none' });
  });

  test('names the first record that was changed, with exit 5', async () => {
    using at = desk();
    await withLog(at, 600);
    edit(join(at.path, 'log/epoch-0/data.mdb'), '{"n":257}', '{"n":258}');
    edit(join(at.path, 'log/epoch-0/data.mdb'), '{"n":571}', '{"n":572}');

    const asJson = at.run(['log', 'verify', 'log', '--json']);
    const asText = at.run(['log', 'verify', 'log']);

    expect([asJson.status, asText.status]).toEqual([5, 5]);
    expect(JSON.parse(asJson.stdout)).toMatchObject({ ok: false, size: 600, firstBadIndex: 257 });
    expect(JSON.parse(asJson.stderr)).toMatchObject({
      error: { exit: 5, message: expect.stringMatching(/^record 257: /) },
    });
    expect(asText.stdout).toMatch(/^sound +no\n/);
    expect(asText.stderr).toMatch(/^ringmesh: log\.\w+: record 257: .*\n$/);
  });

  test('finds a file damaged that would crash its reader, with exit 5', async () => {
    using at = desk();
    await withLog(at, 3_000);
    lengthenLongValues(join(at.path, 'log/epoch-0/data.mdb'));

    const { status, stdout, stderr } = at.run(['log', 'verify', 'log', '--json']);

    expect(status).toBe(5);
    expect(JSON.parse(stdout)).toMatchObject({ ok: false, problems: [{ code: 'log.unreadable' }] });
    expect(JSON.parse(stderr)).toMatchObject({ error: { exit: 5, message: expect.stringContaining('ended by SIG') } });
  });

  test('finds an older copy of the log by its anchor, with exit 5', async () => {
    using at = desk();
    await withLog(at, 2);
    cpSync(join(at.path, 'log'), join(at.path, 'backup'), { recursive: true });
    at.run(['log', 'append', 'log', ...SMALL], { input: lines(2) });

    const { status, stdout } = at.run(['log', 'verify', 'backup', '--json']);

    expect(status).toBe(5);
    const problems = [expect.objectContaining({ code: 'log.rolled_back' })];
    expect(JSON.parse(stdout)).toMatchObject({ ok: false, size: 2, anchor: 'contradicts', problems });
  });

  test('finds the anchor of a log that has signed missing, with exit 5', async () => {
    using at = desk();
    await withLog(at, 2);
    rmSync(join(at.path, 'state'), { recursive: true });

    const { status, stderr } = at.run(['log', 'verify', 'log']);

    expect(status).toBe(5);
    expect(stderr).toMatch(/^ringmesh: anchor\.missing: /);
  });

  test('verifies every epoch', async () => {
    using at = desk();
    await withLog(at, 2);
    at.run(['log', 'succeed', 'log', '--reason', 'a drill', ...SMALL]);

    const { status, stdout } = at.run(['log', 'verify', 'log', '--json']);

    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ ok: true, size: 1, epochs: [0, 1] });
  });

  test('a log that is sound is not yet the log that was meant: --vkey says which', async () => {
    using at = desk();
    await withLog(at, 2);
    await withLog(at, 2, 'other');
    const vkey = readFileSync(join(at.path, 'log/log.vkey'), 'utf8').trimEnd();

    const own = at.run(['log', 'verify', 'log', '--vkey', vkey]);
    const others = at.run(['log', 'verify', 'other', '--vkey', vkey]);
    at.run(['log', 'succeed', 'log', '--reason', 'a drill', ...SMALL]);
    const later = at.run(['log', 'verify', 'log', '--vkey', vkey]);

    expect([own.status, others.status, later.status]).toEqual([0, 5, 0]);
    expect(others.stderr).toMatch(/^ringmesh: log\.other_key: /);
  });

  test('several logs: each, and whether they agree', async () => {
    using at = desk();
    await withLog(at, 3);
    await withLog(at, 4, 'other');

    const asJson = at.run(['log', 'verify', 'log', 'other', '--json']);
    const asText = at.run(['log', 'verify', 'log', 'other']);

    expect([asJson.status, asText.status]).toEqual([0, 0]);
    const sound = { ok: true, anchor: 'agrees', problems: [] };
    expect(JSON.parse(asJson.stdout)).toMatchObject({
      ok: true,
      logs: [
        { directory: 'log', size: 3, ...sound },
        { directory: 'other', size: 4, ...sound },
      ],
      agreement: { logs: 2, inFlight: 0, elsewhere: 0, faultCount: 0, faults: [] },
    });
    expect(asText.stdout).toMatch(/^DIRECTORY +ORIGIN +EVENTS +ANCHOR +SOUND\nlog +local\/\S+ +3 +agrees +yes\n/);
    expect(asText.stdout).toMatch(/^agree +yes\n/m);
  });

  test('of several logs a damaged one is reported, and the others are compared', async () => {
    using at = desk();
    for (const name of ['log', 'other', 'third']) await withLog(at, 300, name);
    edit(join(at.path, 'other/epoch-0/data.mdb'), '{"n":57}', '{"n":58}');

    const { status, stdout, stderr } = at.run(['log', 'verify', 'log', 'other', 'third', '--json']);

    expect(status).toBe(5);
    expect(JSON.parse(stdout)).toMatchObject({
      ok: false,
      logs: [{ ok: true }, { ok: false, firstBadIndex: 57 }, { ok: true }],
      agreement: { logs: 2, faultCount: 0 },
    });
    expect(JSON.parse(stderr)).toMatchObject({ error: { message: expect.stringMatching(/^other: record 57: /) } });
  });

  test('a key is for one log', async () => {
    using at = desk();
    await withLog(at, 1);
    const vkey = readFileSync(join(at.path, 'log/log.vkey'), 'utf8').trimEnd();

    const { status, stderr } = at.run(['log', 'verify', 'log', 'log', '--vkey', vkey]);

    expect(status).toBe(2);
    expect(stderr).toMatch(/^ringmesh: usage\.invalid: /);
  });

  test('no log is not found, with exit 3', () => {
    using at = desk();

    const { status, stdout, stderr } = at.run(['log', 'verify', 'nowhere']);

    expect({ status, stdout }).toEqual({ status: 3, stdout: '' });
    expect(stderr).toMatch(/^ringmesh: log\.not_found: /);
  });
});

/** Changes every copy of a text in a file to another of the same length. */
function edit(path: string, from: string, to: string): void {
  const bytes = readFileSync(path);
  for (let at = bytes.indexOf(from); at !== -1; at = bytes.indexOf(from, at + 1)) bytes.write(to, at);
  writeFileSync(path, bytes);
}
