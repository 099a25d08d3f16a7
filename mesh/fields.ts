/** The shapes that recur in what nodes tell one another: names, keys, digests, ids, moments. */
import { type Cid, parseCid } from '../runtime/codec/cid.ts';
import { type Did, parseDid } from '../runtime/codec/did.ts';
import type { DigestText, EventId } from '../runtime/codec/record.ts';
import type { Millis } from '../runtime/core/brand.ts';
import { fromBase64url } from '../runtime/core/bytes.ts';
import { integer, type Shape, text } from './strict-json.ts';

export const did: Shape<Did> = text('a DID', (found) => parseDid(found).ok);

/** By its look only: admitting the key costs a millisecond and is for whoever uses it. */
export const didKey: Shape<Did> = text('did:key:z6Mk…', (found) => DID_KEY.test(found));

export const digest: Shape<DigestText> = text('a SHA-256 digest in base64url', (found) => DIGEST.test(found));

export const cid: Shape<Cid> = text('a content id bafkrei…', (found) => parseCid(found).ok);

export const uuid: Shape<EventId> = text('a UUID in lower case', (found) => UUID.test(found));

/** Milliseconds since 1970, up to the year 10889. */
export const millis = integer(0, 2 ** 48 - 1) as Shape<Millis>;

/** An agent's, tool's or contract's short name. ASCII, so that no two look alike without being alike. */
export const name: Shape<string> = text('a name of a-z 0-9 and inner hyphens, up to 63', isName);

/** A line for people: no control characters, so that none can forge a line in somebody's terminal. */
export const line: Shape<string> = text('one line of up to 500 characters', isLine);

export function isName(text: string): boolean {
  return NAME.test(text);
}

/** Bytes of one length, in base64url. */
export function bytes(length: number): Shape<string> {
  return text(`${length} bytes in base64url`, (found) => fromBase64url(found)?.length === length);
}

/** Whether a text may stand where people read it. */
export function isLine(text: string): boolean {
  return LINE.test(text);
}

const NAME = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
export const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
/** 43 characters, of which the last has two bits to spare: as `parseDigestText` has it. */
export const DIGEST = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/;
const DID_KEY = /^did:key:z6Mk[1-9A-HJ-NP-Za-km-z]{44}$/;
const LINE = /^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]{0,500}$/u;
