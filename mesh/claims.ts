/**
 * The claims of an envelope: who says what to whom, as canonical JSON of one closed shape. Nothing in them depends on when
 * or over which session the message travels, so sealing a message again leaves its claims, and so its digest, as they were.
 */
import { CID, type Cid } from '../runtime/codec/cid.ts';
import { type Did, parseDid } from '../runtime/codec/did.ts';
import { type Digest, sha256, sha256Text } from '../runtime/codec/digest.ts';
import { canonicalJson } from '../runtime/codec/json.ts';
import type { DigestText, EventId } from '../runtime/codec/record.ts';
import { assert } from '../runtime/core/assert.ts';
import type { Millis } from '../runtime/core/brand.ts';
import { utf8, view } from '../runtime/core/bytes.ts';
import { err, ok, type Refusal, type Result, unwrap } from '../runtime/core/result.ts';
import { cid, DIGEST, did, digest, millis, UUID, uuid } from './fields.ts';
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
  const text = JSON.stringify(claims);
  const bytes = utf8(PLAIN.test(text) && isSound(claims) ? text : writeChecked(claims));
  assert(bytes.length <= CLAIMS_BYTES_MAX, 'encodeClaims: at most CLAIMS_BYTES_MAX bytes');
  return bytes;
}

function writeChecked(claims: Claims): string {
  const fault = claimsShape.faultIn(claims, '');
  assert(fault === undefined, `encodeClaims: ${fault?.expected} at ${fault?.path}`);
  return unwrap(canonicalJson(claims), 'claims are data');
}

export function decodeClaims(bytes: Uint8Array): Result<Claims, Refusal> {
  if (bytes.length > CLAIMS_BYTES_MAX) {
    return err({
      code: 'claims.too_large',
      message: `expected at most ${CLAIMS_BYTES_MAX} bytes, found ${bytes.length}`,
    });
  }
  const plain = readPlain(bytes);
  return plain === undefined ? readStrict(bytes, claimsShape, 'claims.malformed') : ok(plain);
}

/**
 * A short way to read most claims: all that have no budget and no trace. What it reads, `readStrict` would read as the
 * same; what it does not recognise may still be claims, and the long way says why if not. It takes half the time.
 */
function readPlain(bytes: Uint8Array): Claims | undefined {
  const text = view(bytes).toString('latin1');
  if (!PLAIN.test(text)) return undefined;
  const claims = JSON.parse(text) as Claims;
  return isSound(claims) ? claims : undefined;
}

/** What `PLAIN` leaves open. */
function isSound({ answer, body, chain, command, from, to }: Claims): boolean {
  if (answer?.code !== undefined && !CODE.test(answer.code)) return false;
  if (body.length > BODY_BYTES_MAX || !MEDIA.test(body.media) || !COMMAND.test(command)) return false;
  return isDid(from) && isDid(to) && chain.every(isDid);
}

function isDid(text: string): boolean {
  return parseDid(text).ok;
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

/** What claims are, part by part. */
export const claimsShape = object({
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

/** The canonical text of claims without budget and trace: each member in its place and spelled as RFC 8785 has it. Texts
 *  are of ASCII without quote or backslash, so they are spelled as they are; integers have digits that a double holds. */
const PLAIN = ((): RegExp => {
  const bare = (pattern: RegExp): string => pattern.source.slice(1, -1);
  const [d, u, c] = [bare(DIGEST), bare(UUID), bare(CID)];
  const [count, text] = ['(?:0|[1-9][0-9]{0,13})', '[!#-\\[\\]-~]+'];
  const listOf = (item: string, itemsMax: number): string => `\\[(?:"${item}"(?:,"${item}"){0,${itemsMax - 1}})?\\]`;
  return new RegExp(
    `^\\{(?:"answer":\\{(?:"code":"${text}",)?"request":"${d}"\\},)?"body":\\{"digest":"${d}","length":${count},"media":"${text}"\\}` +
      `(?:,"cause":\\{"index":${count},"leaf":"${d}"\\})?(?:,"certificate":"${c}")?,"chain":${listOf(text, CALL_CHAIN_MAX)}` +
      `,"command":"${text}"(?:,"contract":"${d}")?,"correlation":"${u}","deadline":${count}` +
      `,"delegation":${listOf(c, DELEGATION_CHAIN_MAX)},"from":"${text}"` +
      `,"head":\\{"origin":"${d}","root":"${d}","size":${count}\\},"id":"${u}","to":"${text}"\\}$`,
  );
})();
