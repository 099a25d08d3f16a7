/** What came back of an act, as far as it can be recorded. */
import { canonicalJson } from '../codec/json.ts';
import { utf8 } from '../core/bytes.ts';
import { BLOB_BYTES_MAX } from '../core/limits.ts';
import type { Action } from './action.ts';
import type { Outcome } from './outcome.ts';

/** Of a result, as JSON: the record of it has a note beside it, and is one blob. */
const OUTCOME_BYTES_MAX = BLOB_BYTES_MAX / 2;

/** What cannot be recorded did not come back: `undefined`, NaN, a class instance, what is too deep or too long for a record. */
export function asData(action: Action, outcome: Outcome): Outcome {
  const { event: _event, ...told } = outcome;
  const text = canonicalJson({ outcome: told });
  const said = `the result of ${action.target}`;
  if (!text.ok) return { type: 'invalid', code: 'tool.not_data', message: `${said}: ${text.error.message}` };
  if (text.value.length <= OUTCOME_BYTES_MAX / 3 || utf8(text.value).length <= OUTCOME_BYTES_MAX) {
    return told as Outcome;
  }
  const message = `${said}: expected at most ${OUTCOME_BYTES_MAX} bytes, found more`;
  return { type: 'invalid', code: 'tool.too_large', message };
}
