import { toHex } from './bytes.ts';
import type { Clock } from './clock.ts';
import type { Random } from './random.ts';

/** A version 7 UUID (RFC 9562 section 5.7): 48 bits of wall-clock milliseconds, then 74 random bits. Sorts roughly by time. */
export function uuidv7(clock: Clock, random: Random): string {
  const bytes = random.bytes(16);
  const at = clock.now();
  for (let n = 0; n < 6; n++) bytes[n] = Math.floor(at / 2 ** (8 * (5 - n))) & 0xff;
  bytes[6] = 0x70 | ((bytes[6] ?? 0) & 0x0f);
  bytes[8] = 0x80 | ((bytes[8] ?? 0) & 0x3f);
  return formatUuid(bytes);
}

/** 16 bytes as a UUID is written. */
export function formatUuid(bytes: Uint8Array): string {
  const hex = toHex(bytes);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
