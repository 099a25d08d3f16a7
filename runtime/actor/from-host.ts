/**
 * What a child process says, as the node takes it: strictly, because whoever has broken out of an author's code in the child
 * can say anything. It arrives as JSON, so what is opaque here is data at least.
 */
import { z } from 'zod';
import type { JsonValue } from '../codec/json.ts';
import type { EventId } from '../codec/record.ts';
import { err, ok, type Result } from '../core/result.ts';
import type { HostExit } from './hosts.ts';
import type { FromHost } from './protocol.ts';

const text = z.string();
const count = z.int().nonnegative();
const span = z.number().nonnegative();
const data = z.custom<JsonValue>((value) => value !== undefined);
const event = z.exactOptional(text as unknown as z.ZodType<EventId>);
const turn = text;
const named = { agent: text, contract: text };
const said = { code: text, message: text };

const outcome = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('ok'), value: data, event }),
  z.strictObject({ type: z.enum(['denied', 'invalid', 'failed']), ...said, event }),
  z.strictObject({ type: z.literal('busy'), retryAfterMs: span, event }),
  z.strictObject({ type: z.literal('timeout'), withinMs: span, event }),
  z.strictObject({ type: z.enum(['died', 'unknown']), message: text, event }),
]);

const operation = z.discriminatedUnion('verb', [
  z.strictObject({ verb: z.literal('use'), tool: text, input: data, under: text.nullable() }),
  z.strictObject({ verb: z.literal('ask'), ...named, message: text, input: data, withinMs: span }),
  z.strictObject({ verb: z.literal('tell'), ...named, message: text, input: data, retryForMs: span }),
  z.strictObject({ verb: z.literal('spawn'), ...named, options: data }),
  z.strictObject({ verb: z.literal('stop'), agent: text }),
  z.strictObject({ verb: z.literal('approve'), tool: text, input: data, withinMs: span }),
]);

const entry = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('emit'), name: text, data }),
  z.strictObject({ type: z.literal('tell'), message: text, ...named, name: text, input: data, retryForMs: span }),
  z.strictObject({
    type: z.literal('arm'),
    timer: text,
    delayMs: span,
    everyMs: span.nullable(),
    message: text,
    input: data,
  }),
  z.strictObject({ type: z.literal('cancel'), timer: text }),
  z.strictObject({ type: z.literal('watch'), agent: text, message: text }),
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
  const parsed = fromHost.safeParse(message);
  if (parsed.success) return ok(parsed.data);
  const [issue] = parsed.error.issues;
  const where = issue?.path.join('.') ?? '';
  return err({
    code: 'host.malformed',
    message: `expected a message of the protocol, found ${issue?.code} at "${where}"`,
  });
}
