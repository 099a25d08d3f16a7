/** A recorded event as the command line shows it: the names are stable, every field of the record is there. */
import { type Digest, formatDigest } from '../../../runtime/codec/digest.ts';
import type { JsonValue } from '../../../runtime/codec/json.ts';
import type { LogRecord, Payload } from '../../../runtime/codec/record.ts';
import { toBase64url, view } from '../../../runtime/core/bytes.ts';

export type EventFacts = Readonly<Record<string, unknown>>;

/** The bytes of a payload that is kept beside the log, or `undefined` to show its digest only. */
export type BlobReader = (payload: Payload & { readonly type: 'blob' }) => Uint8Array | undefined;

export function eventFacts(record: LogRecord, leaf: Digest, blob: BlobReader): EventFacts {
  const { payload, index, id, stream, version, type, ...rest } = record;
  return {
    index,
    id,
    stream,
    version,
    type,
    ...payloadFacts(payload, blob),
    ...rest,
    leaf: formatDigest(leaf),
  };
}

/** `data` for JSON that is at hand, `payload` for everything else. */
function payloadFacts(payload: Payload, blob: BlobReader): EventFacts {
  switch (payload.type) {
    case 'json':
      return { data: payload.value };
    case 'bytes':
      return { payload: { media: payload.media, length: payload.bytes.length, bytes: toBase64url(payload.bytes) } };
    case 'blob': {
      const { media, digest, length } = payload;
      const bytes = blob(payload);
      if (bytes === undefined) return { payload: { media, length, digest } };
      if (media === 'application/json') return { data: JSON.parse(view(bytes).toString('utf8')) as JsonValue };
      return { payload: { media, length, digest, bytes: toBase64url(bytes) } };
    }
  }
}

/** A payload on one line, for people. */
export function payloadText(payload: Payload): string {
  switch (payload.type) {
    case 'json':
      return JSON.stringify(payload.value);
    case 'bytes':
      return `${payload.media}, ${payload.bytes.length} bytes`;
    case 'blob':
      return `${payload.media}, ${payload.length} bytes, ${payload.digest}`;
  }
}
