/**
 * A bundle: documents compiled into one decision function, named by the digest of what they say.
 *
 * B1. The digest is of the documents as canonical JSON, sorted: neither the order of files nor of rules is in it.
 * B2. A bundle is whole or not at all: one fault in one document refuses all of them.
 */

import { sha256 } from '../../runtime/codec/digest.ts';
import { canonicalJson, type JsonValue } from '../../runtime/codec/json.ts';
import { type DigestText, digestText } from '../../runtime/codec/record.ts';
import { utf8 } from '../../runtime/core/bytes.ts';
import { err, ok, type Result, unwrap } from '../../runtime/core/result.ts';
import { LAYERS } from '../decision/verdict.ts';
import { type PolicyDocument, unknownName } from '../document/document.ts';
import { PolicyError, type PolicyFault } from '../document/fault.ts';
import { type Manifest, mergeManifests } from '../document/manifest.ts';
import type { ParsedRule } from '../document/rule.ts';
import type { FactInput } from '../document/shape.ts';
import { checkCondition, type Scope } from '../expression/check.ts';
import { ExpressionError } from '../expression/fault.ts';
import type { Term } from '../expression/term.ts';
import { isImpossible } from '../expression/vacuity.ts';
import { atOnce, type Sliced } from '../slices.ts';
import { argumentsClause, type Clause, clauseOf } from './clause.ts';
import { compileGrants, type Grants, layerBit } from './grants.ts';
import { indexOf, type RuleIndex } from './rule-index.ts';

export type Bundle = {
  readonly digest: DigestText;
  /** Rises with every bundle that replaces another. */
  readonly version: number;
  /** What the digest is of. */
  readonly bytes: Uint8Array;
  readonly documents: readonly PolicyDocument[];
  readonly tools: ReadonlyMap<string, Manifest>;
  /** What a host has to count for these rules, by document and name. */
  readonly facts: ReadonlyMap<string, FactInput>;
  readonly clauses: readonly Clause[];
  readonly index: RuleIndex;
  readonly grants: Grants;
};

export const BUNDLE_FORMAT = 'ringmesh.bundle/v1';

type Options = { readonly version?: number };

/** Compiles documents, in any order, or tells every fault. */
export function compileBundle(
  documents: readonly PolicyDocument[],
  options: Options = {},
): Result<Bundle, readonly PolicyFault[]> {
  return atOnce(compileSliced(documents, options));
}

/** The same, in slices. */
export function* compileSliced(
  documents: readonly PolicyDocument[],
  options: Options = {},
): Sliced<Result<Bundle, readonly PolicyFault[]>> {
  const faults: PolicyFault[] = [];
  const sorted = documents.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  for (const [n, { name, source }] of sorted.entries()) {
    if (n === 0 || sorted[n - 1]?.name !== name) continue;
    const message = `expected each document once, found "${name}" also in ${sorted[n - 1]?.source.file}`;
    faults.push(source.fault('document.duplicate_id', message, { path: ['name'] }));
  }
  const tools = manifestsOf(sorted);
  yield;
  const clauses: Clause[] = [];
  for (const document of sorted) yield* addClauses(document, tools, { clauses, faults });
  const facts = factsOf(sorted, faults);
  if (faults.length > 0) return err(faults.slice(0, 20));

  const { version = 1 } = options;
  const content: JsonValue = { format: BUNDLE_FORMAT, version, documents: sorted.map((document) => document.content) };
  const bytes = utf8(unwrap(canonicalJson(content), 'documents are data'));
  yield;
  const digest = digestText(sha256(bytes));
  const grants = compileGrants(sorted);
  yield;
  return ok({ digest, version, bytes, documents: sorted, tools, facts, clauses, index: indexOf(clauses), grants });
}

/** A bundle of documents written in TypeScript.
 *  @throws {PolicyError} `policy.refused` with every fault */
export function bundle(documents: readonly PolicyDocument[], options: Options = {}): Bundle {
  const compiled = compileBundle(documents, options);
  if (!compiled.ok) throw new PolicyError(compiled.error);
  return compiled.value;
}

function manifestsOf(documents: readonly PolicyDocument[]): ReadonlyMap<string, Manifest> {
  const described = documents.flatMap(({ layer, tools }) =>
    tools.map(({ tool, manifest }) => ({ tool, manifest, depth: LAYERS.indexOf(layer) })),
  );
  return new Map(
    [...Map.groupBy(described, ({ tool }) => tool)].map(([tool, all]) => [tool, mergeManifests(tool, all)]),
  );
}

