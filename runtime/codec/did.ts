/** Decentralized identifiers, W3C DID 1.1 section 3.1. Syntax only: whom a DID names is for its method to say. */
import type { Brand } from '../core/brand.ts';
import { err, ok, type Refusal, type Result } from '../core/result.ts';

/** A DID, not a DID URL: no path, query or fragment. Two are the same iff their texts are. */
export type Did = Brand<`did:${string}:${string}`, 'Did'>;

/** The specification has no bound. did:key takes 56 characters and a did:web host at most 253, so this leaves room. */
const DID_LENGTH_MAX = 512;

/**
 * `"did:" 1*method-char ":" method-specific-id`, where a method-char is `a-z 0-9`, and the id is made of `A-Z a-z 0-9 . - _`,
 * `%` with two hexadecimal digits, and colons, of which it does not end in one. The refusal's offset is the first
 * character that no DID could have there; everything before it is ASCII, so it counts bytes and characters alike.
 */
export function parseDid(text: string): Result<Did, Refusal> {
  if (text.length > DID_LENGTH_MAX) return malformed(`at most ${DID_LENGTH_MAX} characters`, DID_LENGTH_MAX);
  if (DID.test(text)) return ok(text as Did);
  if (!text.startsWith(SCHEME)) return malformed('did: at the beginning', commonPrefix(text, SCHEME));

  let at = SCHEME.length;
  while (METHOD.has(text[at])) at++;
  if (at === SCHEME.length) return malformed('a method name of a-z 0-9', at);
  if (text[at] !== ':') return malformed('a colon after the method name', at);

  at++;
  while (at < text.length) {
    if (text[at] === '%') {
      if (!HEX.has(text[at + 1])) return malformed('a hexadecimal digit', at + 1);
      if (!HEX.has(text[at + 2])) return malformed('a hexadecimal digit', at + 2);
      at += 3;
    } else if (ID.has(text[at])) {
      at++;
    } else {
      return malformed('A-Z a-z 0-9 . - _ : or %', at);
    }
  }
  return text.endsWith(':') ? malformed('an identifier that does not end in a colon', at) : ok(text as Did);
}

/** The same in one look; what it refuses is walked, to say where it is wrong. */
const DID = /^did:[a-z0-9]+:(?:[\w.:-]|%[0-9a-fA-F]{2})*(?<!:)$/;

const SCHEME = 'did:';
const LOWER = 'abcdefghijklmnopqrstuvwxyz';
const DIGITS = '0123456789';
const METHOD = setOf(LOWER + DIGITS);
const HEX = setOf(`${DIGITS}abcdefABCDEF`);
const ID = setOf(`${LOWER}${LOWER.toUpperCase()}${DIGITS}.-_:`);

function setOf(characters: string): ReadonlySet<string | undefined> {
  return new Set(characters);
}

function commonPrefix(text: string, expected: string): number {
  let length = 0;
  while (length < expected.length && text[length] === expected[length]) length++;
  return length;
}

function malformed(expected: string, offset: number): Result<never, Refusal> {
  return err({ code: 'did.malformed', message: `expected ${expected}`, offset });
}
