import { appendFileSync, cpSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Desk, desk, expectError, line, lines, objects, vkey, withLog } from '../command.fixture.ts';

const SMALL = ['--reserve', '0'];

describe('log init', () => {
  test('makes a log and prints its origin and the key that others check it with', () => {
    using at = desk();

    const { status, stdout, stderr } = at.run(['log', 'init', 'log', '--realm', 'acme', '--node', 'till', '--json']);

    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(JSON.parse(stdout)).toEqual({ origin: 'acme/till/log/0', vkey: vkey(at) });
    expect(vkey(at)).toMatch(/^acme\/till\/log\/0\+[0-9a-f]{8}\+/);
  });

  test('tells people the same in lines', () => {
    using at = desk();

    const { stdout } = at.run(['log', 'init', 'log']);

    expect(stdout).toBe(`origin  ${vkey(at).split('+')[0]}\nvkey    ${vkey(at)}\n`);
  });

  test.each([
    ['a directory that holds something', ['log', 'init', 'log'], 'log.exists'],
    ['a name that no origin can have', ['log', 'init', 'other', '--realm', 'A B'], 'origin.malformed'],
    [
      'a name that a log already has',
      ['log', 'init', 'other', '--realm', 'acme', '--node', 'till'],
      'log.origin_taken',
    ],
  ])('refuses %s, with exit 2', (_what, args, code) => {
    using at = desk();
    at.run(['log', 'init', 'log', '--realm', 'acme', '--node', 'till']);
    at.run(['log', 'append', 'log', ...SMALL], { input: line(0) });

    const ran = at.run(args);

    expectError(ran, 2, code);
  });
});

describe('log show', () => {
  const input = [
    line(0),
    line(1, { stream: 'a', type: 'orders.placed' }),
    line(2, { stream: 'a', type: 'orders.paid' }),
    line(3, { stream: 'a', type: 'ordersx.paid' }),
    line(4),
  ].join('');

  test.each([
    [[], [0, 1, 2, 3, 4]],
    [
      ['--stream', 'a'],
      [1, 2, 3],
    ],
    [['--stream', 'nobody'], []],
    [['--type', 'orders.paid'], [2]],
    [
      ['--type', 'orders.*'],
      [1, 2],
    ],
    [
      ['--from', '1', '--to', '3'],
      [1, 2],
    ],
    [['--from', '99'], []],
    [
      ['--limit', '2'],
      [0, 1],
    ],
    [['--limit', '0'], []],
    [['--stream', 'a', '--from', '2', '--to', '9', '--limit', '1'], [2]],
    [['--stream', 'a', '--type', 'orders.*', '--to', '2'], [1]],
  ])('%j shows %j', async (filters, expected) => {
    using at = desk();
    await withLog(at, 0);
    at.run(['log', 'append', 'log', ...SMALL], { input });

    const { status, stdout } = at.run(['log', 'show', 'log', '--json', ...filters]);

    expect(status).toBe(0);
    expect(objects(stdout).map(({ index }) => index)).toEqual(expected);
  });

  test('--json gives every field of the record and its leaf hash', async () => {
    using at = desk();
    await withLog(at, 1);

    const { stdout } = at.run(['log', 'show', 'log', '--json']);

    expect(objects(stdout)).toEqual([
      {
        index: 0,
        id: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-7/),
        stream: 'orders-7',
        version: 0,
        type: 'import.recorded',
        data: { n: 0 },
        origin: expect.stringMatching(/^[\w-]{43}$/),
        typeVersion: 1,
        wallMs: expect.any(Number),
        counter: 0,
        actor: expect.stringMatching(/^did:key:z6Mk/),
        replay: 'state',
        leaf: expect.stringMatching(/^[\w-]{43}$/),
      },
    ]);
  });

  test('shows a long payload by its digest, and whole when asked to', async () => {
    using at = desk();
    await withLog(at, 0);
    const data = { text: 'x'.repeat(100_000) };
    at.run(['log', 'append', 'log', ...SMALL], { input: line(0, { data }) });

    const [byDigest] = objects(at.run(['log', 'show', 'log', '--json']).stdout);
    const [whole] = objects(at.run(['log', 'show', 'log', '--json', '--payload']).stdout);

    const digest = expect.stringMatching(/^[\w-]{43}$/);
    expect(byDigest).toMatchObject({ payload: { media: 'application/json', length: 100_011, digest } });
    expect(byDigest).not.toHaveProperty('data');
    expect(whole).toMatchObject({ data });
  });

  test('is a table for people, which prints nothing that a terminal would obey', async () => {
    using at = desk();
    await withLog(at, 0);
    at.run(['log', 'append', 'log', ...SMALL], { input: line(0, { data: '\u009b2J' }) });

    const { stdout } = at.run(['log', 'show', 'log']);

    expect(stdout).toMatch(
      /^INDEX {2}TIME +STREAM +VERSION {2}TYPE +DATA\n {4}0 {2}\d{4}-.*Z {2}orders-7 .*"\\u009b2J"\n$/,
    );
  });

  test('ends quietly when its reader has seen enough', async () => {
    using at = desk();
    await withLog(at, 5_000);
    const child = at.start(['log', 'show', 'log', '--json']);
    const { promise, resolve } = Promise.withResolvers<unknown>();
    let stderr = '';
    child.stderr.on('data', (chunk) => {
      stderr += String(chunk);
    });
    child.stdout.once('data', () => child.stdout.destroy());
    child.on('close', (status) => resolve({ status, stderr }));

    const end = await promise;

    expect(end).toEqual({ status: 0, stderr: '' });
  });

  test('finds no log where there is none, with exit 3', () => {
    using at = desk();

    const ran = at.run(['log', 'show', 'nowhere']);

    expectError(ran, 3, 'log.not_found');
  });

  test('refuses a stream that cannot be, with exit 2', async () => {
    using at = desk();
    await withLog(at, 1);

    const ran = at.run(['log', 'show', 'log', '--stream', 'a b']);

    expectError(ran, 2, 'usage.invalid');
  });
});

