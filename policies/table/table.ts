/**
 * Tests of policies as tables: what is given, what is expected. A policy without one is a guess.
 */
import { z } from 'zod';
import type { JsonValue } from '../../runtime/codec/json.ts';
import { err, ok, type Result } from '../../runtime/core/result.ts';
import { compileBundle } from '../bundle/bundle.ts';
import { decide } from '../bundle/decide.ts';
import { type PolicyDecision, REASONS } from '../decision/decision.ts';
import { OBLIGATION_KINDS } from '../decision/obligation.ts';
import { conform } from '../document/conform.ts';
import { type PolicyDocument, parsePolicyData } from '../document/document.ts';
import type { PolicyFault } from '../document/fault.ts';
import { parseYaml } from '../document/yaml-source.ts';
import { durationMs } from '../expression/check.ts';
import { type Given, GivenShape, requestOf } from './request-shape.ts';

const TABLE_VERSION = 'ringmesh.policy-test/v1';

export const TableShape = z.strictObject({
  apiVersion: z.literal(TABLE_VERSION),
  description: z.string().optional(),
  policies: z.array(z.string().min(1)).min(1).describe('Policy files, by their path from this one.'),
  documents: z
    .array(z.record(z.string(), z.unknown()))
    .min(1)
    .optional()
    .describe('Further policy documents: the tools and permissions that the tested ones need around them.'),
  given: GivenShape.optional().describe('What every case begins with.'),
  cases: z
    .array(
      z.strictObject({
        name: z.string().min(1),
        given: GivenShape,
        expect: z.strictObject({
          verdict: z.enum(['allow', 'escalate', 'deny']),
          code: z.enum(REASONS).optional(),
          rules: z.array(z.string()).min(1).optional().describe('The rules that decide, as <document>/<rule>.'),
          obligations: z.array(z.enum(OBLIGATION_KINDS)).optional(),
        }),
      }),
    )
    .min(1),
});

export type Table = z.infer<typeof TableShape> & { readonly file: string; readonly extra: readonly PolicyDocument[] };

export type CaseResult = {
  readonly name: string;
  readonly decision: PolicyDecision;
  /** What differs; empty where the case passed. */
  readonly differences: readonly string[];
};

export function parseTable(text: string, file: string): Result<Table, readonly PolicyFault[]> {
  const source = parseYaml(text, file);
  if (!source.ok) return source;
  const shaped = conform(TableShape, source.value.value, source.value, []);
  if (!shaped.ok) return shaped;
  const extra: PolicyDocument[] = [];
  for (const [n, document] of (shaped.value.documents ?? []).entries()) {
    const parsed = parsePolicyData(document as JsonValue, `${file} documents[${n}]`);
    if (!parsed.ok) return parsed;
    extra.push(parsed.value);
  }
  return ok({ ...shaped.value, file, extra });
}

/** Runs every case under the documents given and the table's own. */
export function runTable(
  table: Table,
  documents: readonly PolicyDocument[],
): Result<readonly CaseResult[], readonly PolicyFault[]> {
  const bundle = compileBundle([...documents, ...table.extra]);
  if (!bundle.ok) return err(bundle.error);
  return ok(
    table.cases.map(({ name, given, expect }) => {
      const request = requestOf(name, merge(table.given ?? {}, given), durationMs);
      const decision = decide(bundle.value, request);
      return { name, decision, differences: differencesOf(expect, decision) };
    }),
  );
}

/** The case's word counts, part by part. */
function merge(base: Given, own: Given): Given {
  return {
    ...base,
    ...own,
    ...(base.subject === undefined ? {} : { subject: { ...base.subject, ...own.subject } }),
    ...(base.action === undefined ? {} : { action: { ...base.action, ...own.action } }),
  };
}

function differencesOf(expected: Table['cases'][number]['expect'], found: PolicyDecision): readonly string[] {
  const differences: string[] = [];
  const compare = (what: string, wanted: unknown, seen: unknown): void => {
    if (wanted === undefined || JSON.stringify(wanted) === JSON.stringify(seen)) return;
    differences.push(`expected ${what} ${JSON.stringify(wanted)}, found ${JSON.stringify(seen)}: ${found.message}`);
  };
  compare('verdict', expected.verdict, found.verdict);
  compare('code', expected.code, found.code);
  compare('rules', expected.rules?.toSorted(), found.determining.map(({ rule }) => rule).toSorted());
  compare('obligations', expected.obligations?.toSorted(), found.obligations.map(({ kind }) => kind).toSorted());
  return differences;
}
