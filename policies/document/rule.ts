/**
 * A rule as it is written, in any of its forms, as one thing: what it is about, under which condition, with which effect.
 *
 * The short forms `readOnly`, `rateLimit` and `requireApproval` are written out here, for YAML and TypeScript alike.
 */

import { err, ok, type Result } from '../../runtime/core/result.ts';
import type { Approve, BucketKey, Consume, Obligation } from '../decision/obligation.ts';
import { durationMs } from '../expression/check.ts';
import { ExpressionError } from '../expression/fault.ts';
import { parseExpression, type Syntax } from '../expression/syntax.ts';
import { conform } from './conform.ts';
import type { PolicyFault } from './fault.ts';
import {
  type ObligationInput,
  type OnInput,
  RateLimitShape,
  ReadOnlyShape,
  RequireApprovalShape,
  type RuleInput,
  RuleShape,
} from './shape.ts';
import type { Path, Source } from './yaml-source.ts';

/** What a rule does where it matches; `oblige` adds to what is allowed and allows nothing itself. */
export type RuleEffect = RuleInput['effect'];

/** What a rule is about. A list is never empty; what is absent is not asked about. */
export type Head = {
  readonly point?: readonly string[];
  readonly tool?: readonly string[];
  readonly verb?: readonly string[];
  readonly effect?: readonly string[];
  readonly reversibility?: readonly string[];
  readonly agent?: readonly string[];
  readonly tenant?: readonly string[];
  readonly team?: readonly string[];
  readonly role?: readonly string[];
};

export type ParsedRule = {
  readonly id: string;
  readonly head: Head;
  readonly when?: { readonly text: string; readonly syntax: Syntax; readonly path: Path };
  readonly effect: RuleEffect;
  readonly obligations: readonly Obligation[];
  readonly because?: string;
  readonly path: Path;
};

const APPROVAL_MS = 15 * 60_000;

/** The default question, where a rule escalates and does not say to whom. */
export const ASK_AN_OPERATOR: Approve = {
  kind: 'approve',
  quorum: 1,
  of: 'operator',
  expiresMs: APPROVAL_MS,
  distinctFrom: ['chain', 'sponsor', 'subject'],
  onTimeout: 'deny',
};

/** The rules that one entry of `rules` stands for. */
export function parseRule(
  entry: Readonly<Record<string, unknown>>,
  source: Source,
  path: Path,
): Result<readonly ParsedRule[], readonly PolicyFault[]> {
  if ('readOnly' in entry) {
    const form = conform(ReadOnlyShape, entry, source, path);
    return form.ok ? readOnlyRules(form.value.readOnly.id ?? 'read-only', path) : form;
  }
  if ('rateLimit' in entry) {
    const form = conform(RateLimitShape, entry, source, path);
    if (!form.ok) return form;
    const { id, limit, per, by, on = { point: 'pre_tool' } } = form.value.rateLimit;
    const name = id ?? `rate-limit-${limit}-${per}`;
    const input = { limit, per, bucket: name, ...(by === undefined ? {} : { by }) };
    return expand({ id: name, on, effect: 'oblige', obligations: [{ consume: input }] }, source, path);
  }
  if ('requireApproval' in entry) {
    const form = conform(RequireApprovalShape, entry, source, path);
    if (!form.ok) return form;
    const { id, actions, when, ...approve } = form.value.requireApproval;
    const rule: RuleInput = {
      id: id ?? `require-approval-${slug(actions)}`,
      on: { tool: actions },
      effect: 'escalate',
      obligations: [{ approve }],
      ...(when === undefined ? {} : { when }),
    };
    return expand(rule, source, path, [...path, 'requireApproval', 'when']);
  }
  const form = conform(RuleShape, entry, source, path);
  return form.ok ? expand(form.value, source, path) : form;
}

/** A tool that only reads may be used, and one that does anything else may not. */
function readOnlyRules(id: string, path: Path): Result<readonly ParsedRule[], never> {
  const onlyReads = 'all(effect in action.effects, effect == "read")';
  const head = { point: ['pre_tool', 'post_tool'] };
  const rule = (suffix: string, text: string, effect: RuleEffect): ParsedRule => ({
    id: `${id}.${suffix}`,
    head,
    when: { text, syntax: parseExpression(text), path },
    effect,
    obligations: [],
    because: 'only tools that read may be used',
    path,
  });
  return ok([rule('reads', onlyReads, 'allow'), rule('others', `not ${onlyReads}`, 'deny')]);
}

