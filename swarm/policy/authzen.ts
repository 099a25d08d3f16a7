/**
 * The AuthZEN Authorization API 1.0 as a mapping: a body becomes a policy request, a decision becomes a body. Pure.
 * https://openid.net/specs/authorization-api-1_0.html
 *
 * | AuthZEN | here |
 * |---|---|
 * | `subject.id`, `type` | the agent's id; the one type is `agent` |
 * | `subject.properties` | `name` (default the id), `ring` (default 3), `trust` (default 0), `tenant`, `roles`, `sponsor`, … |
 * | `action.name` | the tool, or the target of a message |
 * | `action.properties` | `args`, `verb` (default `use`), `point`, `output`, `effects`, `flow`, `facts`, …; `honours` |
 * | `resource` | `type`, `id`; its `properties` are `attrs`, and `labels` among them its labels |
 * | `context` | `context` |
 *
 * Z1. `decision` is true only for a verdict `allow` whose obligations the caller says that it honours
 *     (`action.properties.honours`). What is unknown, malformed or misspelt is false.
 * Z2. `escalate` is false; the context says that approval is needed, and by whom.
 * Z3. The moment of the decision is ours. What a caller says of it is not looked at.
 */
import type { Bundle } from '../../policies/bundle/bundle.ts';
import { decide } from '../../policies/bundle/decide.ts';
import { denial, type PolicyDecision } from '../../policies/decision/decision.ts';
import { OBLIGATION_KINDS, type ObligationKind, unsupported } from '../../policies/decision/obligation.ts';
import type { PolicyRequest } from '../../policies/decision/request.ts';
import { durationMs } from '../../policies/expression/check.ts';
import { GivenShape, requestOf } from '../../policies/table/request-shape.ts';
import type { JsonValue } from '../../runtime/codec/json.ts';
import { messageOf } from '../../runtime/core/errors.ts';
import { err, ok, type Result } from '../../runtime/core/result.ts';

export type Evaluation = { readonly decision: boolean; readonly context: { readonly [name: string]: unknown } };
export type Evaluations = { readonly evaluations: readonly Evaluation[] };

/** What decides: a bundle, the moment, and an id for the request. */
export type Desk = { readonly bundle: Bundle; readonly at: number; readonly id: string };

type Members = { readonly [name: string]: JsonValue };

/** `POST /access/v1/evaluation`. The error says what a good body would be: it is the caller's, and no decision. */
export function evaluate(desk: Desk, body: JsonValue): Result<Evaluation, string> {
  const fault = faultIn(body);
  return fault === undefined ? ok(evaluateOne(desk, body as Members)) : err(fault);
}

/** `POST /access/v1/evaluations`: several, with defaults. Without a list it is one. */
export function evaluateAll(desk: Desk, body: JsonValue): Result<Evaluation | Evaluations, string> {
  if (!isMembers(body)) return err('expected a JSON object');
  const { evaluations = [], options = {}, subject, action, resource, context } = body;
  if (!Array.isArray(evaluations)) return err('expected evaluations to be a list');
  if (evaluations.length === 0) return evaluate(desk, body);
  if (evaluations.length > EVALUATIONS_MAX) return err(`expected at most ${EVALUATIONS_MAX} evaluations`);
  const { evaluations_semantic: semantic = 'execute_all' } = isMembers(options) ? options : {};
  const stopsAt = STOPS.get(semantic);
  if (stopsAt === undefined) return err(`expected an evaluations_semantic of ${[...STOPS.keys()].join(', ')}`);
  const defaults = present({ subject, action, resource, context });
  const results: Evaluation[] = [];
  for (const [n, item] of (evaluations as readonly JsonValue[]).entries()) {
    const result = evaluateItem({ ...desk, id: `${desk.id}/${n}` }, isMembers(item) ? { ...defaults, ...item } : item);
    results.push(result);
    if (result.decision === stopsAt) break;
  }
  return ok({ evaluations: results });
}

/** In one message; each may cost as much as one alone. */
const EVALUATIONS_MAX = 100;

/** The decision that ends the walk. */
const STOPS: ReadonlyMap<unknown, boolean | null> = new Map<string, boolean | null>([
  ['execute_all', null],
  ['deny_on_first_deny', false],
  ['permit_on_first_permit', true],
]);

/** A fault in one of several is that one's denial (section 7.2 of the specification). */
function evaluateItem(desk: Desk, item: JsonValue): Evaluation {
  const result = evaluate(desk, item);
  if (result.ok) return result.value;
  return { decision: false, context: { error: { status: 400, message: result.error } } };
}

function evaluateOne({ bundle, at, id }: Desk, body: Members): Evaluation {
  const request = policyRequestOf(body, at, id);
  if (!request.ok) return evaluationOf(denial('policy.request_malformed', request.error, { bundle: bundle.digest }));
  const { honours } = request.value;
  const decision = decide(bundle, request.value.request);
  const [unmet] = decision.verdict === 'allow' ? unsupported(decision.obligations, honours) : [];
  if (unmet === undefined) return evaluationOf(decision);
  const { determining } = decision;
  const message = `expected a caller that honours "${unmet.kind}", found none`;
  return evaluationOf(denial('policy.obligation_unsupported', message, { determining, bundle: bundle.digest }));
}

