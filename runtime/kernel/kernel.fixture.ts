/** A kernel over a log in memory, and one tool, `mail.send`, that says back what it was given. */
import type { JsonValue } from '../codec/json.ts';
import { type LogRecord, parseStreamId } from '../codec/record.ts';
import { unwrap } from '../core/result.ts';
import { ManualClock, seededRandom } from '../core/simulation.ts';
import { MemoryWorld } from '../log/memory-log.ts';
import type { Action } from './action.ts';
import { allowList } from './allow-list.ts';
import type { Attempt, Executor } from './attempt.ts';
import type { Epochs, Gates } from './gate.ts';
import { Kernel } from './kernel.ts';
import type { Outcome } from './outcome.ts';

export const live = new AbortController().signal;
const stream = unwrap(parseStreamId('agent/desk'), 'a stream');

export async function bench(options: { gates?: Gates; executor?: Partial<Executor>; epochs?: () => Epochs } = {}) {
  const clock = new ManualClock();
  const random = seededRandom(7);
  const { log } = await new MemoryWorld(random).open(clock);
  const runs: string[] = [];
  const executor: Executor = {
    async run(input: JsonValue, attempt: Attempt): Promise<Outcome> {
      runs.push(`${attempt.key}: ${JSON.stringify(input)}`);
      return { type: 'ok', value: { echo: input } };
    },
    ...options.executor,
  };
  const executorOf = ({ target }: Action) => (target === 'mail.send' ? executor : undefined);
  const gates = options.gates ?? { policy: allowList({ '*': ['mail.*'] }) };
  const epochs = options.epochs === undefined ? {} : { epochs: options.epochs };
  const kernel = new Kernel({ log, clock, random, gates, executorOf, ...epochs });
  const action = (over: Partial<Action> = {}): Action => ({
    key: 't1/0',
    agent: 'desk',
    actor: log.did,
    stream,
    verb: 'use',
    target: 'mail.send',
    effect: 'unsafe',
    risk: 1,
    input: { to: 'ann' },
    withinMs: 1_000,
    ...over,
  });
  const events = async (): Promise<readonly LogRecord[]> => {
    await log.flushed();
    return [...log.readStream(stream)];
  };
  const told = async () =>
    (await events()).map(({ type, payload }) => (payload.type === 'json' ? [type, payload.value] : [type]));
  return { clock, log, kernel, action, runs, events, told };
}
