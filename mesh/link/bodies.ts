/**
 * What stands in the bodies of requests and answers: canonical JSON. A body is signed, but by somebody else: it is read as
 * strictly as anything from outside.
 */
import { isUtf8 } from 'node:buffer';
import { canonicalJson, type JsonValue } from '../../runtime/codec/json.ts';
import { utf8, view } from '../../runtime/core/bytes.ts';
import { messageOf } from '../../runtime/core/errors.ts';
import { err, ok, type Refusal, type Result, unwrap } from '../../runtime/core/result.ts';
import type { NotOk, Outcome } from '../../runtime/kernel/outcome.ts';
import type { Kind } from '../head.ts';
import { integer, object, oneOf, optional, readStrict, text } from '../strict-json.ts';
import { LARGE_BODY_BYTES_MAX } from './limits.ts';

export const JSON_MEDIA = 'application/json';

/** An answer as it is to be signed. */
export type Answer = {
  readonly kind: Extract<Kind, 'reply' | 'failure' | 'accepted'>;
  readonly code?: string;
  readonly content: Uint8Array;
};

/** A body as it is signed and hashed. What an envelope has no room for travels by digest (`body-reference.ts`). */
export function writeBody(value: JsonValue): Result<Uint8Array, Refusal> {
  const written = canonicalJson(value);
  if (!written.ok) return written;
  const bytes = utf8(written.value);
  if (bytes.length <= LARGE_BODY_BYTES_MAX) return ok(bytes);
  const message = `expected at most ${LARGE_BODY_BYTES_MAX} bytes of JSON, found ${bytes.length}`;
  return err({ code: 'body.too_large', message });
}

export function readBody(bytes: Uint8Array): Result<JsonValue, Refusal> {
  if (!isUtf8(bytes)) return err({ code: 'body.malformed', message: 'expected UTF-8' });
  const written = view(bytes).toString('utf8');
  try {
    const value = JSON.parse(written) as JsonValue;
    const canonical = canonicalJson(value);
    if (canonical.ok && canonical.value === written) return ok(value);
    return err({ code: 'body.malformed', message: 'expected the canonical spelling' });
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return err({ code: 'body.malformed', message: `expected JSON, found otherwise: ${messageOf(error)}` });
  }
}

/** The answer that says this outcome of an ask. */
export function answerToAsk(outcome: Outcome): Answer {
  if (outcome.type !== 'ok') return failure(outcome);
  const content = writeBody(outcome.value);
  return content.ok ? { kind: 'reply', content: content.value } : failure({ type: 'failed', ...content.error });
}

/** The answer that says whether a tell was accepted. */
export function answerToTell(outcome: Outcome<null>): Answer {
  if (outcome.type !== 'ok') return failure(outcome);
  const { event } = outcome;
  const content = unwrap(writeBody(event === undefined ? null : { event }), 'an acceptance is data');
  return { kind: 'accepted', content };
}

/** What an answer says became of the request. Never throws. */
export function readAnswer(kind: Kind, content: Uint8Array): Outcome {
  if (kind === 'accepted') return { type: 'ok', value: null };
  if (kind === 'reply') {
    const value = readBody(content);
    return value.ok ? { type: 'ok', value: value.value } : malformed();
  }
  const read = readStrict(content, FAILURE, 'answer.malformed');
  if (!read.ok) return malformed();
  const { type, code = 'answer.malformed', message = '', ms = 0 } = read.value;
  switch (type) {
    case 'busy':
      return { type, retryAfterMs: ms };
    case 'timeout':
      return { type, withinMs: ms };
    case 'died':
    case 'unknown':
      return { type, message };
    default:
      return { type, code, message };
  }
}

const TEXT_MAX = 2_000;
const CODE = /^(?=.{3,64}$)[a-z][a-z0-9]*(?:\.[a-z][a-z0-9_]*)+$/;
const FAILURE = object({
  code: optional(text('a code', (found) => CODE.test(found))),
  message: optional(text(`up to ${TEXT_MAX} characters`, (found) => found.length <= TEXT_MAX)),
  ms: optional(integer(0)),
  type: oneOf('denied', 'busy', 'timeout', 'died', 'invalid', 'failed', 'unknown'),
});

function failure(outcome: NotOk): Answer {
  const code = codeOf(outcome);
  const ms = millisOf(outcome);
  const content = writeBody({
    code,
    ...('message' in outcome ? { message: outcome.message.slice(0, TEXT_MAX).toWellFormed() } : {}),
    ...(ms === undefined ? {} : { ms }),
    type: outcome.type,
  });
  return { kind: 'failure', code, content: unwrap(content, 'a failure is data') };
}

function codeOf(outcome: NotOk): string {
  if ('code' in outcome) {
    const code = CODE.test(outcome.code) ? outcome.code : 'answer.failed';
    return code;
  }
  return NAMELESS[outcome.type].code;
}

/** Outcomes that have no code of their own still need one in the claims. */
const NAMELESS = {
  busy: { code: 'answer.busy' },
  timeout: { code: 'answer.timeout' },
  died: { code: 'answer.died' },
  unknown: { code: 'answer.unknown' },
} as const;

function millisOf(outcome: NotOk): number | undefined {
  if (outcome.type === 'busy') return Math.max(0, Math.ceil(outcome.retryAfterMs));
  return outcome.type === 'timeout' ? Math.max(0, Math.ceil(outcome.withinMs)) : undefined;
}

function malformed(): Outcome {
  return { type: 'failed', code: 'answer.malformed', message: 'expected an answer of the form that its kind has' };
}
