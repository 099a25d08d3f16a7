/**
 * A case of the Agent Control Specification's conformance suite as a bundle and a request of ours.
 *
 * Their runtime asks a policy for a verdict and then normalises it; ours is the policy. So the verdict that a case gives its
 * policy becomes a rule with that effect, and what their manifest says of points and tools becomes rules and manifests.
 */
import { parse } from 'yaml';
import type { JsonValue } from '../../runtime/codec/json.ts';
import { redact } from '../../runtime/kernel/obligation.ts';
import { type Bundle, compileBundle } from '../bundle/bundle.ts';
import type { PolicyDecision } from '../decision/decision.ts';
import type { Point, PolicyRequest } from '../decision/request.ts';
import { parsePolicyData } from '../document/document.ts';
import { request } from '../policy.fixture.ts';

export type AcsCase = {
  readonly id: string;
  readonly title: string;
  readonly operation: string;
  readonly manifest_yaml: string;
  readonly intervention_point: string;
  readonly mode?: string;
  readonly snapshot: { readonly [key: string]: JsonValue };
  readonly policy_behavior?: string;
  readonly policy_response: Verdict;
  readonly annotator_outputs?: JsonValue;
  readonly limits?: JsonValue;
  readonly expected: {
    readonly decision: string;
    readonly transformed_policy_target?: JsonValue;
    readonly tool_name?: string;
  };
};

type Verdict = {
  readonly decision: string;
  readonly reason?: string;
  readonly effects?: unknown;
  readonly transform?: { readonly path: string; readonly value: JsonValue };
};
type Manifest = {
  readonly intervention_points: {
    readonly [point: string]: { readonly policy_target: string; readonly tool_name_from?: string };
  };
  readonly tools?: { readonly [name: string]: unknown };
};

const POINTS: Readonly<Record<string, Point>> = {
  input: 'input',
  output: 'output',
  pre_model_call: 'pre_model',
  post_model_call: 'post_model',
  pre_tool_call: 'pre_tool',
  post_tool_call: 'post_tool',
  agent_startup: 'startup',
  agent_shutdown: 'shutdown',
};

/** The bundle; `undefined` where the case's policy is one that we refuse to load, or that does not answer. */
export function bundleOf(acs: AcsCase): Bundle | undefined {
  if (acs.policy_behavior === 'error') return undefined;
  const manifest = parse(acs.manifest_yaml) as Manifest;
  const points = Object.keys(manifest.intervention_points).map((point) => POINTS[point] ?? point);
  const rule = ruleOf(acs.policy_response, points);
  const tools = Object.fromEntries(Object.keys(manifest.tools ?? {}).map((name) => [name, { effects: ['read'] }]));
  const document = parsePolicyData(
    {
      apiVersion: 'ringmesh.policy/v1',
      name: 'acs',
      layer: 'org',
      ...(manifest.tools === undefined ? {} : { tools }),
      rules: [rule, { id: 'configured', on: { point: points }, effect: 'allow' }],
    },
    acs.id,
  );
  if (!document.ok) return undefined;
  const compiled = compileBundle([document.value]);
  return compiled.ok ? compiled.value : undefined;
}

function ruleOf(verdict: Verdict, points: readonly string[]): JsonValue {
  const { decision, transform, reason, decision: _decision, ...more } = verdict;
  const base = {
    id: 'policy',
    on: { point: [...points] },
    ...(reason === undefined ? {} : { because: reason }),
    ...(more as object),
  };
  switch (decision) {
    case 'warn':
      return { ...base, effect: 'allow', obligations: [{ log: { level: 'warn' } }] };
    case 'transform':
      return {
        ...base,
        effect: 'allow',
        obligations: [{ redact: { path: pointerOf(transform?.path ?? ''), with: transform?.value ?? null } }],
      };
    default:
      return { ...base, effect: decision };
  }
}

/** `$policy_target.text` is `/text`; a path to anything else stays what it is, and is refused. */
function pointerOf(path: string): string {
  return path.startsWith('$policy_target') ? path.slice('$policy_target'.length).replaceAll('.', '/') : path;
}

export function requestOf(acs: AcsCase): PolicyRequest {
  const manifest = parse(acs.manifest_yaml) as Manifest;
  const configured = manifest.intervention_points[acs.intervention_point];
  const target = configured === undefined ? acs.snapshot : at(acs.snapshot, configured.policy_target);
  const tool = configured?.tool_name_from === undefined ? 'none' : String(at(acs.snapshot, configured.tool_name_from));
  const point = POINTS[acs.intervention_point] ?? 'input';
  return request({
    tool,
    point,
    args: target ?? null,
    action: { verb: point.endsWith('_tool') ? 'use' : 'tell' },
    ...(acs.annotator_outputs === undefined ? {} : { notes: acs.annotator_outputs }),
  });
}

/** Their five words for our three and what is owed. */
export function decisionOf({ verdict, obligations }: PolicyDecision): string {
  if (verdict !== 'allow') return verdict;
  if (obligations.some(({ kind }) => kind === 'redact')) return 'transform';
  return obligations.some(({ kind }) => kind === 'log') ? 'warn' : 'allow';
}

export function transformed(acs: AcsCase, decision: PolicyDecision): JsonValue | undefined {
  return redact(requestOf(acs).args, decision.obligations);
}

function at(value: JsonValue, path: string): JsonValue | undefined {
  let found: unknown = value;
  for (const part of path.replace(/^\$(snap)?\.?/, '').split('.'))
    found = (found as { [key: string]: unknown } | undefined)?.[part];
  return found as JsonValue | undefined;
}