describe('log stats', () => {
  test('--json counts what is there', async () => {
    using at = desk();
    await withLog(at, 300);
    at.run(['log', 'append', 'log', ...SMALL], { input: line(0, { stream: 'b', data: 'x'.repeat(5_000) }) });

    const { status, stdout } = at.run(['log', 'stats', 'log', '--json']);

    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      origin: vkey(at).split('+')[0],
      epoch: 0,
      size: 301,
      root: expect.stringMatching(/^[\w-]{43}$/),
      signed: 301,
      checkpoints: 2,
      streams: 2,
      blobs: 1,
      bytesPerEvent: expect.any(Number),
      bytes: { records: expect.any(Number), file: expect.any(Number) },
    });
  });

  test('tells people the same in lines', async () => {
    using at = desk();
    await withLog(at, 3);

    const { stdout } = at.run(['log', 'stats', 'log']);

    expect(stdout).toMatch(/^size +3$/m);
  });
});

describe('an older copy of a log', () => {
  /** Two events, a backup, two more events, and the backup in the place of the log. */
  async function restored(): Promise<Desk> {
    const at = desk();
    await withLog(at, 2);
    cpSync(join(at.path, 'log'), join(at.path, 'backup'), { recursive: true });
    at.run(['log', 'append', 'log', ...SMALL], { input: lines(2) });
    rmSync(join(at.path, 'log'), { recursive: true });
    cpSync(join(at.path, 'backup'), join(at.path, 'log'), { recursive: true });
    return at;
  }

  test('takes no event, with exit 5, and can still be read', async () => {
    using at = await restored();

    const ran = at.run(['log', 'append', 'log', ...SMALL], { input: line(9) });

    expectError(ran, 5, 'log.rolled_back');
    expect(objects(at.run(['log', 'show', 'log', '--json']).stdout)).toHaveLength(2);
  });

  test('goes on in the next epoch, which says why', async () => {
    using at = await restored();

    const succeeded = at.run(['log', 'succeed', 'log', '--reason', 'the disk died', '--json', ...SMALL]);
    const appended = at.run(['log', 'append', 'log', ...SMALL], { input: line(9) });

    const [name] = vkey(at).split('+');
    expect(succeeded).toMatchObject({ status: 0, stderr: '' });
    expect(JSON.parse(succeeded.stdout)).toMatchObject({ origin: name, after: { size: 2 } });
    expect(name).toMatch(/\/log\/1$/);
    expect(appended.status).toBe(0);
    expect(objects(at.run(['log', 'show', 'log', '--json']).stdout)).toMatchObject([
      { type: 'log.succeeded', data: { size: 2, reason: 'the disk died', anchored: { size: 4 } } },
      { type: 'import.recorded', version: 0 },
    ]);
  });

  test('is not noticed by who keeps no anchor, which is what the anchor is for', async () => {
    using at = await restored();

    const ran = at.run(['log', 'append', 'log', '--anchor', 'nothing-here', ...SMALL], { input: line(9) });

    expectError(ran, 5, 'anchor.missing');
  });
});

describe('the anchor', () => {
  test('is kept where --anchor or RINGMESH_ANCHOR says', () => {
    using at = desk();
    const env = { RINGMESH_ANCHOR: join(at.path, 'by-environment') };
    at.run(['log', 'init', 'a', '--anchor', 'by-option']);
    at.run(['log', 'init', 'b'], { env });

    const byOption = at.run(['log', 'append', 'a', '--anchor', 'by-option', ...SMALL], { input: line(0) });
    const byEnvironment = at.run(['log', 'append', 'b', ...SMALL], { input: line(0), env });

    expect([byOption.status, byEnvironment.status]).toEqual([0, 0]);
    expect(['by-option', 'by-environment'].map((name) => readdirSync(join(at.path, name)).length)).toEqual([1, 1]);
  });

  test('that is gone stops the log, with exit 5, until a new one is accepted', async () => {
    using at = desk();
    await withLog(at, 1);
    rmSync(join(at.path, 'state'), { recursive: true });

    const refused = at.run(['log', 'append', 'log', ...SMALL], { input: line(1) });
    const accepted = at.run(['log', 'append', 'log', '--new-anchor', ...SMALL], { input: line(1) });
    const after = at.run(['log', 'append', 'log', ...SMALL], { input: line(2) });

    expectError(refused, 5, 'anchor.missing');
    expect([accepted.status, after.status]).toEqual([0, 0]);
  });

  test('that is damaged stops the log, with exit 5', async () => {
    using at = desk();
    await withLog(at, 1);
    const folder = join(at.path, 'state/ringmesh/anchors');
    for (const name of readdirSync(folder)) appendFileSync(join(folder, name), 'x');

    const ran = at.run(['log', 'append', 'log', ...SMALL], { input: line(1) });

    expectError(ran, 5, 'anchor.damaged');
  });

  test('that cannot be reached stops the log, with exit 5', async () => {
    using at = desk();
    await withLog(at, 1);
    rmSync(join(at.path, 'state/ringmesh/anchors'), { recursive: true });
    writeFileSync(join(at.path, 'state/ringmesh/anchors'), 'a file where a folder should be');

    const ran = at.run(['log', 'append', 'log', ...SMALL], { input: line(0) });

    expectError(ran, 5, 'anchor.unreachable');
  });
});
