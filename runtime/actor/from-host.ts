/**
 * What a child process says, as the node takes it: strictly, because whoever has broken out of an author's code in the child
 * can say anything. What passes can be recorded: names are names, ids are ids, spans are whole milliseconds, and all of it is
 * data of a bounded size. Whether it may happen is asked later.
 */
import { z } from 'zod';
import type { JsonValue } from '../codec/json.ts';
import { type EventId, parseEventId } from '../codec/record.ts';
import { err, ok, type Result } from '../core/result.ts';
import { isCarriable, SAID_BYTES_MAX } from './carriable.ts';
import { CONTRACT_NAME, MEMBER_NAME } from './contract.ts';
import { Grants } from './delegate-tool.ts';
import { DURATION_MS_MAX } from './duration.ts';
import type { HostExit } from './hosts.ts';
import type { FromHost } from './protocol.ts';
import { isAgentName } from './ref.ts';
import { isRestarts } from './supervision.ts';

const text = z.string();
const count = z.int().nonnegative();
/** What an author says about time in an answer; nothing is armed by it. */
const saidMs = z.number().nonnegative();
const span = z.int().min(0).max(DURATION_MS_MAX);
const data = z.custom<JsonValue>((value) => value !== undefined);
const id = z.custom<EventId>((value) => typeof value === 'string' && parseEventId(value).ok);
const event = z.exactOptional(id);
const turn = text;
const agent = text.refine(isAgentName);
const member = text.regex(MEMBER_NAME);
const named = { agent, contract: text.regex(CONTRACT_NAME) };
const said = { code: text, message: text };

const outcome = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('ok'), value: data, event }),
  z.strictObject({ type: z.enum(['denied', 'invalid', 'failed']), ...said, event }),
  z.strictObject({ type: z.literal('busy'), retryAfterMs: saidMs, event }),
  z.strictObject({ type: z.literal('timeout'), withinMs: saidMs, event }),
  z.strictObject({ type: z.enum(['died', 'unknown']), message: text, event }),
]);

/** As `spawnData` writes them: no member may stand for what the node itself says of an agent. */
const options = z.strictObject({
  restart: z.enum(['permanent', 'transient', 'temporary']),
  stop_within_ms: span,
  supervise: z.strictObject({
    strategy: z.exactOptional(z.enum(['one_for_one', 'one_for_all', 'rest_for_one'])),
    restarts: z.exactOptional(text.refine(isRestarts)),
    backoff: z.exactOptional(z.strictObject({ min: span, max: span })),
  }),
  grants: z.exactOptional(z.custom<JsonValue>((value) => Grants.safeParse(value).success)),
});

const operation = z.discriminatedUnion('verb', [
  z.strictObject({ verb: z.literal('use'), tool: text, input: data, under: id.nullable() }),
  z.strictObject({ verb: z.literal('ask'), ...named, message: member, input: data, withinMs: span }),
  z.strictObject({ verb: z.literal('tell'), ...named, message: member, input: data, retryForMs: span }),
  z.strictObject({ verb: z.literal('spawn'), ...named, options }),
  z.strictObject({ verb: z.literal('stop'), agent }),
  z.strictObject({ verb: z.literal('approve'), tool: text, input: data, withinMs: span }),
]);

const entry = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('emit'), name: text, data }),
  z.strictObject({ type: z.literal('tell'), message: id, ...named, name: member, input: data, retryForMs: span }),
  z.strictObject({
    type: z.literal('arm'),
    timer: text,
    delayMs: span,
    everyMs: span.min(1).nullable(),
    message: text,
    input: data,
  }),
  z.strictObject({ type: z.literal('cancel'), timer: text }),
  z.strictObject({ type: z.literal('watch'), agent, message: text }),
]);

const segment = z.strictObject({ entries: z.array(entry), total: count, digest: text });
const wait = z.strictObject({
  ordinal: count,
  name: text,
  digest: text,
  event: text.nullable(),
  withinMs: span.nullable(),
});
const kept = z.exactOptional(z.strictObject({ code: text, emitted: count, state: data }));

const fromHost: z.ZodType<FromHost> = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('ready'), contracts: z.array(z.strictObject({ name: text, digest: text })) }),
  z.strictObject({ type: z.literal('operation'), turn, ordinal: count, operation }),
  z.strictObject({ type: z.literal('park'), turn, waits: z.array(wait), segment }),
  z.strictObject({ type: z.literal('done'), turn, reply: outcome, segment, state: text, kept }),
  z.strictObject({ type: z.literal('failed'), turn, ...said }),
  z.strictObject({ type: z.literal('stale'), turn }),
  z.strictObject({ type: z.literal('diverged'), turn, expected: text, found: text }),
]);

/** A message of the protocol, or why its host must end. */
export function parseFromHost(message: unknown): Result<FromHost, HostExit> {
  if (!isCarriable(message)) {
    return err({ code: 'host.malformed', message: `expected data of at most ${SAID_BYTES_MAX} bytes` });
  }
  const parsed = fromHost.safeParse(message);
  if (parsed.success) return ok(parsed.data);
  const [issue] = parsed.error.issues;
  const where = issue?.path.join('.') ?? '';
  return err({
    code: 'host.malformed',
    message: `expected a message of the protocol, found ${issue?.code} at "${where}"`,
  });
}
