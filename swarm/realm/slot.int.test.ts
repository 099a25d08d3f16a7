import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempDisposableSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { hasCode } from '../../runtime/core/errors.ts';
import { withoutPrivileges } from '../../runtime/core/users.fixture.ts';
import { APART, testApart } from './apart.fixture.ts';
import { claimAll, claimSlot } from './slot.ts';

const HOLDER = fileURLToPath(new URL('./slot-holder.fixture.ts', import.meta.url));

/** Folders of slots, and processes that claim them. */
class Place implements AsyncDisposable {
  readonly #folder = mkdtempDisposableSync(join(tmpdir(), 'ringmesh-slots-'));
  readonly directory = this.#folder.path;
  readonly #children: ChildProcessWithoutNullStreams[] = [];

  constructor(...names: readonly string[]) {
    for (const name of names) mkdirSync(join(this.directory, 'nodes', name), { recursive: true, mode: 0o700 });
  }

  /** A process and what it said: the name of its slot, or a code. */
  async claim(names: readonly string[], wrapper: readonly string[] = []) {
    const [command = '', ...args] = [...wrapper, process.execPath, HOLDER, this.directory, ...names];
    const child = spawn(command, args);
    this.#children.push(child);
    for await (const line of createInterface({ input: child.stdout })) return { child, said: line };
    throw new Error('expected a word, found none');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) await killed(child);
    this.#folder[Symbol.dispose]();
  }
}

async function killed(child: ChildProcessWithoutNullStreams): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
}

test('X1: as many processes as there are slots have one each, whoever comes first; the next has none', async () => {
  const names = ['a-1', 'a-2', 'a-3'];
  await using place = new Place(...names);
  const holders = await Promise.all(names.map(() => place.claim(names)));
  expect(holders.map(({ said }) => said).toSorted()).toEqual(names);
  expect((await place.claim(names)).said).toBe('realm.slots_taken');
});

test('X1, X2: killed -9, its slot is free at once, and the others are not', async () => {
  const names = ['a-1', 'a-2'];
  await using place = new Place(...names);
  const first = await place.claim(names);
  await place.claim(names);
  await killed(first.child);
  expect((await place.claim(names)).said).toBe(first.said);
  expect((await place.claim(names)).said).toBe('realm.slots_taken');
});

test('who lets go of it in order leaves it free', async () => {
  await using place = new Place('a-1');
  const first = await place.claim(['a-1']);
  first.child.stdin.end();
  await once(first.child, 'exit');
  using slot = claimSlot(place.directory, ['a-1']);
  expect(slot.name).toBe('a-1');
});

test('claimed twice in one process it is taken, and the first keeps it', async () => {
  await using place = new Place('a-1');
  const first = claimSlot(place.directory, ['a-1']);
  for (let n = 0; n < 3; n++) {
    expect(() => claimSlot(place.directory, ['a-1'])).toThrow(expect.objectContaining({ code: 'realm.slots_taken' }));
  }
  expect((await place.claim(['a-1'])).said).toBe('realm.slots_taken');
  first[Symbol.dispose]();
  expect((await place.claim(['a-1'])).said).toBe('a-1');
});

testApart(
  'X1: a process in another pid namespace, as in another container, finds it taken; and free when the first is killed',
  async () => {
    await using place = new Place('a-1');
    const inside = await place.claim(['a-1'], APART);
    expect(inside.said).toBe('a-1');
    expect((await place.claim(['a-1'])).said).toBe('realm.slots_taken');
    expect((await place.claim(['a-1'], APART)).said).toBe('realm.slots_taken');
    await killed(inside.child);
    await expect.poll(() => freed(place.directory), { timeout: 10_000 }).toBe(true);
    const again = await place.claim(['a-1'], APART);
    expect(again.said).toBe('a-1');
  },
);

/** `unshare` is killed first, and takes its child with it a moment later. */
function freed(directory: string): boolean {
  try {
    claimSlot(directory, ['a-1'])[Symbol.dispose]();
    return true;
  } catch (error) {
    if (hasCode(error, 'realm.slots_taken')) return false;
    throw error;
  }
}

test('slots whose keys are elsewhere are passed over; where none is here, that is said', async () => {
  await using place = new Place('a-2');
  using slot = claimSlot(place.directory, ['a-1', 'a-2', 'a-3']);
  expect(slot.name).toBe('a-2');
  expect(() => claimSlot(place.directory, ['b-1', 'b-2'])).toThrow(
    expect.objectContaining({ code: 'realm.no_keys', message: expect.stringContaining('b-1 to b-2') }),
  );
});

const UNUSABLE = expect.objectContaining({ code: 'realm.slot_unusable' });

test('a folder that cannot be written is a fault, and not a slot', async () => {
  await using place = new Place('a-1');
  const folder = join(place.directory, 'nodes/a-1');
  for (const path of [place.directory, join(folder, '..'), folder]) chmodSync(path, 0o555);
  withoutPrivileges(() => expect(() => claimSlot(place.directory, ['a-1'])).toThrow(UNUSABLE));
  for (const path of [place.directory, join(folder, '..'), folder]) chmodSync(path, 0o755);
  using slot = claimSlot(place.directory, ['a-1']);
  expect(slot.name).toBe('a-1');
});

test.each([
  ['a folder', /unable to open/, (path: string) => mkdirSync(path)],
  ['a link to nowhere', /unable to open/, (path: string) => symlinkSync('/nowhere/at/all', path)],
  ['another file', /not a database/, (path: string) => writeFileSync(path, 'x'.repeat(200))],
])('a lock file that is %s is a fault, and not a free slot', async (_what, why, spoil) => {
  await using place = new Place('a-1');
  const path = join(place.directory, 'nodes/a-1/slot.lock');
  spoil(path);
  expect(() => claimSlot(place.directory, ['a-1'])).toThrow(UNUSABLE);
  expect(() => claimSlot(place.directory, ['a-1'])).toThrow(why);
  rmSync(path, { recursive: true });
  using slot = claimSlot(place.directory, ['a-1']);
  expect(slot.name).toBe('a-1');
});

test('a process that is the whole realm has every slot or none', async () => {
  await using place = new Place('a', 'b');
  const other = await place.claim(['b']);
  expect(() => claimAll(place.directory, ['a', 'b'])).toThrow(expect.objectContaining({ code: 'realm.slots_taken' }));
  await killed(other.child);
  using _ = claimAll(place.directory, ['a', 'b']);
  expect((await place.claim(['a', 'b'])).said).toBe('realm.slots_taken');
});
