import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { type Desk, desk, ended, line, lines, linesFrom, objects, withLog } from '../command.fixture.ts';

const ID = '01890000-0000-7000-8000-000000000001';
const SMALL = ['--reserve', '0'];

describe('log append', () => {
  test('acknowledges every event with its index and id, in the order of the input', async () => {
    using at = desk();
    await withLog(at, 2);

    const { status, stdout, stderr } = at.run(['log', 'append', 'log', ...SMALL], {
      input: line(2) + line(3, { id: ID }) + line(4),
    });

    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const acks = objects(stdout);
    expect(acks.map(({ index }) => index)).toEqual([2, 3, 4]);
    expect(acks[1]).toEqual({ index: 3, id: ID });
    expect(
      shown(at)
        .map(({ index, id }) => ({ index, id }))
        .slice(2),
    ).toEqual(acks);
  });

  test('takes a last line without a newline, blank lines, and any data and well-formed type', async () => {
    using at = desk();
    await withLog(at, 0);
    const input = `\n{"stream":"a","type":"saga.step_undone","data":null}\n  \r\n{"stream":"b","type":"x.y","data":[1.5,"é"]}`;

    const { status } = at.run(['log', 'append', 'log', ...SMALL], { input });

    expect(status).toBe(0);
    expect(shown(at)).toMatchObject([
      { stream: 'a', version: 0, type: 'saga.step_undone', data: null },
      { stream: 'b', version: 0, type: 'x.y', data: [1.5, 'é'] },
    ]);
  });

  test('records the actor that is named, else the log itself', async () => {
    using at = desk();
    await withLog(at, 0);

    at.run(['log', 'append', 'log', ...SMALL], { input: line(0, { actor: 'did:web:example.com' }) + line(1) });

    expect(shown(at)).toMatchObject([{ actor: 'did:web:example.com' }, { actor: /^did:key:z6Mk/ }].map(matching));
  });

  test('records an id once, however often its event is sent', async () => {
    using at = desk();
    await withLog(at, 0);

    const { status, stdout } = at.run(['log', 'append', 'log', ...SMALL], {
      input: line(0, { id: ID }) + line(1) + line(0, { id: ID }),
    });

    expect(status).toBe(0);
    expect(objects(stdout).map(({ index }) => index)).toEqual([0, 1, 0]);
    expect(shown(at)).toHaveLength(2);
  });

  test.each([
    ['is not JSON', '{"stream": nonsense}\n', 'input.malformed', /^line 3, byte 11: /],
    ['has a reserved type', line(2, { type: 'log.succeeded' }), 'input.reserved_type', /^line 3, byte \d+: /],
    ['takes another event’s id', line(2, { id: ID }), 'log.id_reused', /^line 3: /],
    ['is larger than a blob', line(2, { data: 'x'.repeat(17 * 2 ** 20) }), 'log.too_large', /^line 3: /],
    ['holds a lone surrogate', '{"stream":"s","type":"x.y","data":"\\ud800"}\n', 'json.not_data', /^line 3: /],
  ])(
    'stops at a line that %s, with exit 2 and its place; what was acknowledged stays',
    async (_what, bad, code, place) => {
      using at = desk();
      await withLog(at, 0);

      const { status, stdout, stderr } = at.run(['log', 'append', 'log', '--json', ...SMALL], {
        input: line(0, { id: ID }) + line(1) + bad + line(3),
      });

      expect(status).toBe(2);
      expect(objects(stdout).map(({ index }) => index)).toEqual([0, 1]);
      expect(JSON.parse(stderr)).toMatchObject({ error: { code, message: expect.stringMatching(place), line: 3 } });
      expect(shown(at)).toHaveLength(2);
      expect(statsOf(at)).toMatchObject({ size: 2, signed: 2 });
    },
  );

  test('refuses to append to what is no log, with exit 3', () => {
    using at = desk();

    const { status, stdout } = at.run(['log', 'append', 'nowhere'], { input: line(0) });

    expect({ status, stdout }).toEqual({ status: 3, stdout: '' });
  });

  test('signs a checkpoint when it ends', async () => {
    using at = desk();

    await withLog(at, 7);

    expect(statsOf(at)).toMatchObject({ size: 7, signed: 7, checkpoints: 1 });
  });

  test('acknowledges while the input is still open', async () => {
    using at = desk();
    await withLog(at, 0);
    const child = at.start(['log', 'append', 'log', ...SMALL]);

    child.stdin.write(line(0));
    const acks = await linesFrom(child, 1);
    child.stdin.end();
    const { status } = await ended(child);

    expect(objects(acks)).toMatchObject([{ index: 0 }]);
    expect(status).toBe(0);
  });

  test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    '%s: finishes what is in flight, signs, and ends by the signal',
    async (name) => {
      using at = desk();
      await withLog(at, 0);
      const child = at.start(['log', 'append', 'log', ...SMALL]);
      child.stdin.on('error', () => undefined);

      child.stdin.write(lines(5_000));
      const first = await linesFrom(child, 1);
      child.kill(name);
      const { signal, stdout, stderr } = await ended(child);

      const acks = objects(first + stdout);
      expect({ signal, stderr }).toEqual({ signal: name, stderr: '' });
      expect(shown(at).map(({ index, id }) => ({ index, id }))).toEqual(acks);
      expect(statsOf(at)).toMatchObject({ size: acks.length, signed: acks.length });
    },
  );

  test('ends quietly when nobody reads its acknowledgements any more', async () => {
    using at = desk();
    await withLog(at, 0);
    const child = at.start(['log', 'append', 'log', ...SMALL]);
    child.stdin.on('error', () => undefined);

    child.stdin.write(line(0));
    await linesFrom(child, 1);
    child.stdout.destroy();
    child.stdin.write(lines(2_000, 1)); // and stays open
    const { status, stderr } = await ended(child);

    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const { size, signed } = statsOf(at);
    expect(signed).toBe(size);
  });

  test('killed in mid-append, it keeps every event that it acknowledged', async () => {
    using at = desk();
    await withLog(at, 0);
    const acknowledged: unknown[] = [];
    for (let round = 0; round < 5; round++) {
      const child = at.start(['log', 'append', 'log', ...SMALL]);
      child.stdin.on('error', () => undefined);
      const isOver = once(child, 'close');
      let text = '';
      child.stdout.on('data', (chunk) => {
        text += String(chunk);
        if (text.length > 20_000 * (round + 1)) child.kill('SIGKILL');
      });
      for (let n = 0; child.exitCode === null && child.signalCode === null && n < 200_000; n += 1_000) {
        if (!child.stdin.write(lines(1_000, n))) await Promise.race([drained(child), isOver]);
      }
      await isOver;
      acknowledged.push(...objects(text.slice(0, text.lastIndexOf('\n') + 1)));
    }

    const there = new Map(shown(at).map(({ index, id }) => [index, id]));

    const lost = acknowledged.filter(
      (ack) => there.get((ack as { index: number }).index) !== (ack as { id: string }).id,
    );
    expect(acknowledged.length).toBeGreaterThan(1_000);
    expect(lost).toEqual([]);
  });

  test('a second writer is refused while the first one lives, and may take over when told to', async () => {
    using at = desk();
    await withLog(at, 0);
    const first = at.start(['log', 'append', 'log', ...SMALL]);
    first.stdin.write(line(0));
    await linesFrom(first, 1);

    const refused = at.run(['log', 'append', 'log', ...SMALL], { input: line(1) });
    const second = at.run(['log', 'append', 'log', '--takeover', ...SMALL], { input: line(2) });
    first.stdin.end(line(3));
    const fenced = await ended(first);

    expect(refused).toMatchObject({ status: 1, stdout: '', stderr: expect.stringMatching(/^ringmesh: log\.locked: /) });
    expect(second).toMatchObject({ status: 0, stdout: expect.stringContaining('"index":1') });
    expect(fenced).toMatchObject({ status: 1, stdout: '', stderr: expect.stringMatching(/^ringmesh: log\.\w+: /) });
    expect(shown(at).map(({ data }) => data)).toEqual([{ n: 0 }, { n: 2 }]);
  });

  test('appends 100,000 lines of 1 KiB in a heap of 64 MB, and in memory that does not grow with them', async () => {
    using at = desk();
    await withLog(at, 0);
    const count = 100_000;
    const data = 'x'.repeat(900);
    const child = at.start(['log', 'append', 'log', ...SMALL], { nodeArgs: ['--max-old-space-size=64'] });
    const result = ended(child);
    const peaks: number[] = [];

    for (let n = 0; n < count; n += 1_000) {
      const text = Array.from({ length: 1_000 }, (_, i) => line(n + i, { data })).join('');
      if (!child.stdin.write(text)) await drained(child);
      peaks.push(anonymousMegabytes(child.pid));
    }
    child.stdin.end();
    const { status, stderr, stdout } = await result;

    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(objects(stdout).map(({ index }) => index)).toEqual(Array.from({ length: count }, (_, n) => n));
    expect(Math.max(...peaks)).toBeLessThan(256);
  });

  test('reads no further while nobody takes its acknowledgements', async () => {
    using at = desk();
    await withLog(at, 0);
    const child = at.start(['log', 'append', 'log', ...SMALL]);
    child.stdin.on('error', () => undefined);
    const input = lines(50_000);

    let written = 0;
    for (let isStuck = false; !isStuck && written < input.length; ) {
      const part = input.slice(written, written + 65_536);
      written += part.length;
      const isTaken = child.stdin.write(part) || (await Promise.race([drained(child), sleep(3_000, false)]));
      isStuck = isTaken === false;
    }
    const before = written;
    child.stdin.end(input.slice(written));
    const { status, stdout } = await ended(child);

    expect(before).toBeLessThan(input.length / 2);
    expect(status).toBe(0);
    expect(objects(stdout)).toHaveLength(50_000);
  });
});

function shown(at: Desk): readonly Record<string, unknown>[] {
  return objects(at.run(['log', 'show', 'log', '--json']).stdout);
}

function statsOf(at: Desk): Record<string, unknown> {
  return objects(at.run(['log', 'stats', 'log', '--json']).stdout)[0] ?? {};
}

/** Resolves when the process has taken what was written; never when it has ended meanwhile. */
async function drained({ stdin }: ReturnType<Desk['start']>): Promise<true> {
  const { promise, resolve } = Promise.withResolvers<true>();
  stdin.once('drain', () => resolve(true));
  return promise;
}

function matching({ actor }: { readonly actor: string | RegExp }): object {
  return { actor: typeof actor === 'string' ? actor : expect.stringMatching(actor) };
}

/** Memory that is the process's own: the log's file, mapped, is the kernel's to keep or drop. 0 where Linux's book is not. */
function anonymousMegabytes(pid: number | undefined): number {
  try {
    const [, kilobytes = '0'] = /^RssAnon:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    return Number(kilobytes) / 1_024;
  } catch (error) {
    if ((error as { readonly code?: string }).code === 'ENOENT') return 0;
    throw error;
  }
}
