import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { desk, ended, line, lines, linesFrom, objects, withLog } from '../command.fixture.ts';

const APPEND = ['log', 'append', 'log', '--reserve', '0'];

/** The indexes in lines of `tail --json`. */
function indexes(text: string): readonly unknown[] {
  return objects(text).map(({ index }) => index);
}

describe('tail', () => {
  test('tells what another process writes while it follows, and Ctrl-C ends it with 0', async () => {
    using at = desk();
    await withLog(at, 3);
    const tail = at.start(['tail', 'log', '--json']);
    expect(indexes(await linesFrom(tail, 3))).toEqual([0, 1, 2]);

    const writer = at.start(APPEND);
    writer.stdin.write(lines(300, 3)); // more than one bundle of records, over records that were told before
    const more = indexes(await linesFrom(tail, 300));
    writer.stdin.end(line(303));
    expect((await ended(writer)).status).toBe(0);
    const last = indexes(await linesFrom(tail, 1));
    tail.kill('SIGINT');

    expect([...more, ...last]).toEqual(Array.from({ length: 301 }, (_, n) => n + 3));
    expect(await ended(tail)).toMatchObject({ status: 0, signal: null, stderr: '' });
  });

  test('the writer is not disturbed: its log verifies', async () => {
    using at = desk();
    await withLog(at, 3);
    const tail = at.start(['tail', 'log', '--json']);
    await linesFrom(tail, 3);
    at.run(APPEND, { input: lines(600, 3) });
    expect(indexes(await linesFrom(tail, 600))).toHaveLength(600);
    tail.kill('SIGTERM');

    expect((await ended(tail)).status).toBe(0);
    expect(at.run(['log', 'verify', 'log']).status).toBe(0);
  });

  test('goes on in the next epoch', async () => {
    using at = desk();
    await withLog(at, 3);
    const tail = at.start(['tail', 'log', '--json']);
    await linesFrom(tail, 3);

    at.run(['log', 'succeed', 'log', '--reason', 'a test', '--reserve', '0']);
    const [first] = objects(await linesFrom(tail, 1));
    tail.kill('SIGINT');

    expect(first).toMatchObject({ schema: 'ringmesh.tail/1', index: 0, type: 'log.succeeded' });
    expect((await ended(tail)).stderr).toContain('the next epoch');
  });

  test('without --follow it ends where the log does; the last ten events unless told otherwise', async () => {
    using at = desk();
    await withLog(at, 25);

    const last = at.run(['tail', 'log', '--no-follow', '--json']);
    const since = at.run(['tail', 'log', '--no-follow', '--since', '20', '--json']);
    const text = at.run(['tail', 'log', '--no-follow', '--since', '24']);

    expect(last.status).toBe(0);
    expect(indexes(last.stdout)).toEqual(Array.from({ length: 10 }, (_, n) => n + 15));
    expect(indexes(since.stdout)).toEqual([20, 21, 22, 23, 24]);
    expect(text.stdout).toMatch(/^ {4}24 {2}\d{4}-\d\d-\d\dT\S+Z {2}orders-7: import\.recorded\n$/);
  });

  test('tells only what was asked for', async () => {
    using at = desk();
    await withLog(at, 2);
    const mixed = [
      line(0, { stream: 'agent/clerk', type: 'orders.placed' }),
      line(1, { stream: 'agent/clerk', type: 'orders.paid' }),
      line(2, { stream: 'agent/till', type: 'orders.placed' }),
      line(3, { stream: 'ring/clerk', type: 'stock.counted' }),
    ];
    at.run(APPEND, { input: mixed.join('') });
    const told = (...filter: readonly string[]): readonly unknown[] =>
      indexes(at.run(['tail', 'log', '--no-follow', '--since', '2', '--json', ...filter]).stdout);

    expect(told('--agent', 'clerk')).toEqual([2, 3, 5]);
    expect(told('--type', 'orders.*')).toEqual([2, 3, 4]);
    expect(told('--type', 'orders.paid', 'stock.counted')).toEqual([3, 5]);
    expect(told('--agent', 'clerk', '--type', 'orders.*')).toEqual([2, 3]);
  });

  test('a payload that is kept beside the log is read for its words', async () => {
    using at = desk();
    await withLog(at, 1);
    const data = { name: 'Sold', data: 'x'.repeat(10_000) };
    const events = [data, [...data.data]].map((one) =>
      line(0, { stream: 'agent/clerk', type: 'agent.emitted', data: one }),
    );
    at.run(APPEND, { input: events.join('') });

    const { status, stdout } = at.run(['tail', 'log', '--no-follow', '--since', '1']);

    expect(status).toBe(0);
    expect(stdout).toMatch(/clerk recorded Sold\n.*clerk recorded \?\n$/);
  });

  test('a log that is not there is not found, and a reader that goes away is no failure', async () => {
    using at = desk();
    await withLog(at, 300);

    expect(at.run(['tail', join(at.path, 'nowhere')]).status).toBe(3);
    const tail = at.start(['tail', 'log', '--since', '0']);
    await linesFrom(tail, 1);
    tail.stdout.destroy();
    at.run(APPEND, { input: lines(300, 300) });
    expect(await ended(tail)).toMatchObject({ status: 0, stderr: '' });
  });
});
