import { mkdtempDisposableSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Frontier } from '../codec/frontier.ts';
import { hashLeaf } from '../codec/merkle.ts';
import { toHex } from '../core/bytes.ts';
import { seededRandom } from '../core/simulation.ts';
import { systemClock, systemRandom, thisProcess } from '../core/system.ts';
import { event, eventId, write } from './event.fixture.ts';
import type { EventLog } from './event-log.ts';
import { createLog, openLog, openReader } from './log-directory.ts';
import { soundEventsOf } from './sound-events.fixture.ts';
import { type Ack, startWriter, type Writer, type WriterTask } from './writer.fixture.ts';

const ROUNDS = Number(process.env['KILL_ROUNDS'] ?? 200);
const SEED = process.env['KILL_SEED'] ?? 'kill';

test(`a writer killed ${ROUNDS} times loses nothing that it acknowledged (KILL_SEED=${SEED})`, async () => {
  using folder = mkdtempDisposableSync(join(tmpdir(), 'ringmesh-kill-'));
  const [directory, anchors] = [join(folder.path, 'log'), join(folder.path, 'anchors')];
  await createLog(directory, { anchors }, systemRandom);
  const random = seededRandom(SEED);
  const start = (round: number): Writer => {
    const from = round * 1_000_000;
    const task: WriterTask = {
      ...{ directory, anchors, reserveBytes: 4_096, from, callers: 6, appends: 10_000 },
      ...{ eventsMax: 12, signEvery: 7, blobEvery: 50 },
    };
    return startWriter(process, task);
  };
  const acknowledged: Ack[] = [];
  const known = new Frontier();
  let unacknowledged = 0;
  let next = start(0);
  for (let round = 0; round < ROUNDS; round++) {
    const writer = next;
    next = start(round + 1); // boots while this one writes
    const acksMax = random.below(30);
    writer.go();
    if (random.below(10) > 0) await writer.said('open'); // one in ten dies while it opens the log
    if (acksMax > 0 && writer.lines.length > 0) await writer.said('ack', acksMax);
    writer.child.kill('SIGKILL');
    expect(await writer.ended).toMatchObject({ signal: 'SIGKILL', errors: '' });

    const acks = writer.acks();
    acknowledged.push(...acks);
    unacknowledged += await mustHold(directory, known, acks);
  }
  next.child.kill('SIGKILL');
  await next.ended;

  const ports = { clock: systemClock, random: systemRandom, identity: thisProcess() };
  await using log = await openLog(directory, { anchors, reserveBytes: 4_096 }, ports); // clean: no takeover asked for
  const stored = soundEventsOf(log);
  expect(missingFrom(log, acknowledged)).toEqual([]);
  expect(acknowledged.length).toBeGreaterThan(5 * ROUNDS);
  const last = { index: stored.length, count: 1, number: 999 };
  await log.append([write('last', [event(last.number)])]);
  expect(missingFrom(log, [last])).toEqual([]);
  expect((await log.checkpoint()).checkpoint.size).toBe(log.size);
  console.log(
    `kill: ${ROUNDS} rounds, ${stored.length} events, ${acknowledged.length} appends acknowledged, ` +
      `${unacknowledged} events on disk that nobody was told of`,
  );
});

/** Opens the log as it was left. Its tree must be that of its records, the acknowledged ones among them. */
async function mustHold(directory: string, known: Frontier, acks: readonly Ack[]): Promise<number> {
  await using log = await openReader(directory, systemClock);
  const before = known.size;
  for (const bytes of log.readBytes(before)) known.append(hashLeaf(bytes));
  expect(missingFrom(log, acks)).toEqual([]);
  expect([log.size, toHex(log.root())]).toEqual([known.size, toHex(known.root())]);
  return known.size - before - acks.reduce((sum, ack) => sum + ack.count, 0);
}

function missingFrom(log: EventLog, acks: readonly Ack[]): readonly string[] {
  return acks.flatMap(({ index, count, number }) =>
    Array.from({ length: count }, (_, n) => ({ found: log.find(eventId(number + n)), expected: index + n }))
      .filter(({ found, expected }) => found !== expected)
      .map(({ found, expected }) => `event ${number}: expected at ${expected}, found at ${found}`),
  );
}
