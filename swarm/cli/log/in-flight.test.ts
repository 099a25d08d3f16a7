import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { Recorded } from '../../../runtime/log/event-log.ts';
import { InFlight } from './in-flight.ts';

describe('appends in flight', () => {
  test('F1: are acknowledged in their order, whatever order they end in', async () => {
    const { inFlight, written, appends } = begin(3);

    appends[2]?.resolve(recorded(2));
    appends[1]?.resolve(recorded(1));
    await turns();
    const before = written.join('');
    appends[0]?.resolve(recorded(0));
    await inFlight.settled();

    expect(before).toBe('');
    expect(written.join('')).toBe('{"index":0,"id":"id-0"}\n{"index":1,"id":"id-1"}\n{"index":2,"id":"id-2"}\n');
  });

  test('F1: that end together are acknowledged in one write', async () => {
    const { inFlight, written, appends } = begin(100);

    for (const [n, append] of appends.entries()) append.resolve(recorded(n));
    await inFlight.settled();

    expect(written).toHaveLength(1);
  });

  test('F2: leave no room past the number of events until one is acknowledged', async () => {
    const { inFlight, appends } = begin(4, { eventsMax: 4 });
    let hasRoom = false;
    const room = inFlight.room().then(() => {
      hasRoom = true;
    });

    await turns();
    const before = hasRoom;
    appends[0]?.resolve(recorded(0));
    await room;

    expect(before).toBe(false);
  });

  test('F2: leave no room past the bytes of input', async () => {
    const { inFlight, appends } = begin(2, { bytesMax: 20 });
    let hasRoom = false;
    const room = inFlight.room().then(() => {
      hasRoom = true;
    });

    await turns();
    const before = hasRoom;
    appends[0]?.resolve(recorded(0));
    await room;

    expect(before).toBe(false);
  });

  test('F2: an acknowledgement that nobody takes holds the reader back', async () => {
    const gate = Promise.withResolvers<void>();
    const { inFlight, appends } = begin(1, { eventsMax: 1, write: () => gate.promise });
    let hasRoom = false;
    const room = inFlight.room().then(() => {
      hasRoom = true;
    });

    appends[0]?.resolve(recorded(0));
    await turns();
    const before = hasRoom;
    gate.resolve();
    await room;

    expect(before).toBe(false);
  });

  test('F3: are waited for once the output is closed, and no longer written', async () => {
    let writes = 0;
    const write = (): Promise<void> => {
      writes += 1;
      return Promise.reject(new Error('gone'));
    };
    const { inFlight, appends, failures } = begin(2, { write });

    appends[0]?.resolve(recorded(0));
    await turns();
    const isWaiting = !inFlight.isEmpty;
    appends[1]?.resolve(recorded(1));
    await inFlight.settled();

    expect({ isWaiting, writes, failures: failures.length }).toEqual({ isWaiting: true, writes: 1, failures: 1 });
    await expect(inFlight.room()).rejects.toThrow('gone');
  });

  test('of which one fails acknowledge those before it and none after it', async () => {
    const { inFlight, written, appends, failures } = begin(3);

    appends[0]?.resolve(recorded(0));
    appends[1]?.reject(new Error('the disk'));
    appends[2]?.reject(new Error('the disk'));
    await inFlight.settled();

    expect(written.join('')).toBe('{"index":0,"id":"id-0"}\n');
    expect(failures).toHaveLength(1);
    await expect(inFlight.change()).rejects.toThrow('the disk');
  });
});

type Options = { eventsMax?: number; bytesMax?: number; write?: (text: string) => Promise<void> };

/** `count` appends of ten bytes each. */
function begin(count: number, { eventsMax = 1_000, bytesMax = 1_000_000, write }: Options = {}) {
  const written: string[] = [];
  const failures: string[] = [];
  const collect = async (text: string): Promise<void> => void written.push(text);
  const onFailure = (): void => void failures.push('failed');
  const inFlight = new InFlight(write ?? collect, { eventsMax, bytesMax, onFailure });
  const appends = Array.from({ length: count }, () => Promise.withResolvers<readonly Recorded[]>());
  for (const { promise } of appends) inFlight.add(promise, 10);
  return { inFlight, written, appends, failures };
}

function recorded(index: number): readonly Recorded[] {
  return [{ index, id: `id-${index}` } as Recorded];
}

async function turns(): Promise<void> {
  for (let n = 0; n < 5; n++) await nextTurn();
}
