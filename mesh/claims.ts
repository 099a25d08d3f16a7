/**
 * The claims of an envelope: who says what to whom, as canonical JSON of one closed shape. Nothing in them depends on when
 * or over which session the message travels, so sealing a message again leaves its claims, and so its digest, as they were.
 */
import type { Cid } from '../runtime/codec/cid.ts';
import type { Did } from '../runtime/codec/did.ts';
import { type Digest, sha256, sha256Text } from '../runtime/codec/digest.ts';
import { canonicalJson } from '../runtime/codec/json.ts';
import type { DigestText, EventId } from '../runtime/codec/record.ts';
import { assert } from '../runtime/core/assert.ts';
import type { Millis } from '../runtime/core/brand.ts';
import { utf8 } from '../runtime/core/bytes.ts';
import { err, type Refusal, type Result, unwrap } from '../runtime/core/result.ts';
import { cid, did, digest, millis, uuid } from './fields.ts';
import { BODY_BYTES_MAX, CALL_CHAIN_MAX, CLAIMS_BYTES_MAX, DELEGATION_CHAIN_MAX } from './limits.ts';
import { integer, list, object, optional, readStrict, text } from './strict-json.ts';

/** Names are those of the JSON members. */
export type Claims = {
  /** Only in answers: the digest of the request's claims, and why it failed if it did. */
  readonly answer?: { readonly code?: string; readonly request: DigestText };
  /** The salted digest of the body, its length without salt, and its media type. */
  readonly body: { readonly digest: DigestText; readonly length: number; readonly media: string };
  /** What this call may still spend. An absent member sets no bound of its own. */
  readonly budget?: {
    readonly calls?: number;
    readonly cents?: number;
    readonly ms?: number;
    readonly tokens?: number;
  };
  /** The event that brought it about, in the sender's log. */
  readonly cause?: { readonly index: number; readonly leaf: DigestText };
  /** The hosting certificate by which the sending node speaks for `from`. Absent iff `from` is the node itself. */
  readonly certificate?: Cid;
  /** Who is already waiting, outermost first: a call to one of them would be a cycle. */
  readonly chain: readonly Did[];
  /** What is asked: `/quote/price`. */
  readonly command: string;
  /** The digest of the contract that the command belongs to. */
  readonly contract?: DigestText;
  readonly correlation: EventId;
  /** After this nobody wants the answer. */
  readonly deadline: Millis;
  /** The delegation chain by content ids, root first. */
  readonly delegation: readonly Cid[];
  readonly from: Did;
  /** The sender's log, as it was when this was written. */
  readonly head: { readonly origin: DigestText; readonly root: DigestText; readonly size: number };
  /** The message. Chosen by the sender, kept when it is sealed again. */
  readonly id: EventId;
  readonly to: Did;
  /** W3C Trace Context `traceparent`: a hint, for people. */
  readonly trace?: string;
};

export function encodeClaims(claims: Claims): Uint8Array {
  const bytes = utf8(unwrap(canonicalJson(claims), 'claims are data'));
  assert(bytes.length <= CLAIMS_BYTES_MAX, 'encodeClaims: at most CLAIMS_BYTES_MAX bytes');
  const fault = CLAIMS.faultIn(claims, '');
  assert(fault === undefined, `encodeClaims: ${fault?.expected} at ${fault?.path}`);
  return bytes;
}

export function decodeClaims(bytes: Uint8Array): Result<Claims, Refusal> {
  if (bytes.length > CLAIMS_BYTES_MAX) {
    return err({
      code: 'claims.too_large',
      message: `expected at most ${CLAIMS_BYTES_MAX} bytes, found ${bytes.length}`,
    });
  }
  return readStrict(bytes, CLAIMS, 'claims.malformed');
}

/** What names a message for good: answers bind it, the log records it. */
export function messageDigest(claims: Uint8Array): Digest {
  return sha256(claims);
}

/** The same as it is written. */
export function messageId(claims: Uint8Array): DigestText {
  return sha256Text(claims) as DigestText;
}

const COMMAND = /^(?=.{2,200}$)(?:\/[a-z0-9](?:[a-z0-9_-]{0,62})){1,8}$/;
const MEDIA = /^(?=.{1,100}$)[a-z0-9][a-z0-9!#$&^_.+-]*\/[a-z0-9][a-z0-9!#$&^_.+-]*$/;
const CODE = /^(?=.{3,64}$)[a-z][a-z0-9]*(?:\.[a-z][a-z0-9_]*)+$/;
const TRACE = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-0[01]$/;

const CLAIMS = object({
  answer: optional(object({ code: optional(text('a code', (found) => CODE.test(found))), request: digest })),
  body: object({
    digest,
    length: integer(0, BODY_BYTES_MAX),
    media: text('a media type', (found) => MEDIA.test(found)),
  }),
  budget: optional(
    object({
      calls: optional(integer(0)),
      cents: optional(integer(0)),
      ms: optional(integer(0)),
      tokens: optional(integer(0)),
    }),
  ),
  cause: optional(object({ index: integer(0), leaf: digest })),
  certificate: optional(cid),
  chain: list(did, CALL_CHAIN_MAX),
  command: text('a command such as /quote/price', (found) => COMMAND.test(found)),
  contract: optional(digest),
  correlation: uuid,
  deadline: millis,
  delegation: list(cid, DELEGATION_CHAIN_MAX),
  from: did,
  head: object({ origin: digest, root: digest, size: integer(0) }),
  id: uuid,
  to: did,
  trace: optional(text('a traceparent', (found) => TRACE.test(found))),
});
