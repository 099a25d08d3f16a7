/** Why a policy was refused, with the place in its text, so that an editor can jump there and a person can see it. */
import { CodedError } from '../../runtime/core/errors.ts';

export type FaultCode =
  | 'document.malformed'
  | 'document.unknown_key'
  | 'document.unknown_name'
  | 'document.duplicate_id'
  | 'document.empty_list'
  | 'document.bad_expression'
  | 'document.never_matches'
  | 'document.too_large';

export type PolicyFault = {
  readonly code: FaultCode;
  readonly message: string;
  readonly file: string;
  /** Where in the document's data: `rules[2].when`. */
  readonly path: string;
  /** From 1, in UTF-16 code units; absent for documents that were not read from a text. */
  readonly position?: { readonly line: number; readonly column: number; readonly width: number; readonly text: string };
  readonly suggestion?: string;
};

/** Thrown where a policy is written in code: its author is there to see it. */
export class PolicyError extends CodedError {
  override readonly name = 'PolicyError';
  readonly faults: readonly PolicyFault[];
  constructor(faults: readonly PolicyFault[]) {
    super('policy.refused', faults.map(formatFault).join('\n'));
    this.faults = faults;
  }
}

/** As a compiler says it: place, code, message, the line with a caret, and what was probably meant. */
export function formatFault({ code, message, file, path, position, suggestion }: PolicyFault): string {
  const hint = suggestion === undefined ? '' : `\n  did you mean ${suggestion}?`;
  if (position === undefined) return `${file}: ${path}: ${code}: ${message}${hint}`;
  const { line, column, width, text } = position;
  const margin = String(line).length;
  const caret = ' '.repeat(column - 1) + '^'.repeat(Math.max(1, Math.min(width, text.length - column + 1)));
  return [
    `${file}:${line}:${column}: ${code}: ${message}`,
    ` ${line} | ${text}`,
    ` ${' '.repeat(margin)} | ${caret}${hint}`,
  ].join('\n');
}

/** `rules[2].when` for `['rules', 2, 'when']`. */
export function formatPath(path: readonly (string | number)[]): string {
  return (
    path.map((part, n) => (typeof part === 'number' ? `[${part}]` : n === 0 ? part : `.${part}`)).join('') || '(top)'
  );
}
