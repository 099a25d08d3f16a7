/** A log whose `data.mdb` was cut short, by a copy that was interrupted or a full disk, ends no command by a signal. */
import { cpSync, mkdirSync, readFileSync, rmSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Desk, desk, line, withLog } from '../command.fixture.ts';

const SIZE = 300;
const PAGE = 4_096;
const FILE = 'log/epoch-0/data.mdb';
const SMALL = ['--reserve', '0'];

const COMMANDS: { readonly [name: string]: readonly string[] } = {
  show: ['log', 'show', 'log', '--json'],
  stats: ['log', 'stats', 'log', '--json'],
  append: ['log', 'append', 'log', ...SMALL],
  prove: ['log', 'prove', 'log', '7', ...SMALL],
  export: ['log', 'export', 'log', '--out', 'out', ...SMALL],
  replay: ['log', 'replay', 'log'],
  verify: ['log', 'verify', 'log'],
};

let at: Desk;
let bytes: number;

beforeAll(async () => {
  at = desk();
  await withLog(at, SIZE);
  mkdirSync(join(at.path, 'sound'));
  for (const name of ['log', 'state']) cpSync(join(at.path, name), join(at.path, 'sound', name), { recursive: true });
  bytes = statSync(join(at.path, FILE)).size;
});

afterAll(() => at[Symbol.dispose]());

/** The command on the sound log, its file cut to `to` bytes. */
function run(command: string, to: number) {
  for (const name of ['log', 'state', 'out']) rmSync(join(at.path, name), { recursive: true, force: true });
  for (const name of ['log', 'state']) cpSync(join(at.path, 'sound', name), join(at.path, name), { recursive: true });
  truncateSync(join(at.path, FILE), to);
  return at.run(COMMANDS[command] ?? [], { input: line(SIZE) });
}

describe.each(Object.keys(COMMANDS))('log %s', (command) => {
  test('reads the file as it is', () => {
    expect(run(command, bytes)).toMatchObject({ status: 0, signal: null });
  });

  test.each([0, 1, PAGE / 2, PAGE, 2 * PAGE, 3 * PAGE])('of a file cut to %i bytes says so, with exit 5', (to) => {
    const { status, signal, stderr } = run(command, to);

    expect({ status, signal }).toEqual({ status: 5, signal: null });
    expect(stderr).toMatch(/"?log\.(damaged|unreadable)"?[:,].*data\.mdb: expected .*restore a copy/);
    expect(readFileSync(join(at.path, FILE))).toHaveLength(to);
  });
});

test('no command ends by a signal, at whatever page the file was cut, or of its last byte', () => {
  const names = Object.keys(COMMANDS);
  const lengths = Array.from({ length: Math.ceil(bytes / PAGE) }, (_, page) => page * PAGE);
  const outcomes = [...lengths, bytes - 1].map((to, n) => ({ to, ...run(names[n % names.length] ?? '', to) }));

  const others = outcomes.filter(({ status, signal }) => signal !== null || (status !== 0 && status !== 5));
  expect(others).toEqual([]);
  expect(outcomes.filter(({ status }) => status === 5).length).toBeGreaterThan(lengths.length * 0.9);
});
