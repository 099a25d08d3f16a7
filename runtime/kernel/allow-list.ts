/** The simplest policy that is one: who may use what, by name. What is not listed is denied. */
import { sha256 } from '../codec/digest.ts';
import { canonicalJson } from '../codec/json.ts';
import { digestText } from '../codec/record.ts';
import { utf8 } from '../core/bytes.ts';
import { unwrap } from '../core/result.ts';
import type { Gate, GateAnswer } from './gate.ts';

/** Per agent name, or `*` for every agent, the targets that it may act upon; a target may end in `*`.
 *  `{ '*': ['mail.read'], 'desk/emea': ['pay.*'] }` */
export type AllowList = { readonly [agent: string]: readonly string[] };

export function allowList(list: AllowList): Gate {
  const policy = digestText(sha256(utf8(unwrap(canonicalJson({ allow: list }), 'an allow-list is data'))));
  const rules = new Map(Object.entries(list));
  return {
    policy,
    check({ action }): GateAnswer {
      for (const agent of [action.agent, '*']) {
        const at = rules.get(agent)?.findIndex((pattern) => matches(pattern, action.target)) ?? -1;
        if (at !== -1) return { verdict: 'allow', rule: `allow/${agent === '*' ? 'all' : agent}/${at}` };
      }
      const message = `expected ${action.target} in the allow-list of ${action.agent}, found no such entry`;
      return { verdict: 'deny', code: 'policy.not_listed', message };
    },
  };
}

function matches(pattern: string, target: string): boolean {
  return pattern.endsWith('*') ? target.startsWith(pattern.slice(0, -1)) : pattern === target;
}
