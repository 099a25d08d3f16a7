/** Frames and claims with random damage: some structured, some blind. Seeded, so a failing case can be run again. */
import { concat, utf8 } from '../runtime/core/bytes.ts';
import type { Random } from '../runtime/core/random.ts';
import { admit } from './admit.ts';
import { decodeClaims } from './claims.ts';
import { splitFrame } from './frame.ts';
import { aFrame, aWorld, NOW, type World } from './world.fixture.ts';

export type Tally = { readonly cases: number; readonly admitted: number; readonly codes: ReadonlyMap<string, number> };

/** Damages honest frames `cases` times and admits them. An honest frame among them would be admitted, so each is changed. */
export function fuzzFrames(seed: string, cases: number): Tally {
  const world = aWorld(seed, 'none');
  const random = world.random.stream('frames');
  const honest = Array.from({ length: 16 }, () => aFrame(world));
  const view = world.b.view();
  const codes = new Map<string, number>();
  let admitted = 0;
  for (let n = 0; n < cases; n++) {
    const at = random.below(honest.length);
    const frame = honest[at] ?? new Uint8Array();
    // Most damage where parsing happens: what gets as far as the signature costs a thousand times as much to refuse.
    const bytes = random.below(8) === 0 ? damaged(frame, random) : torn(frame, random);
    const result = admit(bytes, NOW, view);
    if (result.ok) admitted++;
    else codes.set(result.error.code, (codes.get(result.error.code) ?? 0) + 1);
    // Damage to the body alone uses the sequence number up: go on with another frame, or all would count as replayed.
    if (result.ok || result.error.authenticated) honest[at] = aFrame(world);
  }
  return { cases, admitted, codes };
}

/** The same for claims, which an enemy with a key may write as he likes. */
export function fuzzClaims(seed: string, cases: number): Tally {
  const world = aWorld(seed);
  const random = world.random.stream('claims');
  const honest = claimsOf(world);
  const codes = new Map<string, number>();
  let admitted = 0;
  for (let n = 0; n < cases; n++) {
    const bytes = random.below(2) === 0 ? damaged(honest, random) : spliced(honest, random);
    const result = decodeClaims(bytes);
    if (!result.ok) codes.set(result.error.code, (codes.get(result.error.code) ?? 0) + 1);
    else if (!isTextual(honest, bytes)) admitted++;
  }
  return { cases, admitted, codes };
}

function claimsOf(world: World): Uint8Array {
  const split = splitFrame(aFrame(world));
  if (!split.ok) throw new Error('expected a frame');
  return split.value.claims;
}

/** Changes a letter inside one of the values: other claims, but claims. Anything else must be refused. */
function isTextual(honest: Uint8Array, changed: Uint8Array): boolean {
  return structure(honest) === structure(changed);
}

/** The text with every value blanked: names, order and punctuation. */
function structure(bytes: Uint8Array): string {
  return Buffer.from(bytes)
    .toString('latin1')
    .replace(/:"[^"]*"/g, ':""')
    .replace(/:\d+/g, ':0');
}

function damaged(bytes: Uint8Array, random: Random): Uint8Array {
  const copy = Uint8Array.from(bytes);
  switch (random.below(6)) {
    case 0: // one bit
      copy[random.below(copy.length)] = (copy[random.below(copy.length)] ?? 0) ^ 0xff;
      return different(copy, bytes, random);
    case 1: {
      const at = random.below(copy.length);
      copy[at] = (copy[at] ?? 0) ^ (1 << random.below(8));
      return copy;
    }
    case 2: // a run
      copy.set(random.bytes(Math.min(8, copy.length)), random.below(Math.max(1, copy.length - 8)));
      return different(copy, bytes, random);
    case 3: // cut
      return copy.subarray(0, random.below(copy.length));
    case 4: // grow
      return concat(copy, random.bytes(1 + random.below(64)));
    default: {
      // move a piece
      const [from, to] = [random.below(copy.length), random.below(copy.length)];
      copy.copyWithin(to, from, from + 1 + random.below(32));
      return different(copy, bytes, random);
    }
  }
}

/** Damage to the head, the lengths and the place in the batch. */
function torn(frame: Uint8Array, random: Random): Uint8Array {
  return concat(damaged(frame.subarray(0, PARSED_BYTES), random), frame.subarray(PARSED_BYTES));
}

const PARSED_BYTES = 140;

function different(copy: Uint8Array, original: Uint8Array, random: Random): Uint8Array {
  if (Buffer.compare(copy, original) !== 0) return copy;
  const at = random.below(copy.length);
  copy[at] = (copy[at] ?? 0) ^ 0x55;
  return copy;
}

/** Tokens of JSON put into a JSON text. */
function spliced(bytes: Uint8Array, random: Random): Uint8Array {
  const at = random.below(bytes.length);
  return concat(bytes.subarray(0, at), utf8(pick(TOKENS, random)), bytes.subarray(at + random.below(4)));
}

const TOKENS = [
  '"',
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  '\\u0000',
  '"__proto__":',
  'null',
  '1e400',
  '-0',
  '\ud800',
  ' ',
  '\\',
];

function pick<T>(items: readonly T[], random: Random): T {
  const item = items[random.below(items.length)];
  if (item === undefined) throw new Error('expected an item');
  return item;
}
