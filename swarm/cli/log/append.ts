/**
 * `log append`: events from stdin into a log, acknowledged on stdout.
 *
 * P1. A line is acknowledged once its event is on disk, not before, in the order of the input (`in-flight.ts`).
 * P2. A line that is refused ends the run: what stood before it is recorded and acknowledged, nothing after it is appended.
 * P3. However the run ends, everything in flight is finished first and then covered by a signed checkpoint, so that a log
 *     set back to before this run shows. Only a log that has stopped signs nothing.
 */
import type { Readable } from 'node:stream';
import type { EventId } from '../../../runtime/codec/record.ts';
import { CodedError, hasCode } from '../../../runtime/core/errors.ts';
import {
  INPUT_IN_FLIGHT_BYTES_MAX,
  INPUT_IN_FLIGHT_EVENTS_MAX,
  INPUT_LINE_BYTES_MAX,
} from '../../../runtime/core/limits.ts';
import { uuidv7 } from '../../../runtime/core/uuid.ts';
import type { EventLog, Write } from '../../../runtime/log/event-log.ts';
import { type LogPorts, openLog } from '../../../runtime/log/log-directory.ts';
import { InputError, type Line, LineSplitter } from '../line-splitter.ts';
import { catchInterrupts, type Shell } from '../shell.ts';
import { parseEventLine } from './event-line.ts';
import { InFlight } from './in-flight.ts';
import { openOptions, systemPorts, type WritingOptions } from './place.ts';

export async function append(shell: Shell, directory: string, options: WritingOptions): Promise<void> {
  const ports = systemPorts();
  await using log = await openLog(directory, openOptions(options, shell.env), ports);
  using interrupts = catchInterrupts();
  const input = shell.input();
  const over = new AbortController();
  const inFlight = new InFlight((text) => shell.out.write(text), {
    eventsMax: INPUT_IN_FLIGHT_EVENTS_MAX,
    bytesMax: INPUT_IN_FLIGHT_BYTES_MAX,
    onFailure: () => over.abort(),
  });
  const failures: unknown[] = [];
  const attempt = (step: Promise<unknown>): Promise<unknown> => step.catch((error: unknown) => failures.push(error));

  const end = AbortSignal.any([interrupts.signal, over.signal]);
  await attempt(feed(input, end, (line) => appendLine(line, log, inFlight, ports)));
  await inFlight.settled();
  await attempt(inFlight.change());
  if (log.stopped === undefined && log.size > 0) await attempt(log.checkpoint()); // P3
  if (failures.length > 0) throw failures[0];
  interrupts.signal.throwIfAborted();
}

/** Gives every line to `take`, one after the other, until the input ends, `take` throws or the signal aborts. */
async function feed(input: Readable, signal: AbortSignal, take: (line: Line) => Promise<void>): Promise<void> {
  const stop = (): void => void input.destroy();
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  const splitter = new LineSplitter(INPUT_LINE_BYTES_MAX);
  const takeAll = async (lines: Iterable<Line>): Promise<void> => {
    for (const line of lines) {
      if (signal.aborted) return;
      await take(line);
    }
  };
  try {
    for await (const chunk of input) await takeAll(splitter.push(chunk as Uint8Array));
    await takeAll(splitter.end());
  } catch (error) {
    if (!signal.aborted || !hasCode(error, 'ERR_STREAM_PREMATURE_CLOSE')) throw error;
  } finally {
    signal.removeEventListener('abort', stop);
    input.destroy();
  }
}

/** Begins to append the event of a line. @throws {InputError} P2 */
async function appendLine(line: Line, log: EventLog, inFlight: InFlight, ports: LogPorts): Promise<void> {
  const parsed = parseEventLine(line.bytes);
  if (!parsed.ok) {
    const { code, message, offset } = parsed.error;
    throw new InputError(code, message, { line: line.number, ...(offset === undefined ? {} : { offset }) });
  }
  if (parsed.value === undefined) return;
  const { stream, type, data, id, actor } = parsed.value;
  const event = {
    id: id ?? (uuidv7(ports.clock, ports.random) as EventId),
    type,
    actor: actor ?? log.did,
    payload: { type: 'json', value: data },
  } as const;
  const write: Write = { stream, expected: 'any', events: [event] };
  for (;;) {
    await inFlight.room();
    const appending = log.append([write]);
    const refusal = await refusalOf(appending);
    if (refusal === undefined) {
      inFlight.add(appending, line.bytes.length);
      return;
    }
    if (!hasCode(refusal, 'log.busy') || inFlight.isEmpty) throw atLine(refusal, line);
    await inFlight.change();
  }
}

/** What `append` refuses it refuses at once, before it waits for anything: one turn of the microtask queue tells (P2). */
async function refusalOf(appending: Promise<unknown>): Promise<unknown> {
  let refusal: unknown;
  appending.catch((error: unknown) => {
    refusal = error;
  });
  await null;
  return refusal;
}

/** A refusal of the event is a fault of its line; anything else is a fault of the log. */
function atLine(refusal: unknown, line: Line): unknown {
  if (!(refusal instanceof CodedError) || !OF_THE_EVENT.has(refusal.code)) return refusal;
  return new InputError(refusal.code, refusal.message, { line: line.number, cause: refusal });
}

const OF_THE_EVENT: ReadonlySet<string> = new Set(['log.id_reused', 'log.too_large', 'json.not_data']);
