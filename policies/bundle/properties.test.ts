import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { JsonValue } from '../../runtime/codec/json.ts';
import type { Random } from '../../runtime/core/random.ts';
import { seededRandom } from '../../runtime/core/simulation.ts';
import { combineObligations } from '../decision/obligation.ts';
import { compareVerdicts } from '../decision/verdict.ts';
import { type PolicyDocument, parsePolicyData } from '../document/document.ts';
import { TOOLS } from '../policy.fixture.ts';
import { pick, someDocument, someRequest, someRule } from '../random-policy.fixture.ts';
import { type Bundle, compileBundle } from './bundle.ts';
import { contextOf, decide, refuse, weigh } from './decide.ts';

const REQUESTS = 12;

/** Runs `check` with a random generator per run; seeds that make a rule which never matches are skipped. */
function forAll(check: (random: Random) => void, numRuns = 250): void {
  fc.assert(
    fc.property(fc.nat(), (seed) => check(seededRandom(seed))),
    { numRuns },
  );
}

function documentOf(data: { readonly [key: string]: JsonValue }): PolicyDocument | undefined {
  const parsed = parsePolicyData(data, String(data['name']));
  return parsed.ok ? parsed.value : undefined;
}

function bundleOf(documents: readonly (PolicyDocument | undefined)[]): Bundle | undefined {
  const known = documents.filter((document) => document !== undefined);
  if (known.length < documents.length) return undefined;
  const compiled = compileBundle([TOOLS, ...known]);
  return compiled.ok ? compiled.value : undefined;
}

const documentsData = (random: Random) =>
  Array.from({ length: 1 + random.below(4) }, (_, n) => someDocument(random, `d${n}`));

function shuffled<T>(random: Random, items: readonly T[]): readonly T[] {
  return items
    .map((item) => [random.below(2 ** 31), item] as const)
    .sort(([a], [b]) => a - b)
    .map(([, item]) => item);
}

describe('properties', () => {
  test('the index never changes a decision: it agrees with asking every rule', () => {
    let compared = 0;
    forAll((random) => {
      const bundle = bundleOf(documentsData(random).map(documentOf));
      if (bundle === undefined) return;
      for (let n = 0; n < REQUESTS; n++) {
        const request = someRequest(random);
        const { verdict, code, obligations } = decide(bundle, request);
        const linear =
          refuse(bundle, request) ??
          weigh(bundle, contextOf(bundle, request), (_, visit) => void bundle.clauses.some((clause) => visit(clause)));
        expect({ verdict, code, obligations }).toEqual({
          verdict: linear.verdict,
          code: linear.code,
          obligations: linear.obligations,
        });
        compared++;
      }
    });
    expect(compared).toBeGreaterThan(1_000);
  });

  test('D5: the order of rules and documents changes nothing, not even the digest', () => {
    forAll((random) => {
      const data = documentsData(random);
      const other = shuffled(random, data).map((document) => ({
        ...document,
        rules: shuffled(random, document['rules'] as readonly JsonValue[]),
      }));
      const [first, second] = [bundleOf(data.map(documentOf)), bundleOf(other.map(documentOf))];
      expect(second?.digest).toBe(first?.digest);
      for (let n = 0; n < REQUESTS; n++) {
        const request = someRequest(random);
        expect(decide(second, request)).toEqual(decide(first, request));
      }
    });
  });

  test('adding a rule that denies never allows more', () => {
    let stricter = 0;
    forAll((random) => {
      const data = documentsData(random);
      const at = random.below(data.length);
      const more = data.map((document, n) =>
        n === at
          ? { ...document, rules: [...(document['rules'] as readonly JsonValue[]), someRule(random, 'more', ['deny'])] }
          : document,
      );
      const [before, after] = [bundleOf(data.map(documentOf)), bundleOf(more.map(documentOf))];
      if (before === undefined || after === undefined) return;
      for (let n = 0; n < REQUESTS; n++) {
        const request = someRequest(random);
        const change = compareVerdicts(decide(after, request).verdict, decide(before, request).verdict);
        expect(change).toBeLessThanOrEqual(0);
        if (change < 0) stricter++;
      }
    });
    expect(stricter).toBeGreaterThan(10);
  });

  test('whatever a layer further in says, its rights are a subset of its parent’s', () => {
    let stricter = 0;
    forAll((random) => {
      const listing = {
        id: 'any',
        on: 'any',
        when: pick(random, ['subject.ring < 3', 'has(args.amount)', 'true']),
        effect: 'allow',
      };
      const parent = someDocument(random, 'parent');
      const child = { ...someDocument(random, 'child'), layer: pick(random, ['team', 'agent', 'task']) };
      const org = { ...parent, layer: 'org', for: {}, rules: [...(parent['rules'] as readonly JsonValue[]), listing] };
      const [alone, both] = [bundleOf([documentOf(org)]), bundleOf([documentOf(org), documentOf(child)])];
      if (alone === undefined || both === undefined) return;
      for (let n = 0; n < REQUESTS; n++) {
        const request = someRequest(random);
        const change = compareVerdicts(decide(both, request).verdict, decide(alone, request).verdict);
        expect(change).toBeLessThanOrEqual(0);
        if (change < 0) stricter++;
      }
    });
    expect(stricter).toBeGreaterThan(10);
  });

  test('to know less of a request never allows more, nor asks for less in return', () => {
    let compared = 0;
    forAll((random) => {
      compared += knowsLess(random);
    }, 600); // few seeds give rules that allow something although less is known
    expect(compared).toBeGreaterThan(100);
  });

  test.each([
    [1058131331, 'a rule that allows one tenant against an approval, and a subject of no known tenant'],
    [482391173, 'a list for one tenant, rules that escalate in its layer, and a subject of no known tenant'],
  ])('to know less gains nothing, seed %i: %s', (seed) => {
    knowsLess(seededRandom(seed));
    expect.hasAssertions();
  });
});

/** How many requests were not denied though less was known of them, each then compared with the whole one. */
function knowsLess(random: Random): number {
  const bundle = bundleOf(documentsData(random).map(documentOf));
  // Without `has`, which asks whether something is known and so may answer either way.
  if (bundle === undefined || bundle.clauses.some(({ text }) => text?.includes('has(') === true)) return 0;
  let compared = 0;
  for (let n = 0; n < REQUESTS; n++) {
    const request = someRequest(random);
    const { tenant: _tenant, team: _team, roles: _roles, ...subject } = request.subject;
    const args = Object.fromEntries(Object.entries(request.args as object).filter(() => random.below(2) === 0));
    const [less, whole] = [decide(bundle, { ...request, subject, args }), decide(bundle, request)];
    expect(compareVerdicts(less.verdict, whole.verdict)).toBeLessThanOrEqual(0);
    if (less.verdict === 'deny') continue;
    expect(combineObligations([...less.obligations, ...whole.obligations])).toEqual(less.obligations);
    compared++;
  }
  return compared;
}
