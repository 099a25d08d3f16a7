import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openCheckpoint } from '../codec/checkpoint.ts';
import { formatDidKey } from '../codec/did-key.ts';
import { parseVerifierKey } from '../codec/note.ts';
import { digestText } from '../codec/record.ts';
import { unwrap } from '../core/result.ts';
import { event, events, streamId, write } from './event.fixture.ts';
import { settle } from './event-log.contract.ts';
import type { EventLog } from './event-log.ts';
import { Journal } from './journal.ts';
import { LmdbStore } from './lmdb-store.ts';
import { readVerifier, succeedLog } from './log-directory.ts';
import { recoverTree } from './recover.ts';
import { leavePen, ports, type ScratchLog, scratchLog } from './scratch-log.fixture.ts';
import { soundEventsOf } from './sound-events.fixture.ts';

async function grow(scratch: ScratchLog, from: number, to: number, isSigned = true): Promise<void> {
  await using log = await scratch.open();
  await log.append([write('a', events(from, to))]);
  if (isSigned) await log.checkpoint();
}

/** A log that has signed 6 events and whose directory is an older copy with 3. */
async function rolledBack(): Promise<ScratchLog> {
  const scratch = await scratchLog();
  await grow(scratch, 0, 3);
  scratch.save('older');
  await grow(scratch, 3, 6);
  scratch.restore('older');
  return scratch;
}

/** An epoch that is not the current one, as a verifier reads it. */
async function readEpoch(scratch: ScratchLog, epoch: number): Promise<EventLog> {
  const store = LmdbStore.open(join(scratch.directory, `epoch-${epoch}`), { mode: 'read' });
  const { key } = await readVerifier(scratch.directory, store.origin);
  return new Journal({ store, tree: recoverTree(store), clock: ports.clock, did: formatDidKey(key) });
}

const succeed = (scratch: ScratchLog, reason = 'test') =>
  succeedLog(scratch.directory, { ...scratch.options, reason }, ports);

describe('a log that was put back to an older copy', () => {
  test('is not opened for writing, whatever is tried, and the anchor stays as it was', async () => {
    await using scratch = await rolledBack();
    const anchor = join(scratch.anchors, readdirSync(scratch.anchors)[0] ?? '');
    const before = readFileSync(anchor, 'utf8');

    for (const over of [{}, { takeover: true }, { acceptMissingAnchor: true }]) {
      expect(await settle(scratch.open(over))).toMatchObject({ code: 'log.rolled_back' });
    }
    expect(readFileSync(anchor, 'utf8')).toBe(before);
  });

  test('can be read, and a reader signs nothing', async () => {
    await using scratch = await rolledBack();
    await using reader = await scratch.read();

    expect(soundEventsOf(reader)).toHaveLength(3);
    expect(await settle(reader.checkpoint())).toMatchObject({ code: 'log.read_only' });
  });

  test('is as good as ever when the copy holds all that was signed', async () => {
    await using scratch = await scratchLog();
    await grow(scratch, 0, 3);
    await grow(scratch, 3, 5, false);
    scratch.save('whole');
    await grow(scratch, 5, 7, false);
    scratch.restore('whole');

    await grow(scratch, 7, 9);

    await using log = await scratch.read();
    expect(log.size).toBe(7);
  });
});

test('a log that forked, the same size with another content, is refused', async () => {
  await using scratch = await scratchLog();
  await grow(scratch, 0, 3);
  scratch.save('fork');
  await grow(scratch, 3, 5);
  scratch.restore('fork');
  const elsewhere = join(scratch.path, 'elsewhere'); // the copy ran on beside another anchor
  {
    await using fork = await scratch.open({ anchors: elsewhere, acceptMissingAnchor: true });
    await fork.append([write('a', events(100, 102))]);
    await fork.checkpoint();
  }

  expect(await settle(scratch.open())).toMatchObject({ code: 'log.forked' });
  expect(await settle(scratch.open({ acceptMissingAnchor: true }))).toMatchObject({ code: 'log.forked' });
});

describe('a log whose anchor', () => {
  test('is missing is refused once it has signed, until a new one is accepted', async () => {
    await using scratch = await scratchLog();
    await grow(scratch, 0, 3);
    rmSync(scratch.anchors, { recursive: true });

    expect(await settle(scratch.open())).toMatchObject({ code: 'anchor.missing' });
    expect(existsSync(scratch.anchors)).toBe(false);
    {
      await using log = await scratch.open({ acceptMissingAnchor: true });
      await log.append([write('a', [event(3)])]);
      await log.checkpoint();
    }
    await grow(scratch, 4, 5);
  });

  test('is missing is opened as long as it has never signed', async () => {
    await using scratch = await scratchLog();
    await grow(scratch, 0, 3, false);

    await grow(scratch, 3, 5);

    expect(readdirSync(scratch.anchors)).toHaveLength(1);
  });

  test('was damaged, or is another log’s, is refused', async () => {
    await using scratch = await scratchLog();
    await grow(scratch, 0, 3);
    const anchor = join(scratch.anchors, readdirSync(scratch.anchors)[0] ?? '');
    const note = readFileSync(anchor, 'utf8');

    for (const damaged of [note.replace('\n3\n', '\n2\n'), note.slice(0, -10), '', note.replace(/^\w+/, 'other')]) {
      writeFileSync(anchor, damaged);
      expect(await settle(scratch.open())).toMatchObject({ code: 'anchor.damaged' });
    }
  });
});

