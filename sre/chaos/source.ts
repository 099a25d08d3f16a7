/** A document as data, and how to say what is wrong with it: whoever read the text knows its lines and columns. */
import type { JsonValue } from '../../runtime/codec/json.ts';

export type Path = readonly (string | number)[];

export type Source<F> = {
  readonly value: JsonValue;
  /** A fault at a value or, with `key`, at the key of it. */
  readonly fault: (code: Code, message: string, at: { readonly path: Path; readonly key?: boolean }) => F;
};

export type Code = 'document.malformed' | 'document.unknown_key' | 'document.unknown_name';
