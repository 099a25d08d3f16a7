/**
 * The conformance suite of the Agent Control Specification (MIT), where its files are at hand: set `ACS_VECTORS`, or put
 * them beside the checkout. A case in which we would be laxer than expected fails; being stricter is noted by name.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { decide } from '../bundle/decide.ts';
import { REASONS } from '../decision/decision.ts';
import { compareVerdicts, type Verdict } from '../decision/verdict.ts';
import { type AcsCase, bundleOf, decisionOf, requestOf, transformed } from './acs.fixture.ts';

const SHARED = resolve(import.meta.dirname, '../../../shared');
const FOLDER = process.env['ACS_VECTORS'] ?? join(SHARED, 'vectors/agt-acs-conformance');

/** What is about their runtime and not about a decision, with the reason. */
const OUT_OF_SCOPE: Readonly<Record<string, string>> = {
  'spec-05-evaluate-only.case-01':
    'a shadow mode of their runtime; ours is whatIf, and its decision is compared here all the same',
  'spec-15-resource-limits.case-01': 'their limit is configured to 16 bytes; ours are fixed, and tested with decide',
  'spec-17-approval.case-01': 'approvals are bound to actions by the kernel, whose permits are tested there',
  'spec-18-ifc.case-02':
    'the case hands the answer to the policy; that the labels are compared is for flow rules, tested in the packs',
};

/** Where there should be vectors a missing one fails. */
const isExpected = process.env['ACS_VECTORS'] !== undefined || existsSync(SHARED);

describe.skipIf(!isExpected)(
  isExpected ? 'ACS conformance' : 'ACS conformance: skipped, there is no folder ../shared and no ACS_VECTORS',
  () => {
    const lines = isExpected ? readFileSync(join(FOLDER, 'cases.jsonl'), 'utf8').trim().split('\n') : [];
    const cases = lines.map((line) => JSON.parse(line) as AcsCase);

    test('all cases are there, and what is out of scope has its reason', () => {
      expect(cases).toHaveLength(25);
      expect(Object.keys(OUT_OF_SCOPE).filter((id) => !cases.some((acs) => acs.id === id))).toEqual([]);
    });

    test.each(cases.filter(({ id }) => OUT_OF_SCOPE[id] === undefined))('$id: $title', (acs) => {
      const decision = decide(bundleOf(acs), requestOf(acs));

      expect(decisionOf(decision)).toBe(acs.expected.decision);
      expect(REASONS).toContain(decision.code);
      const { transformed_policy_target: target } = acs.expected;
      if (target !== undefined && target !== null) expect(transformed(acs, decision)).toEqual(target);
      if (acs.expected.tool_name !== undefined) expect(requestOf(acs).action.tool).toBe(acs.expected.tool_name);
    });

    test.each(cases)('$id: is not answered more freely than expected', (acs) => {
      const limit: Readonly<Record<string, Verdict>> = {
        allow: 'allow',
        warn: 'allow',
        transform: 'allow',
        escalate: 'escalate',
        deny: 'deny',
      };
      if (acs.operation !== 'evaluate' || acs.limits !== undefined) {
        expect(OUT_OF_SCOPE[acs.id]).toBeDefined();
        return;
      }
      const { verdict } = decide(bundleOf(acs), requestOf(acs));

      expect(compareVerdicts(verdict, limit[acs.expected.decision] ?? 'deny')).toBeLessThanOrEqual(0);
    });

    test('the verdict table: what their runtime lets pass, we let pass, and nothing else', () => {
      const table = JSON.parse(readFileSync(join(FOLDER, 'verdict_dispatch_canonical.json'), 'utf8')) as {
        rows: { id: string; input: AcsCase['policy_response']; permits: boolean }[];
      };
      const manifest = 'intervention_points: { input: { policy_target: $snap.input } }';
      for (const { id, input, permits } of table.rows) {
        const acs: AcsCase = {
          id,
          title: id,
          operation: 'evaluate',
          manifest_yaml: manifest,
          intervention_point: 'input',
          snapshot: { input: { flag: false } },
          policy_response: input,
          expected: { decision: '' },
        };
        expect([id, decide(bundleOf(acs), requestOf(acs)).verdict === 'allow']).toEqual([id, permits]);
      }
    });
  },
);
