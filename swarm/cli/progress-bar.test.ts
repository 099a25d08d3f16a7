import { Writable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { progressBar, progressOn } from './progress-bar.ts';
import { Sink } from './shell.ts';

describe('a progress bar', () => {
  test.each([
    [0, 1_000_000, 80, `[${' '.repeat(40)}]   0% 0 of 1,000,000`],
    [500_000, 1_000_000, 80, `[${'#'.repeat(20)}${' '.repeat(20)}]  50% 500,000 of 1,000,000`],
    [7, 7, 80, `[${'#'.repeat(40)}] 100% 7 of 7`],
    [0, 0, 80, `[${'#'.repeat(40)}] 100% 0 of 0`],
    [1, 3, 20, ' 33%'],
  ])('of %i of %i on %i columns', (done, total, width, expected) => {
    const bar = progressBar(done, total, width);

    expect(bar).toBe(expected);
  });

  test('never fills a line, and claims 100% only for all of it', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(), fc.integer({ min: 1, max: 300 }), (done, more, width) => {
        const bar = progressBar(done, done + more + 1, width);

        expect(bar.length).toBeLessThan(width);
        expect(bar).not.toContain('100%');
      }),
    );
  });

  test('is redrawn on a terminal when it has changed, and cleared', () => {
    const { sink, text } = terminal(true);
    const progress = progressOn(sink);

    progress.show(1, 2);
    progress.show(1, 2);
    progress.clear();

    const bar = progressBar(1, 2, 80);
    expect(text()).toBe(`\r${bar}\r${' '.repeat(bar.length)}\r`);
  });

  test('is nothing where nobody looks', () => {
    const { sink, text } = terminal(false);
    const progress = progressOn(sink);

    progress.show(1, 2);
    progress.clear();

    expect(text()).toBe('');
  });
});

describe('a sink', () => {
  test.each([
    [true, {}, true],
    [true, { NO_COLOR: '1' }, false],
    [true, { NO_COLOR: '' }, true],
    [true, { TERM: 'dumb' }, false],
    [false, { FORCE_COLOR: '1' }, false],
  ])('on a terminal: %s, with %j, has colour: %s', (isTTY, env, expected) => {
    const { sink } = terminal(isTTY, env);

    expect(sink.hasColour).toBe(expected);
  });

  test('says that its reader has gone, once per write', async () => {
    const stream = new Writable({
      write: (_chunk, _encoding, done) => done(Object.assign(new Error('gone'), { code: 'EPIPE' })),
    });
    const sink = new Sink(stream, {});

    const writes = await Promise.allSettled([sink.write('a'), sink.write('b')]);

    expect(writes.map((write) => write.status === 'rejected' && (write.reason as { code: string }).code)).toEqual([
      'output.closed',
      'output.closed',
    ]);
  });
});

function terminal(isTTY: boolean, env: Readonly<Record<string, string>> = {}) {
  const chunks: string[] = [];
  const stream = new Writable({
    write(chunk, _encoding, done) {
      chunks.push(String(chunk));
      done();
    },
  });
  return { sink: new Sink(Object.assign(stream, { isTTY, columns: 80 }), env), text: () => chunks.join('') };
}
