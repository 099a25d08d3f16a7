/**
 * A policy document: YAML, or data made in code, as checked rules. What is doubtful is refused here, with its place, so
 * that nothing is left to be discovered when it is needed.
 */
import { canonicalJson, type JsonValue } from '../../runtime/codec/json.ts';
import { err, ok, type Result, unwrap } from '../../runtime/core/result.ts';
import type { Layer } from '../decision/verdict.ts';
import { durationMs, type FactDeclaration } from '../expression/check.ts';
import { nearest } from '../expression/nearest.ts';
import { atOnce, type Sliced } from '../slices.ts';
import { conform } from './conform.ts';
import { formatPath, PolicyError, type PolicyFault } from './fault.ts';
import { rulesOfManifest } from './manifest.ts';
import { type Head, listOf, type ParsedRule, parseRule } from './rule.ts';
import { API_VERSION, type DocumentInput, DocumentShape, type FactInput, type ManifestInput } from './shape.ts';
import { dataSource, type Path, parseYaml, type Source } from './yaml-source.ts';

export type PolicyDocument = {
  readonly name: string;
  readonly layer: Layer;
  /** Whom it concerns. */
  readonly scope: Head & { readonly mesh?: readonly string[]; readonly task?: readonly string[] };
  readonly facts: ReadonlyMap<string, FactDeclaration>;
  readonly factInputs: Readonly<Record<string, FactInput>>;
  readonly tools: readonly { readonly tool: string; readonly manifest: ManifestInput; readonly path: Path }[];
  readonly rules: readonly ParsedRule[];
  /** The document as data with its rules in one order: what the bundle's digest is made of. */
  readonly content: JsonValue;
  readonly source: Source;
};

/** Reads a document.  Every fault is told, up to twenty. */
export function parsePolicy(text: string, file: string): Result<PolicyDocument, readonly PolicyFault[]> {
  const source = parseYaml(text, file);
  return source.ok ? atOnce(documentOf(source.value)) : source;
}

/** A document that was written as data: a bundle's, or TypeScript's. */
export function parsePolicyData(value: JsonValue, file: string): Result<PolicyDocument, readonly PolicyFault[]> {
  return atOnce(readPolicyData(value, file));
}

/** The same, in slices. */
export function readPolicyData(value: JsonValue, file: string): Sliced<Result<PolicyDocument, readonly PolicyFault[]>> {
  return documentOf(dataSource(file, value));
}

/** A document written in TypeScript, of the same keys as one in YAML.
 *  @throws {PolicyError} `policy.refused` with every fault: its author is there to mend it
 *  @example policy({ name: 'reads', layer: 'org', rules: [readOnly(), rateLimit(100, '1m')] }) */
export function policy(input: Omit<DocumentInput, 'apiVersion'>): PolicyDocument {
  const value = unwrap(canonicalJson({ apiVersion: API_VERSION, ...input }), 'a policy is data');
  const document = parsePolicyData(JSON.parse(value) as JsonValue, `policy ${input.name}`);
  if (!document.ok) throw new PolicyError(document.error);
  return document.value;
}

/** Rules in a document: a thousand times what a person reads. */
const RULES_MAX = 100_000;

function* documentOf(source: Source): Sliced<Result<PolicyDocument, readonly PolicyFault[]>> {
  const text = canonicalJson(source.value);
  if (!text.ok) return err([source.fault('document.malformed', text.error.message, { path: [] })]);
  if (text.value.includes('"__proto__":')) {
    return err([source.fault('document.unknown_key', 'expected no key named "__proto__"', { path: [] })]);
  }
  yield;
  const shaped = conform(DocumentShape, source.value, source, []);
  if (!shaped.ok) return shaped;
  yield;
  const input = shaped.value;
  const { name, agent, facts: factInputs = {} } = input;
  const faults: PolicyFault[] = [];
  const layer = input.layer ?? (agent === undefined ? undefined : 'agent');
  if (layer === undefined)
    faults.push(source.fault('document.malformed', 'expected a layer, found none', { path: [] }));
  if (agent !== undefined && (layer !== 'agent' || input.for !== undefined)) {
    const message = 'expected a document that describes an agent to be in the layer "agent", without "for"';
    faults.push(source.fault('document.malformed', message, { path: ['agent'], key: true }));
  }
  if (agent === undefined && input.tools === undefined && input.rules === undefined) {
    faults.push(source.fault('document.malformed', 'expected rules, tools or an agent, found none', { path: [] }));
  }
  if ((input.rules?.length ?? 0) > RULES_MAX) {
    faults.push(
      source.fault('document.too_large', `expected at most ${RULES_MAX} rules`, { path: ['rules'], key: true }),
    );
  }

  const tools = [
    ...Object.entries(input.tools ?? {}).map(([tool, manifest]) => ({ tool, manifest, path: ['tools', tool] as Path })),
    ...(agent?.manifest.tools ?? []).map(({ name: tool, ...manifest }, n) => ({
      tool,
      manifest,
      path: ['agent', 'manifest', 'tools', n] as Path,
    })),
  ];
  const facts = readFacts(factInputs, source, faults);
  const rules: ParsedRule[] = tools.flatMap(({ tool, manifest, path }) => rulesOfManifest(tool, manifest, path));
  if (agent !== undefined) rules.push(...rulesOfAgent(agent.manifest));
  for (const [n, entry] of (input.rules ?? []).entries()) {
    const parsed = parseRule(entry, source, ['rules', n]);
    if (parsed.ok) rules.push(...parsed.value);
    else faults.push(...parsed.error);
    yield;
  }
  findDuplicates([...rules.map(({ id, path }) => ({ id, path }))], source, faults);
  findDuplicates(
    tools.map(({ tool, path }) => ({ id: tool, path })),
    source,
    faults,
  );
  if (faults.length > 0 || layer === undefined) return err(faults.slice(0, FAULTS_MAX));
  yield;
  const scope = agent === undefined ? scopeOf(input.for) : { agent: [agent.id] };
  return ok({ name, layer, scope, facts, factInputs, tools, rules, content: contentOf(source.value), source });
}

