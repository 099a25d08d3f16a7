/**
 * What stands for an author's code: the digest of every module that a process loads from the first call on, in the order of
 * their addresses. Another byte in any of them is another digest; their dependencies are among them.
 */
import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { sha256 } from '../codec/digest.ts';
import { digestText } from '../codec/record.ts';
import { utf8 } from '../core/bytes.ts';

/** Watches what is loaded; the result tells its digest, as of the moment in which it is asked. */
export function watchCode(): () => string {
  const loaded = new Map<string, string>();
  registerHooks({
    load(url, context, nextLoad) {
      const result = nextLoad(url, context);
      if (url.startsWith('file:')) loaded.set(url, digestOf(result.source ?? readFileSync(new URL(url))));
      return result;
    },
  });
  return () => digestOf([...loaded].toSorted(([a], [b]) => (a < b ? -1 : 1)).join('\n'));
}

function digestOf(source: string | ArrayBufferView | ArrayBuffer): string {
  if (typeof source === 'string') return digestText(sha256(utf8(source)));
  const bytes = ArrayBuffer.isView(source)
    ? new Uint8Array(source.buffer, source.byteOffset, source.byteLength)
    : new Uint8Array(source);
  return digestText(sha256(bytes));
}
