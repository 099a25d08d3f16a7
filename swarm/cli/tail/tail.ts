/** `tail`: a log as it grows, in words. It reads beside the writer and verifies nothing: `log verify` does. */
import { createColors } from 'picocolors';
import { parseDigestText } from '../../../runtime/codec/digest.ts';
import type { JsonValue } from '../../../runtime/codec/json.ts';
import { hashLeaf } from '../../../runtime/codec/merkle.ts';
import type { DigestText, LogRecord } from '../../../runtime/codec/record.ts';
import { hasCode } from '../../../runtime/core/errors.ts';
import { epochsOf, openStoreForReading } from '../../../runtime/log/log-directory.ts';
import type { LogStore } from '../../../runtime/log/store.ts';
import { jsonOf } from '../../../runtime/log/upcast.ts';
import { inWords } from '../event-words.ts';
import { eventFacts } from '../log/event-facts.ts';
import { catchInterrupts, type Shell } from '../shell.ts';
import { typeFilter } from '../type-filter.ts';
import { agentFilter } from './agent-filter.ts';
import { type Followed, follow } from './follow.ts';

type Options = {
  readonly agent?: string;
  readonly type?: readonly string[];
  readonly since?: number;
  readonly follow?: boolean;
  readonly json?: boolean;
};

/** Often enough for people, seldom enough to cost nothing: a look is a read of one page. */
const LOOK_MS = 100;
const EVENTS_BEFORE = 10;

/** Ends in order when it is interrupted: that is how people end it.
 *  @throws `log.not_found` · `log.damaged` */
export async function tail(shell: Shell, directory: string, options: Options): Promise<void> {
  using interrupts = catchInterrupts();
  const { signal } = interrupts;
  for (let from = options.since; ; from = 0) {
    const { store, epoch } = await openStoreForReading(directory);
    await using _ = store;
    const hasSuccessor = async (): Promise<boolean> => ((await epochsOf(directory)).at(-1) ?? -1) > epoch;
    const isOver = async (): Promise<boolean> => options.follow === false || signal.aborted || (await hasSuccessor());
    const start = from ?? Math.max(0, store.head().size - EVENTS_BEFORE);
    const print = printer(shell, store, options);
    for await (const page of follow(store, { from: start, pause: () => pause(signal), isOver })) {
      const text = page.map(print).join('');
      if (text !== '') await shell.out.write(text);
      if (signal.aborted) return;
    }
    if (options.follow === false || signal.aborted) return;
    await shell.notes.write(`ringmesh: the next epoch of the log has begun after epoch ${epoch}\n`);
  }
}

function printer(shell: Shell, store: LogStore, options: Options): (one: Followed) => string {
  const [isWanted, concerns] = [typeFilter(options.type ?? []), agentFilter(options.agent)];
  const { dim, yellow } = createColors(shell.out.hasColour);
  return ({ record, bytes }) => {
    if (!isWanted(record.type) || !concerns(record.stream)) return '';
    const words = inWords(record, jsonIn(record, store));
    if (options.json === true) {
      const facts = eventFacts(record, hashLeaf(bytes), () => undefined);
      return `${JSON.stringify({ schema: 'ringmesh.tail/1', words, ...facts })}\n`;
    }
    const time = new Date(record.wallMs).toISOString();
    const isNo = record.decision !== undefined && record.decision.verdict !== 'allow';
    return `${dim(`${String(record.index).padStart(6)}  ${time}`)}  ${isNo ? yellow(words) : words}\n`;
  };
}

/** `undefined` where it is no JSON, or not what it should be: the event is still told. */
function jsonIn(record: LogRecord, store: LogStore): JsonValue | undefined {
  if (record.payload.type === 'bytes') return undefined;
  try {
    return jsonOf(record, { blob: (digest) => blobIn(digest, store) });
  } catch (error) {
    if (hasCode(error)) return undefined;
    throw error;
  }
}

function blobIn(text: DigestText, store: LogStore): Uint8Array | undefined {
  const digest = parseDigestText(text);
  return digest.ok ? store.blob(digest.value) : undefined;
}

/** A timer that keeps the process alive, unlike those of the clock: waiting is all that this process does. */
async function pause(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, LOOK_MS);
  const onAbort = (): void => resolve();
  signal.addEventListener('abort', onAbort, { once: true });
  await promise;
  clearTimeout(timer);
  signal.removeEventListener('abort', onAbort);
}
