/** An expression as tokens. Whatever is no token is a fault with a place; nothing is skipped but white space. */
import { failAt } from './fault.ts';

export type Token =
  | { readonly type: 'name' | 'symbol'; readonly text: string; readonly start: number; readonly end: number }
  | { readonly type: 'text'; readonly value: string; readonly start: number; readonly end: number }
  | { readonly type: 'integer'; readonly value: number; readonly start: number; readonly end: number }
  | { readonly type: 'end'; readonly start: number; readonly end: number };

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** What people write who know another language, and what it is called here. */
const STRANGERS: Readonly<Record<string, string>> = {
  '&&': 'and',
  '||': 'or',
  '!': 'not',
  '=': '==',
  '=<': '<=',
  '=>': '>=',
  '===': '==',
  '!==': '!=',
  '<>': '!=',
};

const SPACE = /[ \t\r\n]+/y;
const NAME = /[A-Za-z_][A-Za-z0-9_]*/y;
const NUMBER = /\d[\d_]*(\.\d+)?([A-Za-z]+)?/y;
const STRANGER = /&&|\|\||===|!==|<>|=<|=>|!(?!=)|=(?!=)/y;
const SYMBOL = /==|!=|<=|>=|[<>()[\].,+*-]/y;

/** @throws {ExpressionError} */
export function tokensOf(text: string): readonly Token[] {
  const tokens: Token[] = [];
  let at = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (found !== null) at += found[0].length;
    return found;
  };
  for (;;) {
    take(SPACE);
    const start = at;
    if (at >= text.length) return [...tokens, { type: 'end', start, end: start }];
    const quote = text[at];
    if (quote === '"' || quote === "'") {
      const { value, end } = stringAt(text, at);
      tokens.push({ type: 'text', value, start, end });
      at = end;
      continue;
    }
    const name = take(NAME);
    if (name !== null) {
      tokens.push({ type: 'name', text: name[0], start, end: at });
      continue;
    }
    const number = take(NUMBER);
    if (number !== null) {
      tokens.push({ type: 'integer', value: numberOf(number, start), start, end: at });
      continue;
    }
    const stranger = take(STRANGER);
    if (stranger !== null) {
      const meant = STRANGERS[stranger[0]] ?? '';
      failAt({ start, end: at }, `expected an operator of this language, found "${stranger[0]}"`, meant);
    }
    const symbol = take(SYMBOL);
    if (symbol === null) {
      const found = String.fromCodePoint(text.codePointAt(at) ?? 0);
      failAt({ start, end: start + found.length }, `expected a token, found ${JSON.stringify(found)}`);
    }
    tokens.push({ type: 'symbol', text: symbol[0], start, end: at });
  }
}

function numberOf([text, fraction, unit]: RegExpExecArray, start: number): number {
  const span = { start, end: start + text.length };
  if (fraction !== undefined) {
    failAt(span, `expected a whole number, found ${text}: money is in minor units`, `money("${text}")`);
  }
  const factor = unit === undefined ? 1 : UNITS[unit];
  if (factor === undefined) failAt(span, `expected one of the units ms, s, m, h, d, found "${unit}"`);
  const digits = unit === undefined ? text : text.slice(0, -unit.length);
  const value = Number(digits.replaceAll('_', '')) * factor;
  if (!Number.isSafeInteger(value)) failAt(span, `expected a number up to 2^53, found ${text}`);
  return value;
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', '\\': '\\', "'": "'", '"': '"' };

/** A string in either quotes. */
function stringAt(text: string, start: number): { readonly value: string; readonly end: number } {
  const quote = text[start];
  let value = '';
  let at = start + 1;
  for (;;) {
    const next = text[at];
    if (next === undefined) failAt({ start, end: text.length }, `expected a closing ${quote}, found the end`);
    if (next === quote) return { value, end: at + 1 };
    if (next !== '\\') {
      value += next;
      at++;
      continue;
    }
    const code = /^u([0-9a-fA-F]{4})/.exec(text.slice(at + 1, at + 6))?.[1];
    const escaped = code === undefined ? ESCAPES[text[at + 1] ?? ''] : String.fromCharCode(Number.parseInt(code, 16));
    if (escaped === undefined) failAt({ start: at, end: at + 2 }, 'expected one of \\\\ \\" \\\' \\n \\t \\uXXXX');
    value += escaped;
    at += code === undefined ? 2 : 6;
  }
}
