/** `ask`: one question to an agent that runs, through the socket of its node or the broker of its realm, and the answer. */
import process from 'node:process';
import { ORDER_MS, ORDER_TEXT_MAX } from '../../../mesh/order.ts';
import { isDuration, toMillis } from '../../../runtime/actor/duration.ts';
import type { JsonValue } from '../../../runtime/codec/json.ts';
import { unreachable } from '../../../runtime/core/assert.ts';
import { utf8 } from '../../../runtime/core/bytes.ts';
import { CodedError, hasCode } from '../../../runtime/core/errors.ts';
import { systemClock, systemRandom } from '../../../runtime/core/system.ts';
import { uuidv7 } from '../../../runtime/core/uuid.ts';
import type { NotOk, Outcome } from '../../../runtime/kernel/outcome.ts';
import { askThrough } from '../../control/control-client.ts';
import { type ControlAsk, WITHIN_MS_MAX } from '../../control/control-server.ts';
import { parseStrictJson } from '../../policy/strict-json.ts';
import type { PassphraseOptions } from '../keys/passphrase.ts';
import { sayOrder } from '../mesh/order.ts';
import { logsOf } from '../ps/logs-of.ts';
import { readInput } from '../read-input.ts';
import { catchInterrupts, type Shell } from '../shell.ts';

type Question = { readonly agent: string; readonly message: string; readonly json: string };
type Options = PassphraseOptions & {
  readonly of: string;
  readonly server?: string;
  readonly realmFolder?: string;
  readonly node?: string;
  readonly within: string;
  readonly json?: boolean;
};

/** @throws `control.*` · `agent.not_found` · `ask.denied`, `ask.invalid`, `ask.failed`, `ask.unanswered` for an outcome that is
 *  not ok · `order.*` · `usage.invalid` · `input.malformed` */
export async function ask(shell: Shell, { agent, message, json }: Question, options: Options): Promise<void> {
  const withinMs = withinOf(options.within);
  const body = await bodyOf(shell, json);
  const asked = { agent, message, body, withinMs };
  const outcome = await (isElsewhere(options) ? askRealm(shell, asked, options) : askHere(shell, asked, options.of));
  if (options.json === true) {
    await shell.out.write(`${JSON.stringify({ schema: 'ringmesh.ask/1', agent, message, outcome })}\n`);
  } else if (outcome.type === 'ok') {
    await shell.out.write(`${JSON.stringify(outcome.value)}\n`);
  }
  if (outcome.type !== 'ok') throw errorOf(outcome, `${agent}.${message}`);
}

type Asked = Omit<ControlAsk, 'id'>;
type Realm = Options & { readonly server: string; readonly realmFolder: string };

function isElsewhere(options: Options): options is Realm {
  if ((options.server === undefined) === (options.realmFolder === undefined)) return options.server !== undefined;
  throw new CodedError('usage.invalid', 'expected --server and --realm-folder, or none of them');
}

/** By an order that the operator signs, and the node's signed report. @throws `order.*` · `ask.failed` */
async function askRealm(shell: Shell, { agent, message, body, withinMs }: Asked, options: Realm): Promise<Outcome> {
  if (withinMs > ORDER_MS) {
    throw new CodedError('usage.invalid', `--within: expected at most ${ORDER_MS} ms for an agent of a realm`);
  }
  const text = JSON.stringify(body);
  if (text.length > ORDER_TEXT_MAX) {
    throw new CodedError(
      'usage.invalid',
      `expected at most ${ORDER_TEXT_MAX} characters of JSON, found ${text.length}`,
    );
  }
  const order = { action: 'ask', agent, message, body: text, why: 'asked by the operator' } as const;
  const { answer, node } = await sayOrder(shell, order, { ...options, waitMs: withinMs });
  if (answer !== undefined) return JSON.parse(answer) as Outcome;
  throw new CodedError(
    'ask.failed',
    `expected an answer that fits a report, found one that stands in the log of ${node}`,
  );
}

async function askHere(shell: Shell, asked: Asked, path: string): Promise<Outcome> {
  const logs = await logsOf(shell, path);
  using interrupts = catchInterrupts();
  return firstAnswer(logs, { id: uuidv7(systemClock, systemRandom), ...asked }, interrupts.signal);
}

/** Of the nodes there are, the one that has the agent answers. */
async function firstAnswer(
  logs: readonly string[],
  asked: Parameters<typeof askThrough>[1],
  signal: AbortSignal,
): Promise<Outcome> {
  const of = { cwd: process.cwd(), clock: systemClock };
  let isRunning = false;
  let away: unknown;
  for (const log of logs) {
    try {
      const outcome = await askThrough({ log, ...of }, asked, signal);
      if (outcome !== undefined) return outcome;
      isRunning = true;
    } catch (error) {
      if (!hasCode(error, 'control.not_running')) throw error;
      away ??= error;
    }
  }
  if (!isRunning && away !== undefined) throw away;
  throw new CodedError('agent.not_found', `expected an agent that lives here, found none called ${asked.agent}`);
}

function errorOf(outcome: NotOk, what: string): CodedError {
  const why = 'code' in outcome ? `${outcome.code}: ${outcome.message}` : 'message' in outcome ? outcome.message : '';
  const event = outcome.event === undefined ? '' : ` (event ${outcome.event})`;
  const message = `expected ${what} to be answered, found ${outcome.type}${why === '' ? '' : `: ${why}`}${event}`;
  switch (outcome.type) {
    case 'denied':
      return new CodedError('ask.denied', message);
    case 'invalid':
      return new CodedError('ask.invalid', message);
    case 'failed':
      return new CodedError('ask.failed', message);
    case 'busy':
    case 'timeout':
    case 'died':
    case 'unknown':
      return new CodedError('ask.unanswered', message);
    default:
      return unreachable(outcome);
  }
}

function withinOf(text: string): number {
  if (isDuration(text) && toMillis(text) >= 1 && toMillis(text) <= WITHIN_MS_MAX) return toMillis(text);
  throw new CodedError('usage.invalid', `--within: expected a span of time such as 30s, at most a day, found ${text}`);
}

async function bodyOf(shell: Shell, json: string): Promise<JsonValue> {
  const parsed = parseStrictJson(json === '-' ? await readInput(shell, '-') : utf8(json));
  if (parsed.ok) return parsed.value;
  throw new CodedError('input.malformed', `expected what the message is given, as JSON: ${parsed.error}`);
}
