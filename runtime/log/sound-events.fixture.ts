/** What must be true of any log that holds something. */
import { expect } from 'vitest';
import { Frontier } from '../codec/frontier.ts';
import { hashLeaf } from '../codec/merkle.ts';
import { decodeRecord, type LogRecord, type StreamId } from '../codec/record.ts';
import { equalBytes, toHex } from '../core/bytes.ts';
import type { EventLog } from './event-log.ts';

/** Everything that a log promises of what it holds, recomputed from its bytes alone. The events, for more questions. */
export function soundEventsOf(log: EventLog): readonly LogRecord[] {
  const [stored, bytes] = [[...log.read()], [...log.readBytes()]];
  const [frontier, versions] = [new Frontier(), new Map<StreamId, number>()];
  const faults: string[] = [];
  const must = (holds: boolean, what: string, index: number): void => {
    if (!holds) faults.push(`record ${index}: expected ${what}`);
  };
  for (const [index, found] of stored.entries()) {
    const before = stored[index - 1];
    const record = decodeRecord(bytes[index] ?? new Uint8Array(0));
    const leaf = hashLeaf(bytes[index] ?? new Uint8Array(0));
    const version = (versions.get(found.stream) ?? -1) + 1;
    versions.set(found.stream, version);
    frontier.append(leaf);
    must(record.ok, 'canonical bytes', index);
    must(record.ok && record.value.id === found.id && found.index === index, 'its own index and id', index);
    must(equalBytes(leaf, log.leaf(index)), 'its leaf hash', index);
    must(found.version === version, `version ${version} of ${found.stream}`, index);
    must(before === undefined || isAfter(found, before), 'a later time than the record before', index);
    must(log.find(found.id) === index, 'to be found by its id', index);
  }
  for (const [stream, version] of versions) {
    const expected = stored.flatMap((found) => (found.stream === stream ? [found.index] : []));
    const indexes = [...log.readStream(stream)].map((found) => found.index);
    if (indexes.join() !== expected.join()) faults.push(`${stream}: expected ${expected}, found ${indexes}`);
    if (log.versionOf(stream) !== version) faults.push(`${stream}: expected version ${version}`);
  }
  expect(faults).toEqual([]);
  expect(bytes).toHaveLength(log.size);
  expect(stored).toHaveLength(log.size);
  expect([...log.streams()]).toEqual([...versions.keys()].sort());
  expect(toHex(log.root())).toBe(toHex(frontier.root()));
  return stored;
}

function isAfter(later: LogRecord, earlier: LogRecord): boolean {
  return later.wallMs > earlier.wallMs || (later.wallMs === earlier.wallMs && later.counter === earlier.counter + 1);
}