/** Hosts count by name, so one name is one count. */
function factsOf(documents: readonly PolicyDocument[], faults: PolicyFault[]): ReadonlyMap<string, FactInput> {
  const facts = new Map<string, FactInput>();
  for (const { factInputs, source } of documents) {
    for (const [name, input] of Object.entries(factInputs)) {
      const known = facts.get(name);
      if (known !== undefined && JSON.stringify(known) !== JSON.stringify(input)) {
        const message = `expected one meaning of each fact, found another "${name}" in an earlier document`;
        faults.push(source.fault('document.duplicate_id', message, { path: ['facts', name], key: true }));
      }
      facts.set(name, input);
    }
  }
  return facts;
}

function* addClauses(
  document: PolicyDocument,
  tools: ReadonlyMap<string, Manifest>,
  to: { readonly clauses: Clause[]; readonly faults: PolicyFault[] },
): Sliced<void> {
  const { source } = document;
  const layer = layerBit(document.layer);
  for (const rule of document.rules) {
    const fault = unknownTool(rule, document, tools);
    const term = fault === undefined ? conditionOf(rule, document, tools) : err(fault);
    if (!term.ok) to.faults.push(term.error);
    else to.clauses.push(clauseOf({ rule, document, layer, line: source.lineOf(rule.path) }, term.value));
    yield;
  }
  for (const { tool, manifest, path } of document.tools) {
    if (manifest.parameters === undefined) continue;
    to.clauses.push(argumentsClause({ document, layer, line: source.lineOf(path) }, tool, manifest.parameters));
    yield;
  }
}

/** A rule about a tool that nothing describes could never match: the tool is denied before any rule is asked. */
function unknownTool(
  { head, path }: ParsedRule,
  { source }: PolicyDocument,
  tools: ReadonlyMap<string, Manifest>,
): PolicyFault | undefined {
  const isAboutTools = head.point === undefined || head.point.every((point) => point.endsWith('_tool'));
  const isAboutMessages = head.verb?.every((verb) => verb !== 'use') ?? false;
  if (!isAboutTools || isAboutMessages || head.tool === undefined) return undefined;
  const missing = head.tool.findIndex((pattern) => {
    if (pattern.includes('@')) return false; // a message to an agent: no manifest describes it
    if (!pattern.endsWith('*')) return !tools.has(pattern);
    const prefix = pattern.slice(0, -1);
    return ![...tools.keys()].some((tool) => tool.startsWith(prefix));
  });
  const found = head.tool[missing];
  return found === undefined ? undefined : unknownName(source, placeOfTool(path, missing, source), found, tools.keys());
}

/** The place of the n-th tool of a rule, in whichever form it was written. */
function placeOfTool(path: readonly (string | number)[], n: number, source: PolicyDocument['source']) {
  let value: unknown = source.value;
  for (const part of path) value = (value as Record<string, unknown> | undefined)?.[part];
  const rule = value as { on?: { tool?: unknown }; requireApproval?: unknown } | undefined;
  if (rule?.requireApproval !== undefined) return [...path, 'requireApproval', 'actions', n];
  if (rule?.on === undefined) return Array.isArray(value) ? [...path, n] : path;
  return [...path, 'on', 'tool', ...(Array.isArray(rule.on.tool) ? [n] : [])];
}

function conditionOf(
  rule: ParsedRule,
  { source, facts }: PolicyDocument,
  tools: ReadonlyMap<string, Manifest>,
): Result<Term | undefined, PolicyFault> {
  const { when } = rule;
  if (when === undefined) return ok(undefined);
  const { path } = when;
  const args = argumentsOf(rule, tools);
  const scope: Scope = { isStrict: rule.effect !== 'allow', facts, ...(args === undefined ? {} : { args }) };
  try {
    const term = checkCondition(when.syntax, scope);
    if (!isImpossible(term)) return ok(term);
    const message = 'expected a condition that some request could meet, found one that none can';
    return err(source.fault('document.never_matches', message, { path }));
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    const { message, suggestion, start, end } = error.fault;
    return err(source.fault('document.bad_expression', message, { path, inner: { start, end }, suggestion }));
  }
}

/** What arguments there are, where the rule names its tools and all of them list theirs. */
function argumentsOf({ head }: ParsedRule, tools: ReadonlyMap<string, Manifest>): Scope['args'] {
  if (head.tool === undefined) return undefined;
  const lists = head.tool.map((tool) => tools.get(tool)?.args);
  const known = lists.filter((list) => list !== undefined);
  if (known.length !== lists.length) return undefined;
  const merged = new Map(known.flatMap((list) => [...list]));
  const [only] = known;
  // Two tools may have one name for two types: then it is looked at when the rule runs.
  return known.length === 1 ? only : new Map([...merged.keys()].map((name) => [name, { kind: 'json' }]));
}