function evaluationOf({ verdict, code, message, determining, obligations, bundle }: PolicyDecision): Evaluation {
  const approvals = obligations.filter(({ kind }) => kind === 'approve');
  return {
    decision: verdict === 'allow', // Z1
    context: {
      verdict,
      code,
      reason_admin: { en: message },
      ...(determining.length === 0 ? {} : { rules: determining }),
      ...(verdict === 'allow' && obligations.length > 0 ? { obligations } : {}),
      ...(verdict === 'escalate' ? { needs: 'approval', approvals } : {}), // Z2
      ...(bundle === undefined ? {} : { bundle }),
    },
  };
}

/** What the specification requires of every request: whatever fails here is no question. */
function faultIn(body: JsonValue): string | undefined {
  if (!isMembers(body)) return 'expected a JSON object';
  const { subject, action, resource, context } = body;
  if (!hasTexts(subject, ['type', 'id'])) return 'expected a subject with type and id';
  if (!hasTexts(action, ['name'])) return 'expected an action with a name';
  if (!hasTexts(resource, ['type', 'id'])) return 'expected a resource with type and id';
  if (context !== undefined && !isMembers(context)) return 'expected context to be an object';
  return undefined;
}

/** What is known here of a request that is well-formed; anything else is refused, since no rule could see it (Z1). */
function policyRequestOf(
  { subject, action, resource, context, ...more }: Members,
  at: number,
  id: string,
): Result<{ readonly request: PolicyRequest; readonly honours: ReadonlySet<ObligationKind> }, string> {
  const [extra] = Object.keys(more).filter((name) => name !== 'evaluations' && name !== 'options');
  if (extra !== undefined) return err(`expected subject, action, resource and context, found ${short(extra)}`);
  const who = entity(subject, ['type', 'id']);
  const what = entity(action, ['name']);
  const where = entity(resource, ['type', 'id']);
  if (typeof who === 'string') return err(`subject: ${who}`);
  if (typeof what === 'string') return err(`action: ${what}`);
  if (typeof where === 'string') return err(`resource: ${where}`);
  if (who.fields['type'] !== 'agent') return err('expected a subject of the type "agent"');
  const { honours = [], args, point, output, task, flow, facts, notes, ...act } = what.properties;
  const kinds = honoursOf(honours);
  if (kinds === undefined) return err(`expected honours to be a list of ${OBLIGATION_KINDS.join(', ')}`);
  const { labels, ...attrs } = where.properties;
  const given = GivenShape.safeParse({
    ...present({ args, output, task, flow, facts, notes, context }),
    tool: what.fields['name'],
    at,
    point: point ?? POINT_OF.get(act['verb']) ?? 'pre_tool',
    subject: { ring: 3, trust: 0, name: who.fields['id'], ...who.properties, id: who.fields['id'] },
    action: act,
    resource: { ...where.fields, ...present({ labels }), attrs },
  });
  if (!given.success) {
    const [issue] = given.error.issues;
    return err(`${short(issue?.path.join('.') ?? '')}: ${short(issue?.message ?? 'malformed')}`);
  }
  try {
    return ok({ request: requestOf(id, given.data, durationMs), honours: kinds });
  } catch (error) {
    return err(short(messageOf(error)));
  }
}

/** Where an act of a verb is decided, as the kernel has it. */
const POINT_OF: ReadonlyMap<unknown, string> = new Map([
  ['use', 'pre_tool'],
  ['ask', 'agent_message'],
  ['tell', 'agent_message'],
  ['spawn', 'spawn'],
  ['stop', 'shutdown'],
]);

function entity(
  value: JsonValue | undefined,
  names: readonly string[],
): { readonly fields: Members; readonly properties: Members } | string {
  if (!isMembers(value)) return 'expected an object';
  const { properties = {}, ...fields } = value;
  if (!isMembers(properties)) return 'expected properties to be an object';
  const extra = Object.keys(fields).find((name) => !names.includes(name));
  return extra === undefined
    ? { fields, properties }
    : `expected ${names.join(', ')}, properties, found ${short(extra)}`;
}

function honoursOf(value: JsonValue): ReadonlySet<ObligationKind> | undefined {
  if (!Array.isArray(value)) return undefined;
  const kinds = OBLIGATION_KINDS.filter((kind) => value.includes(kind));
  return kinds.length === new Set(value).size ? new Set(kinds) : undefined;
}

function isMembers(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function hasTexts(value: JsonValue | undefined, names: readonly string[]): boolean {
  return isMembers(value) && names.every((name) => Object.hasOwn(value, name) && typeof value[name] === 'string');
}

function present(members: { readonly [name: string]: JsonValue | undefined }): Members {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as Members;
}

function short(text: string): string {
  return text.slice(0, 200).toWellFormed();
}
