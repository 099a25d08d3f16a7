/**
 * JSON web tokens, by way of did-jwt and in one form only: compact, EdDSA with Ed25519, one fixed header per purpose. The
 * library builds tokens and checks them; the signature profile of this house checks them again, and its verdict decides.
 *
 * J1. A call to the library gets options of its own. It writes the signer it found into the options object, so that a shared
 *     one lets a token of A pass as B's (reproduced in the tests).
 * J2. The header is compared byte by byte with the only one that its purpose has. No algorithm, key, certificate or nesting
 *     is read from it, so none can be suggested by it.
 * J3. The payload is canonical JSON of one closed shape, `iss` is a DID, the resolved issuer is `iss`, and the audience is a
 *     single DID.
 * J4. `nbf` is given 2 s of skew; `exp` none. The library gives both 300 s unless told otherwise, and then the same to both.
 * J5. Nothing is fetched: DIDs resolve from what the node knows.
 */
import { createJWT, verifyJWT } from 'did-jwt';
import type { Did } from '../runtime/codec/did.ts';
import { type KeyPair, type PublicKey, sign, verify } from '../runtime/codec/ed25519.ts';
import { canonicalJson, type JsonValue } from '../runtime/codec/json.ts';
import type { Millis } from '../runtime/core/brand.ts';
import { fromBase64url, toBase64url, utf8 } from '../runtime/core/bytes.ts';
import { err, type Refusal, type Result, unwrap } from '../runtime/core/result.ts';
import { didDocument } from './did-document.ts';
import type { Subject } from './hosting.ts';
import { JWT_CHARACTERS_MAX, SKEW_MS } from './limits.ts';
import { readStrict, type Shape } from './strict-json.ts';

/** What a token is for: its media type stands in the header and keeps it from passing for another. */
export type JwtPurpose = 'iatp-dlg+jwt';

/** The members that every token has. Times in seconds. */
export type JwtClaims = { readonly iss: Did; readonly aud: Did; readonly nbf: number; readonly exp: number };

/** Who resolves a DID to what it names, and which key signs for it at present; never by the network (J5). */
export type Resolve = (did: Did) => Subject | undefined;

/** The token with these claims, signed by `pair`. */
export async function writeJwt<T extends JwtClaims & { readonly [name: string]: JsonValue }>(
  purpose: JwtPurpose,
  claims: T,
  pair: KeyPair,
): Promise<string> {
  const signer = (data: string | Uint8Array): Promise<string> =>
    Promise.resolve(toBase64url(sign(pair, typeof data === 'string' ? utf8(data) : data)));
  // A copy, since the library adds members; `iat` present and undefined, so that it adds no time of its own.
  return await createJWT(
    { ...claims, iat: undefined } as object,
    { issuer: claims.iss, signer, canonicalize: true },
    { alg: 'EdDSA', typ: purpose as 'JWT' },
  );
}

/** What a token says, if it is one of this purpose for this audience at this moment (J1–J5). Never throws on its text. */
export async function readJwt<T extends JwtClaims>(
  token: string,
  expected: {
    readonly purpose: JwtPurpose;
    readonly shape: Shape<T>;
    readonly audience: Did;
    readonly at: Millis;
    readonly resolve: Resolve;
  },
): Promise<Result<T, Refusal>> {
  const { purpose, shape, audience, at, resolve } = expected;
  if (token.length > JWT_CHARACTERS_MAX)
    return refuse('jwt.too_large', `expected at most ${JWT_CHARACTERS_MAX} characters`);
  const [header, payload, signature, ...rest] = token.split('.');
  if (header === undefined || payload === undefined || signature === undefined || rest.length > 0) {
    return refuse('jwt.malformed', 'expected three parts');
  }
  if (header !== headerOf(purpose)) return refuse('jwt.wrong_header', `expected the header of ${purpose}`); // J2
  const [payloadBytes, signatureBytes] = [fromBase64url(payload), fromBase64url(signature)];
  if (payloadBytes === undefined || signatureBytes === undefined) return refuse('jwt.malformed', 'expected base64url');
  const claims = readStrict(payloadBytes, shape, 'jwt.malformed');
  if (!claims.ok) return claims;
  const { iss, aud, nbf, exp } = claims.value;
  const subject = resolve(iss);
  const document = subject === undefined ? undefined : didDocument(subject);
  if (document === undefined) return refuse('jwt.unknown_issuer', `expected a known issuer, found ${iss}`);
  if (!verify(document.key, utf8(`${header}.${payload}`), signatureBytes)) {
    return refuse('jwt.bad_signature', `expected ${iss} to have signed`);
  }
  if (aud !== audience) return refuse('jwt.wrong_audience', `expected ${audience}, found ${aud}`);
  if (nbf * 1000 > at + SKEW_MS) return refuse('jwt.not_yet', `expected to be valid at ${at}, found from ${nbf}`);
  if (exp * 1000 <= at) return refuse('jwt.expired', `expected to be valid at ${at}, found until ${exp}`);
  return (await agrees(token, { iss, audience, at, document }))
    ? claims
    : refuse('jwt.refused', 'expected did-jwt to agree');
}

type Document = { readonly key: PublicKey; readonly didDocument: object };

/** The library's own verdict, for the same issuer (J1, J3). It can only say no: everything was checked already. */
async function agrees(
  token: string,
  expected: { readonly iss: Did; readonly audience: Did; readonly at: Millis; readonly document: Document },
): Promise<boolean> {
  const { iss, audience, at, document } = expected;
  try {
    const verified = await verifyJWT(token, {
      resolver: { resolve: () => Promise.resolve(resolution(document)) },
      audience,
      proofPurpose: 'assertionMethod',
      skewTime: SKEW_MS / 1000,
      policies: { now: Math.floor(at / 1000) },
    });
    return verified.verified && verified.issuer === iss && verified.payload.iss === iss;
  } catch (error) {
    if (error instanceof Error) return false; // the library says no by throwing
    throw error;
  }
}

function resolution({ didDocument }: Document): {
  didResolutionMetadata: object;
  didDocumentMetadata: object;
  didDocument: never;
} {
  return { didResolutionMetadata: {}, didDocumentMetadata: {}, didDocument: structuredClone(didDocument) as never };
}

/** The one header of a purpose, as the library writes it in canonical form. */
function headerOf(purpose: JwtPurpose): string {
  return toBase64url(utf8(unwrap(canonicalJson({ alg: 'EdDSA', typ: purpose }), 'a header is data')));
}

function refuse(code: string, message: string): Result<never, Refusal> {
  return err({ code, message });
}
