/** Asking through a node's socket. */
import { existsSync } from 'node:fs';
import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import type { Clock } from '../../runtime/core/clock.ts';
import { CodedError, hasCode, messageOf } from '../../runtime/core/errors.ts';
import type { Outcome } from '../../runtime/kernel/outcome.ts';
import type { ControlAsk } from './control-server.ts';
import { controlAddress } from './control-socket.ts';

/** Past the deadline of what is asked: the node says itself that there was no answer in time. */
const GRACE_MS = 5_000;
const RETRYABLE = { retryable: true } as const;

/** The outcome; `undefined` where the agent does not live at that node.
 *  @throws {CodedError} `control.not_running` nobody is there · `control.refused` no request that the node takes */
export async function askThrough(
  { log, cwd, clock }: { readonly log: string; readonly cwd: string; readonly clock: Clock },
  ask: ControlAsk,
  signal: AbortSignal,
): Promise<Outcome | undefined> {
  const socketPath = controlAddress(log, cwd);
  if (!existsSync(socketPath)) throw notRunning(log);
  const late = new AbortController();
  using _ = clock.after(ask.withinMs + GRACE_MS, () => {
    late.abort(new CodedError('control.lost', `expected an answer of the node at ${log}, found none`, RETRYABLE));
  });
  const ended = { log, signal: AbortSignal.any([signal, late.signal]) };
  const { status, body } = await post(socketPath, JSON.stringify(ask), ended);
  if (status === 404) return undefined;
  const told = JSON.parse(body) as { readonly outcome?: Outcome; readonly message?: string };
  if (status === 200 && told.outcome !== undefined) return told.outcome;
  throw new CodedError('control.refused', `expected the node to take the request, found: ${told.message ?? status}`);
}

async function post(
  socketPath: string,
  body: string,
  { log, signal }: { readonly log: string; readonly signal: AbortSignal },
): Promise<{ readonly status: number; readonly body: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ readonly status: number; readonly body: string }>();
  const headers = { 'content-type': 'application/json' };
  const sent = request({ socketPath, method: 'POST', path: '/ask', headers, agent: false, signal }, (response) => {
    text(response).then((read) => resolve({ status: response.statusCode ?? 0, body: read }), reject);
  });
  sent.on('error', reject);
  sent.end(body);
  try {
    return await promise;
  } catch (cause) {
    signal.throwIfAborted();
    if (hasCode(cause, 'ECONNREFUSED') || hasCode(cause, 'ENOENT')) throw notRunning(log, cause);
    const message = `expected an answer of the node at ${log}, found: ${messageOf(cause)}`;
    // biome-ignore lint/style/useErrorCause: the cause is there, as the third argument.
    throw new CodedError('control.lost', message, { cause, ...RETRYABLE });
  }
}

function notRunning(log: string, cause?: unknown): CodedError {
  return new CodedError('control.not_running', `expected a running node at ${log}, found none`, { cause });
}
