import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { liveness, type ProcessIdentity, thisProcess } from './system.ts';

const self = thisProcess();

/** Another process, as it would name itself. */
async function anotherProcess(): Promise<{ readonly identity: ProcessIdentity; readonly end: () => Promise<unknown> }> {
  const url = JSON.stringify(import.meta.resolve('./system.ts'));
  const source = `console.log(JSON.stringify((await import(${url})).thisProcess())); process.stdin.resume();`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', source], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  return {
    identity: JSON.parse(line.toString()) as ProcessIdentity,
    end: async () => {
      child.kill('SIGKILL');
      await once(child, 'close');
    },
  };
}

describe('a process', () => {
  test('names itself the same every time, and like no other', async () => {
    const { identity, end } = await anotherProcess();
    await end();

    expect(thisProcess()).toEqual(self);
    expect(identity).not.toEqual(self);
    expect(identity).toMatchObject({ boot: self.boot, namespace: self.namespace, host: self.host });
    expect(self.started).toMatch(/^\d+$/);
  });

  test('is alive until it has ended', async () => {
    const { identity, end } = await anotherProcess();

    expect(liveness(identity, self)).toBe('alive');
    expect(liveness(self, self)).toBe('alive');
    await end();
    expect(liveness(identity, self)).toBe('dead');
  });

  const others: readonly (readonly [string, Partial<ProcessIdentity>, string])[] = [
    ['of the same pid that began at another time', { started: '1' }, 'dead'],
    ['of the boot before', { boot: 'before' }, 'dead'],
    ['of the boot before, in another namespace', { boot: 'before', namespace: 'pid:[1]' }, 'dead'],
    ['in another pid namespace', { namespace: 'pid:[1]' }, 'unknown'],
    ['on another machine', { host: 'elsewhere' }, 'unknown'],
    ['on another machine that booted another time', { host: 'elsewhere', boot: 'other' }, 'unknown'],
    ['of a pid that nobody has', { pid: 2 ** 22 - 1, started: '1' }, 'dead'],
    ['of somebody else, whom it may not signal', { pid: 1, started: '1' }, 'dead'],
  ];
  test.each(others)('%s is what can be known of it', (_, over, expected) => {
    expect(liveness({ ...self, ...over }, self)).toBe(expected);
  });
});
