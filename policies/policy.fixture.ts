/** What tests of policies are made of. */
import { unwrap } from '../runtime/core/result.ts';
import { type Bundle, bundle } from './bundle/bundle.ts';
import type { PolicyRequest } from './decision/request.ts';
import { type PolicyDocument, parsePolicy, policy } from './document/document.ts';
import { formatFault } from './document/fault.ts';
import { checkCondition, type Scope } from './expression/check.ts';
import { compileCondition, STEPS_MAX } from './expression/compile.ts';
import { ExpressionError } from './expression/fault.ts';
import { parseExpression } from './expression/syntax.ts';
import type { Term } from './expression/term.ts';

type Parts = Omit<Partial<PolicyRequest>, 'subject' | 'action'> & {
  readonly tool?: string;
  readonly subject?: Partial<PolicyRequest['subject']>;
  readonly action?: Partial<PolicyRequest['action']>;
};

/** A request to use `crm.lookup` by an ordinary agent, but for what is given. */
export function request({ tool = 'crm.lookup', subject, action, ...rest }: Parts = {}): PolicyRequest {
  return {
    v: 1,
    id: 'turn/0',
    point: 'pre_tool',
    at: 1_700_000_000_000,
    subject: { id: 'did:example:ada', name: 'ada', ring: 2, trust: 600, ...subject },
    action: { tool, verb: 'use', ...action },
    args: {},
    ...rest,
  };
}

/** The document of a YAML text that has nothing wrong with it. */
export function yaml(text: string): PolicyDocument {
  return unwrap(parsePolicy(`apiVersion: ringmesh.policy/v1\n${text}`, 'test.yaml'), 'a good policy');
}

/** The faults of a YAML text, as they are shown, each without its code's explanation below. */
export function faultsOf(text: string): readonly string[] {
  const parsed = parsePolicy(text, 'test.yaml');
  return parsed.ok ? [] : parsed.error.map(formatFault);
}

/** Tools for rules to be about. */
export const TOOLS = policy({
  name: 'tools',
  layer: 'org',
  tools: {
    'crm.lookup': { effects: ['read'], reversibility: 'reversible' },
    'crm.update': { effects: ['write'], reversibility: 'compensatable', risk: 2 },
    'fs.read': { effects: ['read'] },
    'fs.write': { effects: ['write'] },
    'mail.send': { effects: ['egress'] },
    'pay.send': { effects: ['money'], reversibility: 'irreversible', risk: 3 },
    'shell.run': {},
    sum: { effects: 'none', reversibility: 'reversible' },
  },
});

/** A bundle of the tools and a document with these rules, in YAML, in the layer `org`, and with these other lines. */
export function rules(text: string, keys = ''): Bundle {
  return bundle([TOOLS, yaml(`name: test\nlayer: org\n${keys}rules:\n${text.replace(/^/gm, '  ')}`)]);
}

const ANYWHERE: Scope = { isStrict: true, facts: new Map() };

/** The value of a condition for a request; a fault's message where it is refused. */
export function evaluate(text: string, asked: PolicyRequest = request(), scope: Partial<Scope> = {}) {
  const term = termOf(text, scope);
  if (typeof term === 'string') return term;
  const { effects = ['read'], reversibility = 'reversible', risk = 1, classification } = asked.action;
  const act = { effects, reversibility, risk, classification };
  return compileCondition(term)({ request: asked, act, locals: [], steps: STEPS_MAX });
}

export function termOf(text: string, scope: Partial<Scope> = {}): Term | string {
  try {
    return checkCondition(parseExpression(text), { ...ANYWHERE, ...scope });
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    const { start, end, message, suggestion } = error.fault;
    return `${start}-${end} ${message}${suggestion === undefined ? '' : `; ${suggestion}?`}`;
  }
}
