import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { desk, expectError, line, lines, objects, vkey, withLog } from '../command.fixture.ts';

const SMALL = ['--reserve', '0'];

describe('log prove and check-proof', () => {
  test('an event is proven with nothing but the proof and the key', async () => {
    using at = desk();
    await withLog(at, 300);
    const proof = at.run(['log', 'prove', 'log', '257']);
    writeFileSync(join(at.path, 'proof'), proof.stdout);
    const key = vkey(at);
    rmSync(join(at.path, 'log'), { recursive: true });
    rmSync(join(at.path, 'state'), { recursive: true });

    const ran = at.run(['log', 'check-proof', 'proof', '--vkey', key, '--json']);

    expect(proof).toMatchObject({ status: 0, stderr: '' });
    expect(proof.stdout).toMatch(/^c2sp\.org\/tlog-proof@v1\nextra .*\nindex 257\n/);
    expect(ran).toMatchObject({ status: 0, stderr: '' });
    expect(JSON.parse(ran.stdout)).toMatchObject({
      ok: true,
      origin: key.split('+')[0],
      index: 257,
      size: 300,
      record: { index: 257, stream: 'orders-7', data: { n: 257 } },
    });
  });

  test('the proof comes by stdin, the key from a file, and people are told what was proven', async () => {
    using at = desk();
    await withLog(at, 3);
    const { stdout: proof } = at.run(['log', 'prove', 'log', '1']);

    const { status, stdout } = at.run(['log', 'check-proof', '-', '--vkey-file', 'log/log.vkey'], { input: proof });

    expect(status).toBe(0);
    expect(stdout).toMatch(/^proven {2}yes\n[\s\S]*^data +\{"n":1\}$/m);
  });

  test('an event is proven against an earlier checkpoint', async () => {
    using at = desk();
    await withLog(at, 3);
    at.run(['log', 'append', 'log', ...SMALL], { input: lines(3) });

    const { stdout: early } = at.run(['log', 'prove', 'log', '1', '--size', '3']);
    const never = at.run(['log', 'prove', 'log', '1', '--size', '4']);

    expect(early).toContain('/log/0\n3\n');
    expectError(never, 3, 'checkpoint.not_found');
  });

  test('an event that no checkpoint covers yet is covered first', async () => {
    using at = desk();
    await withLog(at, 1);
    const child = at.start(['log', 'append', 'log', ...SMALL]);
    const isOver = Promise.withResolvers<void>();
    child.on('close', () => isOver.resolve());
    child.stdout.once('data', () => child.kill('SIGKILL'));
    child.stdin.write(line(1));
    await isOver.promise;

    const { status, stdout } = at.run(['log', 'prove', 'log', '1', ...SMALL]);

    expect(status).toBe(0);
    expect(stdout).toContain('/log/0\n2\n');
  });

  test.each([
    ['past the end', ['3']],
    ['past the size asked for', ['2', '--size', '2']],
  ])('an index %s is not found', async (_what, args) => {
    using at = desk();
    await withLog(at, 3);

    const ran = at.run(['log', 'prove', 'log', ...args]);

    expectError(ran, 3, 'log.out_of_range');
  });

  test('no part of a proof can be changed without exit 5', async () => {
    using at = desk();
    await withLog(at, 5);
    const { stdout: proof } = at.run(['log', 'prove', 'log', '2']);
    const key = vkey(at);
    const edits: readonly (readonly [string, string])[] = [
      ['the header', proof.replace('proof@v1', 'proof@v2')],
      ['the index', proof.replace('index 2', 'index 3')],
      ['the record', proof.replace(/extra .*/, `extra ${Buffer.from('{"v":1}').toString('base64')}`)],
      ['a letter of the record', proof.replace(/^extra (.{40}).(.*)$/m, 'extra $1x$2')],
      ['a hash', proof.replace(/^(index 2\n)../m, '$1AA')],
      ['the order of hashes', proof.replace(/^(index 2\n)(.*\n)(.*\n)/m, '$1$3$2')],
      ['a hash fewer', proof.replace(/^(index 2\n).*\n/m, '$1')],
      ['the size', proof.replace('/log/0\n5\n', '/log/0\n6\n')],
      ['the signature', proof.replace(/(— \S+ .{20})./, '$1!')],
      ['everything', ''],
    ];

    const verdicts = edits.map(([what, text]) => {
      const { status, stdout } = at.run(['log', 'check-proof', '-', '--vkey', key, '--json'], { input: text });
      return { what, status, ok: objects(stdout)[0]?.['ok'] };
    });

    expect(edits.filter(([, text]) => text === proof)).toEqual([]);
    expect(verdicts).toEqual(edits.map(([what]) => ({ what, status: 5, ok: false })));
  });

  test('a proof of one log is none under the key of another', async () => {
    using at = desk();
    await withLog(at, 2);
    await withLog(at, 2, 'other');
    const { stdout: proof } = at.run(['log', 'prove', 'other', '1']);

    const ran = at.run(['log', 'check-proof', '-', '--vkey', vkey(at)], { input: proof });

    expectError(ran, 5, 'note.unsigned');
  });

  test('a proof without its record is checked with the record beside it', async () => {
    using at = desk();
    await withLog(at, 2);
    const { stdout: proof } = at.run(['log', 'prove', 'log', '1']);
    const [, record = ''] = /^extra (.*)\n/m.exec(proof) ?? [];
    writeFileSync(join(at.path, 'proof'), proof.replace(/^extra .*\n/m, ''));
    writeFileSync(join(at.path, 'record'), Buffer.from(record, 'base64'));

    const without = at.run(['log', 'check-proof', 'proof', '--vkey', vkey(at)]);
    const beside = at.run(['log', 'check-proof', 'proof', '--vkey', vkey(at), '--record', 'record']);

    expectError(without, 2, 'usage.invalid');
    expect(beside.status).toBe(0);
  });

  test.each([
    ['a file that is not there', ['nowhere', '--vkey-file', 'log/log.vkey'], 3, 'file.not_found'],
    ['a key file that is not there', ['log/log.vkey', '--vkey-file', 'nowhere'], 3, 'file.not_found'],
    ['a key that is none', ['log/log.vkey', '--vkey', 'key'], 2, 'note.malformed_key'],
  ])('%s', async (_what, args, exit, code) => {
    using at = desk();
    await withLog(at, 1);

    const ran = at.run(['log', 'check-proof', ...args]);

    expectError(ran, exit, code);
  });
});
