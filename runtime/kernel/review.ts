/**
 * What may be seen of a value: a tool's result before its author and the log see it, an agent's reply before it leaves.
 *
 * O1. Every gate that looks at values must let it pass. One that throws, or wants a human, withholds it: nobody can be asked
 *     about what has already happened.
 * O2. What is withheld leaves nothing behind but its digest.
 */
import { sha256 } from '../codec/digest.ts';
import { canonicalJson, type JsonValue } from '../codec/json.ts';
import { type DigestText, digestText } from '../codec/record.ts';
import { utf8 } from '../core/bytes.ts';
import { messageOf } from '../core/errors.ts';
import { unwrap } from '../core/result.ts';
import { GATES, type Gate, type GateAnswer, type GateRequest, type Gates, type Returned, unmet } from './gate.ts';
import { redact, redactionsOf } from './obligation.ts';

export type Review =
  | { readonly type: 'shown'; readonly value: JsonValue; readonly redacted: readonly string[] }
  | { readonly type: 'withheld'; readonly code: string; readonly message: string; readonly withheld: Withheld };

/** What the record keeps: the digest of the value as canonical JSON, and who withheld it why. */
export type Withheld = { readonly digest: DigestText; readonly code: string; readonly rule: string | null };

/** Asks the gates in their order. Pure, total; never throws. `returned.value` is data. */
export function review(gates: Gates, request: GateRequest, returned: Returned): Review {
  let value: JsonValue = returned.value;
  const redacted: string[] = [];
  for (const name of GATES) {
    const gate = gates[name];
    if (gate?.checkOutput === undefined) continue;
    const answer = ask(gate, request, { ...returned, value });
    if (answer.verdict !== 'allow') return withhold(returned.value, answer); // O1
    const obligations = answer.obligations ?? [];
    const shown = redact(value, obligations);
    if (shown === undefined) {
      const message = 'expected a value with every place that is to be redacted, found one without';
      return withhold(returned.value, { verdict: 'deny', code: 'gate.obligation_unmet', message });
    }
    value = shown;
    redacted.push(...redactionsOf(obligations).map(({ path }) => path));
  }
  return { type: 'shown', value, redacted };
}

function ask(gate: Gate, request: GateRequest, returned: Returned): GateAnswer {
  try {
    const answer = gate.checkOutput?.(request, returned);
    return (answer === undefined ? undefined : (unmet(gate, answer) ?? answer)) ?? SILENT;
  } catch (error) {
    return { verdict: 'deny', code: 'gate.failed', message: `the gate failed: ${messageOf(error)}` };
  }
}

const SILENT: GateAnswer = {
  verdict: 'deny',
  code: 'gate.failed',
  message: 'expected an answer of the gate, found none',
};

function withhold(value: JsonValue, answer: GateAnswer & { readonly verdict: 'deny' | 'escalate' }): Review {
  const code = answer.verdict === 'escalate' ? 'approval.required' : answer.code;
  const digest = digestText(sha256(utf8(unwrap(canonicalJson(value), 'a value that came back is data'))));
  return {
    type: 'withheld',
    code,
    message: `the result is withheld: ${answer.message}`,
    withheld: { digest, code: answer.code, rule: answer.rule ?? null },
  };
}