function expand(
  rule: RuleInput,
  source: Source,
  path: Path,
  whenPath: Path = [...path, 'when'],
): Result<readonly ParsedRule[], readonly PolicyFault[]> {
  const faults: PolicyFault[] = [];
  const obligations = (rule.obligations ?? []).flatMap((input, n): readonly Obligation[] => {
    const made = obligationOf(input, rule.id);
    if (typeof made !== 'string') return [made];
    faults.push(source.fault('document.malformed', made, { path: [...path, 'obligations', n] }));
    return [];
  });
  if (rule.effect === 'deny' && obligations.length > 0) {
    const message = 'expected no obligations of a rule that denies: whoever is denied owes nothing';
    faults.push(source.fault('document.malformed', message, { path: [...path, 'obligations'], key: true }));
  }
  if (rule.effect === 'oblige' && obligations.length === 0) {
    const message = 'expected obligations in a rule that obliges';
    faults.push(source.fault('document.malformed', message, { path: [...path, 'effect'] }));
  }
  if (rule.on !== 'any' && Object.keys(rule.on).length === 0) {
    const message = 'expected something that the rule is about, or "any" for everything';
    faults.push(source.fault('document.empty_list', message, { path: [...path, 'on'], suggestion: 'on: any' }));
  }
  const syntax = rule.when === undefined ? ok(undefined) : syntaxOf(rule.when, source, whenPath);
  if (!syntax.ok) faults.push(syntax.error);
  if (faults.length > 0 || !syntax.ok) return err(faults);
  return ok([
    {
      id: rule.id,
      head: headOf(rule.on),
      ...(rule.when === undefined || syntax.value === undefined
        ? {}
        : { when: { text: rule.when, syntax: syntax.value, path: whenPath } }),
      effect: rule.effect,
      obligations:
        rule.effect === 'escalate' && !obligations.some(({ kind }) => kind === 'approve')
          ? [...obligations, ASK_AN_OPERATOR]
          : obligations,
      ...(rule.because === undefined ? {} : { because: rule.because }),
      path,
    },
  ]);
}

function syntaxOf(text: string, source: Source, path: Path): Result<Syntax, PolicyFault> {
  try {
    return ok(parseExpression(text));
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    const { message, suggestion, ...inner } = error.fault;
    return err(source.fault('document.bad_expression', message, { path, inner, suggestion }));
  }
}

function headOf(on: 'any' | OnInput): Head {
  if (on === 'any') return {};
  return Object.fromEntries(Object.entries(on).map(([key, value]) => [key, listOf(value)])) as Head;
}

export function listOf<T>(value: T | readonly T[]): readonly T[] {
  return Array.isArray(value) ? (value as readonly T[]) : [value as T];
}

/** The obligation, or what is wrong with it. */
function obligationOf(input: ObligationInput, rule: string): Obligation | string {
  const keys = Object.keys(input);
  if (keys.length !== 1) return `expected one obligation in each entry, found ${keys.join(', ') || 'none'}`;
  const { approve, consume, redact, log, label, sandbox, verify, compensate, notify } = input;
  if (approve !== undefined) return approveOf(approve);
  if (consume !== undefined) return consumeOf({ ...consume, bucket: consume.bucket ?? rule });
  if (redact !== undefined)
    return { kind: 'redact', path: redact.path, with: redact.with === undefined ? '[redacted]' : redact.with };
  if (log !== undefined) return { kind: 'log', level: log.level ?? 'info', fields: (log.fields ?? []).toSorted() };
  if (label !== undefined) return { kind: 'label', add: label.toSorted() };
  if (sandbox !== undefined) return { kind: 'sandbox', ring: sandbox as 0 | 1 | 2 | 3 };
  if (verify !== undefined) {
    if (verify.agree > verify.models) return 'expected no more agreeing models than models';
    return { kind: 'verify', ...verify };
  }
  if (compensate !== undefined) return { kind: 'compensate', saga: compensate };
  return { kind: 'notify', to: notify ?? '' };
}

const APPROVAL_MS_MAX = 7 * 86_400_000;

function approveOf(input: NonNullable<ObligationInput['approve']>): Obligation | string {
  const expiresMs = input.expires === undefined ? APPROVAL_MS : durationMs(input.expires);
  if (expiresMs === undefined || expiresMs > APPROVAL_MS_MAX) return 'expected an approval to expire within 7d';
  return {
    kind: 'approve',
    quorum: input.quorum ?? 1,
    of: input.of,
    expiresMs,
    distinctFrom: (input.distinctFrom ?? ASK_AN_OPERATOR.distinctFrom).toSorted(),
    onTimeout: input.onTimeout ?? 'deny',
  };
}

const BY_DEFAULT: readonly BucketKey[] = ['tenant', 'agent', 'tool'];

/** How much of what may be consumed, by whom.  */
export function consumeOf(input: {
  readonly bucket: string;
  readonly limit: number;
  readonly per: string;
  readonly by?: readonly BucketKey[] | undefined;
}): Consume | string {
  const perMs = durationMs(input.per);
  if (perMs === undefined) return `expected a span of time up to a year, found ${input.per}`;
  const by = (input.by ?? BY_DEFAULT).toSorted();
  return { kind: 'consume', bucket: input.bucket, limit: input.limit, perMs, by };
}

function slug(actions: readonly string[]): string {
  return actions
    .toSorted()
    .join('-')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '')
    .slice(0, 40)
    .replace(/-$/, '');
}
