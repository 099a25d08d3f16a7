import { expect, test } from 'vitest';
import { systemClock, systemRandom, thisProcess } from '../../runtime/core/system.ts';
import { leavePen, scratchLog } from '../../runtime/log/scratch-log.fixture.ts';
import { openLogAt } from './open-log.ts';

const self = thisProcess();
const ports = { clock: systemClock, random: systemRandom, identity: self };
const OTHERS = [
  ['of another container, by its pid namespace', { ...self, namespace: 'pid:[1]' }],
  ['of a container with another name', { ...self, pid: 1, host: 'elsewhere' }],
] as const;

test.each(OTHERS)('a writer %s is gone for sure where the slot is ours, and only there', async (_who, holder) => {
  await using scratch = await scratchLog();
  await leavePen(scratch.directory, holder);
  const place = { log: scratch.directory, anchors: scratch.options.anchors };

  await expect(openLogAt(place, { realm: 'acme', isOurs: false }, ports)).rejects.toMatchObject({ code: 'log.locked' });
  await using log = await openLogAt(place, { realm: 'acme', isOurs: true }, ports);
  expect(log.stopped).toBeUndefined();
});

test('a writer that is seen to live keeps the log, though the slot is ours', async () => {
  await using scratch = await scratchLog();
  await leavePen(scratch.directory, self);
  const place = { log: scratch.directory, anchors: scratch.options.anchors };

  await expect(openLogAt(place, { realm: 'acme', isOurs: true }, ports)).rejects.toMatchObject({ code: 'log.locked' });
});
