/** `ask`: one question to an agent that runs, through the socket of its node, and the answer. */
import process from 'node:process';
import { isDuration, toMillis } from '../../../runtime/actor/duration.ts';
import type { JsonValue } from '../../../runtime/codec/json.ts';
import { unreachable } from '../../../runtime/core/assert.ts';
import { utf8 } from '../../../runtime/core/bytes.ts';
import { CodedError, hasCode } from '../../../runtime/core/errors.ts';
import { systemClock, systemRandom } from '../../../runtime/core/system.ts';
import { uuidv7 } from '../../../runtime/core/uuid.ts';
import type { NotOk, Outcome } from '../../../runtime/kernel/outcome.ts';
import { askThrough } from '../../control/control-client.ts';
import { WITHIN_MS_MAX } from '../../control/control-server.ts';
import { parseStrictJson } from '../../policy/strict-json.ts';
import { logsOf } from '../ps/logs-of.ts';
import { readInput } from '../read-input.ts';
import { catchInterrupts, type Shell } from '../shell.ts';

type Question = { readonly agent: string; readonly message: string; readonly json: string };
type Options = { readonly of: string; readonly within: string; readonly json?: boolean };

/** @throws `control.*` · `agent.not_found` · `ask.denied`, `ask.invalid`, `ask.failed`, `ask.unanswered` for an outcome that is
 *  not ok · `usage.invalid` · `input.malformed` */
export async function ask(shell: Shell, { agent, message, json }: Question, options: Options): Promise<void> {
  const withinMs = withinOf(options.within);
  const body = await bodyOf(shell, json);
  const logs = await logsOf(shell, options.of);
  const id = uuidv7(systemClock, systemRandom);
  using interrupts = catchInterrupts();
  const asked = { id, agent, message, body, withinMs };
  const outcome = await firstAnswer(logs, asked, interrupts.signal);
  if (options.json === true) {
    await shell.out.write(`${JSON.stringify({ schema: 'ringmesh.ask/1', agent, message, id, outcome })}\n`);
  } else if (outcome.type === 'ok') {
    await shell.out.write(`${JSON.stringify(outcome.value)}\n`);
  }
  if (outcome.type !== 'ok') throw errorOf(outcome, `${agent}.${message}`);
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