describe('the next epoch', () => {
  test('begins with a record of where the old one ended, and of every stream', async () => {
    await using scratch = await scratchLog();
    {
      await using log = await scratch.open();
      await log.append([write('a', events(0, 3)), write('__proto__', [event(3)]), write('7', [event(4)])]);
      await log.checkpoint();
    }
    scratch.save('older');
    await grow(scratch, 5, 9);
    scratch.restore('older');
    const { origin, after } = await succeed(scratch, 'the disk was restored');

    await using old = await readEpoch(scratch, 0);
    expect(after).toEqual({ origin: old.origin, size: 5 });
    await using log = await scratch.open();
    expect(log.origin).toBe(origin);
    expect(origin).toBe(old.origin.replace(/0$/, '1'));
    const [first, ...rest] = soundEventsOf(log);
    expect(rest).toEqual([]);
    expect(first).toMatchObject({ type: 'log.succeeded', stream: 'log', actor: old.did });
    const streams = [...old.streams()].map((stream) => {
      const version = old.versionOf(stream);
      const [last] = old.readStream(stream, version);
      return { stream, version, leaf: digestText(old.leaf(last?.index ?? -1)) };
    });
    expect(streams.map(({ stream }) => stream)).toEqual(['7', '__proto__', 'a']);
    expect(first?.payload).toMatchObject({
      type: 'json',
      value: {
        origin: old.origin,
        size: 5,
        root: digestText(old.root()),
        reason: 'the disk was restored',
        anchored: { size: 9 },
        streams,
      },
    });
    expect(soundEventsOf(old)).toHaveLength(5); // the old epoch stays as it is
  });

  test('is signed for by the same key under its own name, which log.vkey gives away', async () => {
    await using scratch = await rolledBack();
    await succeed(scratch);
    const verifier = unwrap(
      parseVerifierKey(readFileSync(join(scratch.directory, 'log.vkey'), 'utf8').trim()),
      'a key',
    );

    await using log = await scratch.open();
    await log.append([write('a', [event(100)], 'none')]);
    const { note } = await log.checkpoint();

    expect(unwrap(openCheckpoint(note, verifier), 'a checkpoint')).toMatchObject({ origin: log.origin, size: 2 });
    expect(log.versionOf(streamId('a'))).toBe(0);
  });

  test('is not begun while somebody writes, unless the pen is taken from them', async () => {
    await using scratch = await rolledBack();
    await leavePen(scratch.directory, ports.identity);

    expect(await settle(succeed(scratch))).toMatchObject({ code: 'log.locked' });
    expect(readdirSync(scratch.directory).filter((name) => name.startsWith('epoch-'))).toEqual(['epoch-0']);
    await succeedLog(scratch.directory, { ...scratch.options, reason: 'test', takeover: true }, ports);
    await grow(scratch, 10, 12);
  });

  test('is begun by one of two who try', async () => {
    await using scratch = await rolledBack();

    const outcomes = await Promise.all([settle(succeed(scratch, 'one')), settle(succeed(scratch, 'two'))]);

    const codes = outcomes.map((outcome) => ('code' in outcome ? outcome.code : 'begun')).sort();
    expect(codes).toEqual(['begun', 'log.locked']);
    await using log = await scratch.read();
    expect(soundEventsOf(log)).toHaveLength(1);
  });

  test('is another one when an older copy is put back that knows nothing of the first', async () => {
    await using scratch = await rolledBack();
    await succeed(scratch);
    await grow(scratch, 100, 105);
    scratch.restore('older');

    expect(await settle(scratch.open())).toMatchObject({ code: 'log.rolled_back' });
    const { origin } = await succeed(scratch);

    expect(origin.endsWith('/log/2')).toBe(true);
    await grow(scratch, 200, 203);
  });

  test('is whole when only its key line was not written any more', async () => {
    await using scratch = await rolledBack();
    const line = readFileSync(join(scratch.directory, 'log.vkey'));
    await succeed(scratch);
    const next = readFileSync(join(scratch.directory, 'log.vkey'), 'utf8');
    writeFileSync(join(scratch.directory, 'log.vkey'), line);

    {
      await using reader = await scratch.read();
      expect(soundEventsOf(reader)).toHaveLength(1);
    }
    await grow(scratch, 10, 11);
    expect(readFileSync(join(scratch.directory, 'log.vkey'), 'utf8')).toBe(next);
  });

  test('half made aside is not seen, and swept away by the next attempt', async () => {
    await using scratch = await rolledBack();
    await succeed(scratch);
    renameSync(join(scratch.directory, 'epoch-1'), join(scratch.directory, 'epoch-1.next'));
    rmSync(join(scratch.anchors), { recursive: true });

    {
      await using reader = await scratch.read();
      expect(reader.size).toBe(3);
    }
    await succeed(scratch);
    await using log = await scratch.open();
    expect(readdirSync(scratch.directory).filter((name) => name.startsWith('epoch-'))).toEqual(['epoch-0', 'epoch-1']);
    expect(soundEventsOf(log)).toHaveLength(1);
  });
});
