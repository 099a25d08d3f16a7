/** A log is there whole or is gone on with: whatever moment its creation was cut short in. */
import { cpSync, mkdirSync, mkdtempDisposableSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ManualClock, seededRandom } from '../core/simulation.ts';
import { thisProcess } from '../core/system.ts';
import { event, write } from './event.fixture.ts';
import { createLog, openLog } from './log-directory.ts';

const clock = new ManualClock();

/** A folder with a new log in it that nothing was written to. */
async function made() {
  const folder = mkdtempDisposableSync(join(tmpdir(), 'ringmesh-creation-'));
  const [directory, anchors] = [join(folder.path, 'log'), join(folder.path, 'anchors')];
  const random = seededRandom(folder.path);
  const create = (realm = 'local') => createLog(directory, { anchors, realm }, random);
  const open = () => openLog(directory, { anchors, reserveBytes: 0 }, { clock, random, identity: thisProcess() });
  const { verifierKey } = await create();
  return { directory, anchors, create, open, verifierKey, [Symbol.dispose]: () => folder.remove() };
}

/** What a creation has made by each of its moments, from its last to its first. */
const MOMENTS: readonly (readonly [string, (directory: string) => void, 'same key' | 'new key'])[] = [
  ['before the folder of its epoch had its name', (at) => move(at, 'epoch-0', 'epoch-0.next'), 'same key'],
  [
    'while that was being made',
    (at) => {
      move(at, 'epoch-0', 'epoch-0.next');
      writeFileSync(join(at, 'epoch-0.next', 'data.mdb'), '');
    },
    'same key',
  ],
  ['before that was begun', (at) => rmSync(join(at, 'epoch-0'), { recursive: true }), 'same key'],
  [
    'while its verifier key was being written',
    (at) => {
      rmSync(join(at, 'epoch-0'), { recursive: true });
      move(at, 'log.vkey', 'log.vkey.next');
    },
    'same key',
  ],
  [
    'before its verifier key was',
    (at) => {
      rmSync(join(at, 'epoch-0'), { recursive: true });
      rmSync(join(at, 'log.vkey'));
    },
    'same key',
  ],
  [
    'while its key was being written',
    (at) => {
      rmSync(join(at, 'epoch-0'), { recursive: true });
      rmSync(join(at, 'log.vkey'));
      rmSync(join(at, 'log.key'));
      writeFileSync(join(at, 'log.key.next'), 'PRIVATE+KEY+');
    },
    'new key',
  ],
  [
    'before anything was in it',
    (at) => {
      rmSync(at, { recursive: true });
      mkdirSync(at);
    },
    'new key',
  ],
];

test.each(MOMENTS)('a creation that ended %s is gone on with', async (_, undo, key) => {
  using log = await made();
  undo(log.directory);

  const again = await log.create();

  expect(again.verifierKey === log.verifierKey).toBe(key === 'same key');
  await using opened = await log.open();
  await opened.append([write('a', [event(0)])]);
  expect((await opened.checkpoint()).checkpoint.size).toBe(1);
  expect(readdirSync(log.directory).filter((name) => name.endsWith('.next'))).toEqual([]);
});

describe('no creation goes on', () => {
  test.each<[string, (directory: string) => void]>([
    ['where there is a log', () => undefined],
    ['beside what is not its own', (at) => writeFileSync(join(at, 'notes.txt'), 'mine')],
    ['beside a later epoch', (at) => move(at, 'epoch-0', 'epoch-1')],
    [
      'over a key that cannot be read',
      (at) => {
        rmSync(join(at, 'epoch-0'), { recursive: true });
        writeFileSync(join(at, 'log.key'), 'something of mine');
      },
    ],
  ])('%s, and nothing is changed', async (_, change) => {
    using log = await made();
    change(log.directory);
    const before = contentOf(log.directory);

    await expect(log.create()).rejects.toMatchObject({ code: 'log.exists' });

    expect(contentOf(log.directory)).toEqual(before);
  });

  test('over the key of a log in another realm', async () => {
    using log = await made();
    rmSync(join(log.directory, 'epoch-0'), { recursive: true });

    await expect(log.create('other')).rejects.toMatchObject({ code: 'log.exists' });
  });

  test('over the key of a log that has signed, and whose events are gone', async () => {
    using log = await made();
    {
      await using opened = await log.open();
      await opened.append([write('a', [event(0)])]);
      await opened.checkpoint();
    }
    rmSync(join(log.directory, 'epoch-0'), { recursive: true });

    await expect(log.create()).rejects.toMatchObject({ code: 'log.origin_taken' });
    expect(readdirSync(log.directory).sort()).toEqual(['log.key', 'log.vkey']);
  });
});

function move(directory: string, from: string, to: string): void {
  cpSync(join(directory, from), join(directory, to), { recursive: true });
  rmSync(join(directory, from), { recursive: true });
}

function contentOf(directory: string): readonly string[] {
  const names = readdirSync(directory).sort();
  return names.map((name) => (name.startsWith('epoch') ? name : `${name} ${readFileSync(join(directory, name))}`));
}
