/** Predicates as people write them: `name in left-pad, ms`. */
import { type Predicate, predicate } from '../../../mesh/delegation/predicate.ts';
import { CodedError } from '../../../runtime/core/errors.ts';

/** @throws `input.malformed` */
export function parseWhere(text: string): Predicate {
  const [, arg = '', sign = '', rest = ''] = FORM.exec(text.trim()) ?? [];
  const found = { arg, is: KINDS[sign], value: operandOf(sign, rest.trim()) };
  const fault = predicate.faultIn(found, text);
  if (fault === undefined) return found as Predicate;
  throw new CodedError('input.malformed', `expected a predicate such as 'name in left-pad, ms', found '${text}'`);
}

const FORM = /^([A-Za-z0-9_$.*-]+)\s*(=|<=|\sin\s|\slike\s|\sunder\s)\s*(.*)$/s;
const KINDS: Readonly<Record<string, Predicate['is']>> = {
  '=': 'eq',
  '<=': 'max',
  ' in ': 'in',
  ' like ': 'like',
  ' under ': 'prefix',
};

function operandOf(sign: string, text: string): unknown {
  switch (sign) {
    case '=':
      return scalarOf(text);
    case '<=':
      return /^-?\d{1,16}$/.test(text) ? Number(text) : undefined;
    case ' in ':
      return text.split(',').map((one) => scalarOf(one.trim()));
    default:
      return text;
  }
}

/** A number or a boolean where it reads as one; in double quotes it is a text, whatever it is. */
function scalarOf(text: string): string | number | boolean {
  const [, quoted] = /^"(.*)"$/s.exec(text) ?? [];
  if (quoted !== undefined) return quoted;
  if (text === 'true' || text === 'false') return text === 'true';
  return /^-?(?:0|[1-9]\d{0,14})$/.test(text) ? Number(text) : text;
}
