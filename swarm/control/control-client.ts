/** Asking through a node's socket. */
import { existsSync } from 'node:fs';
import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import type { Clock } from '../../runtime/core/clock.ts';
import { CodedError, hasCode, messageOf } from '../../runtime/core/errors.ts';
import type { Refusal } from '../../runtime/core/result.ts';
import type { Outcome } from '../../runtime/kernel/outcome.ts';
import type { TakenBack } from '../authority/taken-back.ts';
import type { ControlAsk } from './control-server.ts';
import { controlAddress } from './control-socket.ts';

/** Past the deadline of what is asked: the node says itself that there was no answer in time. */
const GRACE_MS = 5_000;
const RETRYABLE = { retryable: true } as const;

/** A node on this machine, by its log. */
type Place = { readonly log: string; readonly cwd: string; readonly clock: Clock };

/** What became of a signed revocation there.
 *  @throws {CodedError} `control.*` · as the node refused it: `revocation.*`, `statement.*` */
export async function revokeThrough(place: Place, statement: Uint8Array, signal: AbortSignal): Promise<TakenBack> {
  const { status, body } = await requestOf(place, { path: '/revoke', body: statement, withinMs: 0 }, signal);
  const { taken, refused, message } = JSON.parse(body) as {
    readonly taken?: TakenBack;
    readonly refused?: Refusal;
    readonly message?: string;
  };
  if (refused !== undefined) throw new CodedError(refused.code, refused.message);
  if (status === 200 && taken !== undefined) return taken;
  throw new CodedError('control.refused', `expected the node to take the revocation, found: ${message ?? status}`);
}

/** The outcome; `undefined` where the agent does not live at that node.
 *  @throws {CodedError} `control.not_running` nobody is there · `control.refused` no request that the node takes */
export async function askThrough(place: Place, ask: ControlAsk, signal: AbortSignal): Promise<Outcome | undefined> {
  const asked = { path: '/ask', body: JSON.stringify(ask), withinMs: ask.withinMs };
  const { status, body } = await requestOf(place, asked, signal);
  if (status === 404) return undefined;
  const told = JSON.parse(body) as { readonly outcome?: Outcome; readonly message?: string };
  if (status === 200 && told.outcome !== undefined) return told.outcome;
  throw new CodedError('control.refused', `expected the node to take the request, found: ${told.message ?? status}`);
}

type Asked = { readonly path: string; readonly body: string | Uint8Array; readonly withinMs: number };

async function requestOf(
  { log, cwd, clock }: Place,
  { withinMs, ...asked }: Asked,
  signal: AbortSignal,
): Promise<{ readonly status: number; readonly body: string }> {
  const socketPath = controlAddress(log, cwd);
  if (!existsSync(socketPath)) throw notRunning(log);
  const late = new AbortController();
  using _ = clock.after(withinMs + GRACE_MS, () => {
    late.abort(new CodedError('control.lost', `expected an answer of the node at ${log}, found none`, RETRYABLE));
  });
  return await post(socketPath, asked, { log, signal: AbortSignal.any([signal, late.signal]) });
}

async function post(
  socketPath: string,
  { path, body }: Omit<Asked, 'withinMs'>,
  { log, signal }: { readonly log: string; readonly signal: AbortSignal },
): Promise<{ readonly status: number; readonly body: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ readonly status: number; readonly body: string }>();
  const headers = { 'content-type': 'application/json' };
  const sent = request({ socketPath, method: 'POST', path, headers, agent: false, signal }, (response) => {
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
