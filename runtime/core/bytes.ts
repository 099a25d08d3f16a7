/** Bytes to text and back, and comparing. Binary is base64url without padding in records, hex nowhere but for people. */
import { Buffer } from 'node:buffer';

export function utf8(text: string): Uint8Array {
  return Buffer.from(text, 'utf8');
}

/** RFC 4648 section 5, without padding. */
export function toBase64url(bytes: Uint8Array): string {
  return view(bytes).toString('base64url');
}

/** The bytes, or `undefined` where `text` is not what `toBase64url` writes for them: no padding, no other alphabet, no
 *  stray bits in the last character. */
export function fromBase64url(text: string): Uint8Array | undefined {
  const bytes = Buffer.from(text, 'base64url');
  return bytes.toString('base64url') === text ? bytes : undefined;
}

export function toHex(bytes: Uint8Array): string {
  return view(bytes).toString('hex');
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(parts);
}

/** The two as one: the same memory where the second begins at the end of the first, else a copy. */
export function adjoin(a: Uint8Array, b: Uint8Array): Uint8Array {
  const areAdjacent = a.buffer === b.buffer && a.byteOffset + a.length === b.byteOffset;
  return areAdjacent ? Buffer.from(a.buffer, a.byteOffset, a.length + b.length) : concat(a, b);
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0;
}

/** The same memory as a Buffer, for Node's fast paths. */
export function view(bytes: Uint8Array): Buffer {
  return bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
