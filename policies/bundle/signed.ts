/**
 * A bundle on its way: signatures first, then the bytes they are about.
 *
 *     ringmesh-bundle/1 <name of the key> <64 bytes of Ed25519, base64url>
 *     … one line for each signer
 *
 *     {"documents":[…],"format":"ringmesh.bundle/v1","version":7}
 *
 * S1. What is signed is a domain and the very bytes that follow the empty line; they are verified as they came and parsed
 *     only then. The domain keeps a signature over a bundle from being one over anything else.
 * S2. A key counts once. A known key whose signature is wrong refuses the bundle, whoever else signed it.
 */
import { Buffer } from 'node:buffer';
import { type KeyPair, type PublicKey, sign, verify } from '../../runtime/codec/ed25519.ts';
import { canonicalJson, type JsonValue } from '../../runtime/codec/json.ts';
import { concat, fromBase64url, toBase64url, utf8, view } from '../../runtime/core/bytes.ts';
import { err, ok, type Refusal, type Result } from '../../runtime/core/result.ts';
import { type PolicyDocument, readPolicyData } from '../document/document.ts';
import { formatFault } from '../document/fault.ts';
import { atOnce, type Sliced } from '../slices.ts';
import { BUNDLE_FORMAT, type Bundle, compileSliced } from './bundle.ts';

export type BundleRefusal = Refusal<
  'policy.bundle_malformed' | 'policy.bundle_unsigned' | 'policy.bundle_bad_signature' | 'policy.bundle_older'
>;

/** Who may sign bundles, by the names that the signature lines use. */
export type BundleKeys = ReadonlyMap<string, PublicKey>;

const DOMAIN = utf8('ringmesh policy bundle 1\n');
const MARK = 'ringmesh-bundle/1';
const SIGNERS_MAX = 16;
const BYTES_MAX = 32 * 1024 * 1024;
const NAME = /^[^\s]{1,100}$/;

/** The file of a bundle, signed by each of `signers`.  */
export function signBundle(bundle: Bundle, signers: ReadonlyMap<string, KeyPair>): Uint8Array {
  const message = concat(DOMAIN, bundle.bytes);
  const lines = [...signers].map(([name, pair]) => `${MARK} ${name} ${toBase64url(sign(pair, message))}\n`);
  return concat(utf8(`${lines.join('')}\n`), bundle.bytes);
}

/** The bundle of a file that at least `quorum` of `keys` signed, compiled. Never throws on input. */
export function openBundle(file: Uint8Array, keys: BundleKeys, quorum = 1): Result<Bundle, BundleRefusal> {
  return atOnce(openSliced(file, keys, quorum));
}

/** The same, in slices. */
export function* openSliced(file: Uint8Array, keys: BundleKeys, quorum = 1): Sliced<Result<Bundle, BundleRefusal>> {
  if (file.length > BYTES_MAX) return malformed(`at most ${BYTES_MAX} bytes`, BYTES_MAX);
  const split = splitFile(file);
  if (!split.ok) return split;
  const { lines, body, offset } = split.value;
  const message = concat(DOMAIN, body);
  const signers = new Set<string>();
  for (const { name, signature } of lines) {
    const key = keys.get(name);
    if (key === undefined) continue;
    if (!verify(key, message, signature)) {
      return err({ code: 'policy.bundle_bad_signature', message: `expected a signature of ${name} over this bundle` });
    }
    signers.add(name);
  }
  if (signers.size < Math.max(1, quorum)) {
    const found = `expected signatures of ${Math.max(1, quorum)} known keys, found ${signers.size}`;
    return err({ code: 'policy.bundle_unsigned', message: found });
  }
  yield;
  return yield* parseSliced(body, offset);
}

type SignatureLine = { readonly name: string; readonly signature: Uint8Array };

function splitFile(
  file: Uint8Array,
): Result<
  { readonly lines: readonly SignatureLine[]; readonly body: Uint8Array; readonly offset: number },
  BundleRefusal
> {
  const lines: SignatureLine[] = [];
  let at = 0;
  for (;;) {
    const end = view(file).indexOf('\n', at);
    if (end === -1) return malformed('signature lines, then an empty line', at);
    if (end === at) return ok({ lines, body: file.subarray(end + 1), offset: end + 1 });
    const [mark, name = '', text = '', ...more] = view(file.subarray(at, Math.min(end, at + 400)))
      .toString('utf8')
      .split(' ');
    const signature = fromBase64url(text);
    const isGood = mark === MARK && NAME.test(name) && signature !== undefined && more.length === 0;
    if (!isGood || lines.length === SIGNERS_MAX)
      return malformed(`at most ${SIGNERS_MAX} lines "${MARK} name signature"`, at);
    lines.push({ name, signature });
    at = end + 1;
  }
}

/** The bundle of a file whose signatures nobody asks about: to look at, never to decide by. */
export function peekBundle(file: Uint8Array): Result<Bundle, BundleRefusal> {
  const split = splitFile(file);
  return split.ok ? parseBundle(split.value.body, split.value.offset) : split;
}

/** Bytes that were verified, or that this node wrote. */
export function parseBundle(body: Uint8Array, offset = 0): Result<Bundle, BundleRefusal> {
  return atOnce(parseSliced(body, offset));
}

function* parseSliced(body: Uint8Array, offset: number): Sliced<Result<Bundle, BundleRefusal>> {
  const text = Buffer.from(body).toString('utf8');
  const value = parseJson(text);
  yield;
  const canonical = value === undefined ? undefined : canonicalJson(value);
  if (canonical?.ok !== true || canonical.value !== text) return malformed('canonical JSON', offset);
  const { format, version, documents, ...more } = (value ?? {}) as Readonly<Record<string, JsonValue>>;
  const isVersion = typeof version === 'number' && Number.isSafeInteger(version) && version >= 1;
  if (format !== BUNDLE_FORMAT || !isVersion || !Array.isArray(documents) || Object.keys(more).length > 0) {
    return malformed(`a bundle of the format ${BUNDLE_FORMAT}`, offset);
  }
  const parsed: PolicyDocument[] = [];
  for (const [n, document] of (documents as readonly JsonValue[]).entries()) {
    const one = yield* readPolicyData(document, `documents[${n}]`);
    if (!one.ok) return malformed(one.error.map(formatFault).join('\n'), offset);
    parsed.push(one.value);
  }
  const compiled = yield* compileSliced(parsed, { version });
  return compiled.ok ? compiled : malformed(compiled.error.map(formatFault).join('\n'), offset);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function malformed(expected: string, offset: number): Result<never, BundleRefusal> {
  return err({ code: 'policy.bundle_malformed', message: `expected ${expected}`, offset });
}
