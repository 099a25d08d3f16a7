/** How an error reads on stderr: one line, `ringmesh: <code>: <message>`, or one JSON object with `--json`. */
import { hasCode, messageOf } from '../../runtime/core/errors.ts';
import { type ExitCode, exitCodeOf } from './exit-code.ts';

export type Report = {
  readonly code: string;
  readonly message: string;
  readonly exit: ExitCode;
  /** The facts of a fault in the input: where it is. */
  readonly line?: number;
  readonly offset?: number;
};

/** The report of anything that was thrown. What carries no code of ours is unexpected. */
export function reportOf(thrown: unknown): Report {
  const message = oneLine(messageOf(thrown));
  if (!hasCode(thrown) || !CODE.test(thrown.code)) return { code: 'cli.unexpected', message, exit: 1 };
  const { line, offset, exit } = thrown as {
    readonly line?: unknown;
    readonly offset?: unknown;
    readonly exit?: unknown;
  };
  return {
    code: thrown.code,
    message,
    exit: exit === 5 ? exit : exitCodeOf(thrown.code), // a verifier's finding, whatever its code
    ...(typeof line === 'number' ? { line } : {}),
    ...(typeof offset === 'number' ? { offset } : {}),
  };
}

export function formatReport(report: Report, isJson: boolean): string {
  return isJson ? `${JSON.stringify({ error: report })}\n` : `ringmesh: ${report.code}: ${report.message}\n`;
}

const CODE = /^[a-z][a-z0-9]*(\.[a-z][a-z0-9_]*)+$/;

/** Messages quote what was found, and what was found may hold anything: one line, and nothing a terminal would obey. */
export function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, ' ').replace(UNPRINTABLE, escaped);
}

/** C0 and C1 controls, and the characters that change the direction of what follows. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
