/** did:key for Ed25519, and for nothing else: a DID that is its own public key (W3C CCG, The did:key Method). */
import { base58btc } from 'multiformats/bases/base58';
import { concat, equalBytes } from '../core/bytes.ts';
import { err, type Refusal, type Result, unwrap } from '../core/result.ts';
import { type Did, parseDid } from './did.ts';
import { admitKey, type PublicKey } from './ed25519.ts';

/** `did:key:z6Mk…`, 56 characters: multibase base58btc over multicodec `ed25519-pub` and the key. */
export function formatDidKey(key: PublicKey): Did {
  const known = formatted.get(key);
  if (known !== undefined) return known;
  const did = unwrap(parseDid(METHOD + base58btc.encode(concat(ED25519_PUB, key.bytes))), 'a did:key is a DID');
  formatted.set(key, did);
  return did;
}

/** The key that a did:key names, admitted. One key has one did:key, so equal keys have equal DIDs. */
export function parseDidKey(text: string): Result<PublicKey, Refusal> {
  const did = parseDid(text);
  if (!did.ok) return did;
  // The length decides first: decoding base58 takes quadratic time.
  if (!text.startsWith(`${METHOD}z`) || text.length !== DID_KEY_LENGTH) return unsupported();
  const bytes = decodeBase58(text.slice(METHOD.length));
  if (bytes === undefined || !equalBytes(bytes.subarray(0, ED25519_PUB.length), ED25519_PUB)) return unsupported();
  return admitKey(bytes.subarray(ED25519_PUB.length));
}

/** Every message is asked whose it is, and base58 takes quadratic time. */
const formatted = new WeakMap<PublicKey, Did>();

const METHOD = 'did:key:';
const DID_KEY_LENGTH = 56;

/** Multicodec `ed25519-pub`, 0xed, as a varint. */
const ED25519_PUB = Uint8Array.of(0xed, 0x01);

/** `undefined` for a character outside the alphabet, the only way in which this decoder fails. */
function decodeBase58(text: string): Uint8Array | undefined {
  try {
    return base58btc.decode(text);
  } catch (error) {
    if (error instanceof Error) return undefined;
    throw error;
  }
}

function unsupported(): Result<never, Refusal> {
  return err({ code: 'did.unsupported', message: 'expected did:key:z6Mk…, an Ed25519 key of 56 characters' });
}
