/** One round of fuzzing: a random document, well or ill, in a bundle, asked random things. */
import { expect } from 'vitest';
import { stringify } from 'yaml';
import { canonicalJson, type JsonValue } from '../runtime/codec/json.ts';
import type { Random } from '../runtime/core/random.ts';
import { compileBundle } from './bundle/bundle.ts';
import { decide } from './bundle/decide.ts';
import { explain } from './bundle/explain.ts';
import { REASONS } from './decision/decision.ts';
import type { PolicyRequest } from './decision/request.ts';
import { type PolicyDocument, parsePolicy, parsePolicyData } from './document/document.ts';
import { formatFault, type PolicyFault } from './document/fault.ts';
import { TOOLS } from './policy.fixture.ts';
import { garbled, mutated, someDocument, someRequest } from './random-policy.fixture.ts';

const CODES: ReadonlySet<string> = new Set(REASONS);
const VERDICTS: ReadonlySet<string> = new Set(['allow', 'escalate', 'deny']);

export type Tally = { accepted: number; refused: number; allow: number; escalate: number; deny: number };

export function fuzzOnce(random: Random, tally: Tally): void {
  const data = someDocument(random, 'fuzz', 6);
  const bent = random.below(3) === 0 ? data : (mutated(random, data) as typeof data);
  const parsed = random.below(4) === 0 ? parseText(random, bent) : parsePolicyData(bent, 'fuzz');
  if (!parsed.ok) checkFaults(parsed.error);
  const documents: readonly PolicyDocument[] = parsed.ok ? [TOOLS, parsed.value] : [TOOLS];
  const bundle = compileBundle(documents);
  if (!bundle.ok) checkFaults(bundle.error);
  tally[parsed.ok && bundle.ok ? 'accepted' : 'refused']++;

  const sound = someRequest(random);
  const asked =
    random.below(3) === 0 ? (mutated(random, sound as unknown as JsonValue) as unknown as PolicyRequest) : sound;
  const under = bundle.ok ? bundle.value : undefined;
  const decision = decide(under, asked);
  tally[decision.verdict]++;
  if (!VERDICTS.has(decision.verdict) || !CODES.has(decision.code) || decision.message === '') {
    expect.fail(`a decision without a reason: ${JSON.stringify(decision)}`);
  }
  if (decision.verdict === 'allow' && decision.determining.length === 0) expect.fail('allowed by no rule');
  if (random.below(8) === 0) explain(under, asked);
}

function parseText(random: Random, data: JsonValue) {
  const text = canonicalJson(data).ok ? stringify(data, { aliasDuplicateObjects: false }) : 'x: y';
  return parsePolicy(garbled(random, text), 'fuzz.yaml');
}

function checkFaults(faults: readonly PolicyFault[]): void {
  if (faults.length === 0) expect.fail('refused without a fault');
  for (const fault of faults) {
    const { position } = fault;
    if (
      position !== undefined &&
      (position.line < 1 || position.column < 1 || position.column > position.text.length + 1)
    ) {
      expect.fail(`a place outside the text: ${JSON.stringify(fault)}`);
    }
    if (formatFault(fault) === '') expect.fail('a fault that says nothing');
  }
}