const FAULTS_MAX = 20;

/** What is listed may be used, what is denied may not; the rest follows from there being a list. */
function rulesOfAgent({ tools, denied_tools }: NonNullable<DocumentInput['agent']>['manifest']): readonly ParsedRule[] {
  const at: Path = ['agent', 'manifest'];
  const allowed = tools.map(
    ({ name }, n): ParsedRule => ({
      id: `${name}.listed`,
      head: { point: ['pre_tool', 'post_tool'], tool: [name] },
      effect: 'allow',
      obligations: [],
      path: [...at, 'tools', n],
    }),
  );
  if (denied_tools === undefined) return allowed;
  const denied: ParsedRule = {
    id: 'denied_tools',
    head: { tool: denied_tools },
    effect: 'deny',
    obligations: [],
    because: 'the tool is among the agent’s denied tools',
    path: [...at, 'denied_tools'],
  };
  return [...allowed, denied];
}

function readFacts(
  inputs: Readonly<Record<string, FactInput>>,
  source: Source,
  faults: PolicyFault[],
): ReadonlyMap<string, FactDeclaration> {
  return new Map(
    Object.entries(inputs).map(([name, { within, by, sum }]) => {
      const windowsMs = listOf(within).map((window, n) => {
        const millis = durationMs(window);
        if (millis === undefined) {
          const path = ['facts', name, 'within', ...(Array.isArray(within) ? [n] : [])];
          faults.push(source.fault('document.malformed', `expected a span up to a year, found ${window}`, { path }));
        }
        return millis ?? 0;
      });
      return [name, { windowsMs, by, hasSum: sum !== undefined }];
    }),
  );
}

/** Two rules of one name would make a log ambiguous. */
function findDuplicates(
  named: readonly { readonly id: string; readonly path: Path }[],
  source: Source,
  faults: PolicyFault[],
): void {
  const seen = new Map<string, Path>();
  for (const { id, path } of named) {
    const first = seen.get(id);
    if (first === undefined) {
      seen.set(id, path);
      continue;
    }
    const [key] = ['id', 'name'].filter((each) => source.lineOf([...path, each]) !== undefined);
    const line = source.lineOf(first);
    const where = line === undefined ? formatPath(first) : `line ${line}`;
    const message = `expected each name once, found "${id}" here and at ${where}`;
    faults.push(source.fault('document.duplicate_id', message, { path: key === undefined ? path : [...path, key] }));
  }
}

function scopeOf(input: DocumentInput['for']): PolicyDocument['scope'] {
  return Object.fromEntries(Object.entries(input ?? {}).map(([key, value]) => [key, listOf(value)]));
}

/** Rules sorted by their text: two files that differ in the order of their rules are one policy. */
function contentOf(value: JsonValue): JsonValue {
  const document = value as { readonly [key: string]: JsonValue };
  const rules = document['rules'];
  if (!Array.isArray(rules)) return value;
  const keyed = (rules as readonly JsonValue[]).map(
    (rule) => [unwrap(canonicalJson(rule), 'a rule is data'), rule] as const,
  );
  return { ...document, rules: keyed.toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, rule]) => rule) };
}

/** A name that is not known, with the one that was probably meant. */
export function unknownName(source: Source, path: Path, found: string, known: Iterable<string>): PolicyFault {
  const message = `expected a tool that some manifest describes, found "${found}": the rule could never match`;
  return source.fault('document.unknown_name', message, { path, suggestion: nearest(found, known) });
}
