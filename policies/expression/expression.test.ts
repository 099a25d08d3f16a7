import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { evaluate, request, termOf } from '../policy.fixture.ts';
import { compileLike } from './like.ts';
import { isImpossible } from './vacuity.ts';

const asked = request({
  args: { amount: 250, text: 'Hello', list: ['a', 'b'], half: 0.5, nothing: null, deep: { to: ['x'] }, big: 2 ** 53 },
  subject: { tenant: 'acme', roles: ['clerk'], ring: 2 },
});

describe('a condition is evaluated', () => {
  test.each([
    ['args.amount > 100', true],
    ['args.amount > 250', false],
    ['args.amount >= 250 and args.amount <= 250', true],
    ['args.amount - 50 == 200 and args.amount * 2 == 500 and -args.amount < 0', true],
    ['1 + 2 * 3 == 7 and (1 + 2) * 3 == 9', true],
    ['args.amount < money("3.00") and args.amount > money("2.49")', true],
    ['args.amount == money("250", 0)', true],
    ['args.text == "Hello" or false', true],
    ['not args.text == "Hello"', false],
    ['args.text in ["Hello", "Bye"]', true],
    ['args.text not in ["Hello"]', false],
    ['"b" in args.list', true],
    ['"c" in args.list', false],
    ['args.nothing == null', true],
    ['args.text == null', false],
    ['args.text like "He*o" and args.text not like "h*"', true],
    ['any(x in args.list, x == "b")', true],
    ['all(x in args.list, x == "b")', false],
    ['any(x in args.list, any(y in args.deep.to, y == "x"))', true],
    ['args.deep.to[0] == "x" and args["amount"] == 250', true],
    ['has(args.amount) and not has(args.absent)', true],
    ['length(args.text) == 5 and length(args.list) == 2', true],
    ['lower(args.text) == "hello" and starts_with(args.text, "He") and ends_with(args.text, "lo")', true],
    ['contains(args.text, "ell") and contains(args.list, "a") and not contains(args.list, "z")', true],
    ['intersects(args.list, ["b", "c"]) and subset(args.list, ["a", "b", "c"])', true],
    ['subset(args.list, ["a"])', false],
    ['"read" in action.effects and action.reversibility == "reversible"', true],
    ['subject.ring == 2 and subject.tenant == "acme" and "clerk" in subject.roles', true],
    ['hour(at) == 22 and weekday(at) == 2', true],
    ['at - 24h < at and 1_000ms == 1s', true],
    ['host("https://user:pw@Example.COM.:8443/path") == "example.com"', true],
    ['host("other://API.Example.com/") == "api.example.com"', true],
    ['path_in("/srv/data/./x/../y", "/srv/data") and not path_in("/srv/data/../secret", "/srv/data")', true],
    ['path_in("/srv/database", "/srv/data")', false],
  ])('%s is %s', (text, expected) => {
    expect(evaluate(text, asked)).toBe(expected);
  });
});

describe('what cannot be known is unknown, and neither true nor false', () => {
  test.each([
    'args.absent > 1',
    'args.absent == "x"',
    'not args.absent == "x"',
    'args.text > 1',
    'args.amount == "250"',
    'args.half > 0',
    'args.big > 1',
    'args.amount * 9007199254740991 > 0',
    'args.list == args.list',
    'args.text',
    'args.nothing.x == 1',
    'args.constructor == "x"',
    'args.list[9] == "a"',
    'args.list.length == 2',
    '1 in args.list',
    'any(x in args.text, x == "b")',
    'any(x in args.list, x == 1)',
    'args.absent in ["a"]',
    'args.amount in ["a"]',
    '"a" in [args.absent]',
    'args.amount like "2*"',
    'subject.sponsor == "eve"',
    'length(args.amount) == 1',
    'host("not a url") == "x"',
    'path_in("relative", "/srv")',
    'flow.integrity("/text") < integrity("user")',
    'args.absent and true',
    'args.absent or false',
  ])('%s', (text) => {
    expect(evaluate(text, asked)).toBeUndefined();
  });

  test.each([
    ['args.absent == 1 and false', false],
    ['args.absent == 1 or true', true],
    ['any(x in ["a", args.absent], x == "a")', true],
    ['all(x in ["a", args.absent], x == "b")', false],
  ])('but not where it makes no difference: %s is %s', (text, expected) => {
    expect(evaluate(text, asked)).toBe(expected);
  });
});

describe('facts are what the host counted', () => {
  const facts = new Map([['refunds', { windowsMs: [86_400_000], by: ['subject.id'], hasSum: true }]]);
  const counted = (at: number, key: string) =>
    request({
      at: 100_000,
      facts: { at, readings: { refunds: [{ windowMs: 86_400_000, key: [key], count: 3, sum: 900 }] } },
    });

  test('for the key and window that were declared', () => {
    const text = 'facts.count("refunds") == 3 and facts.sum("refunds", "24h", subject.id) + 200 > 1000';

    expect(evaluate(text, counted(100_000, 'did:example:ada'), { facts })).toBe(true);
  });

  test.each([
    ['of another key', counted(100_000, 'did:example:eve')],
    ['that are stale', counted(60_000, 'did:example:ada')],
    ['from the future', counted(100_001, 'did:example:ada')],
    ['that were not counted', request({ at: 100_000 })],
  ])('and unknown where there are only ones %s', (_, stale) => {
    expect(evaluate('facts.count("refunds") > 0', stale, { facts })).toBeUndefined();
  });

  test.each([
    ['facts.count("refnds") > 0', '0-21 expected a fact that the document declares, found "refnds"; refunds?'],
    ['facts.count("refunds", "1h") > 0', '23-27 expected a window that the fact is declared with, in ms: 86400000'],
    [
      'facts.count("refunds", "24h", subject.team) > 0',
      '0-43 expected the key that the fact is declared with: subject.id',
    ],
  ])('%s is refused', (text, fault) => {
    expect(evaluate(text, request(), { facts })).toBe(fault);
  });
});

describe('flow says who vouches for a value', () => {
  const flowing = request({
    args: { iban: 'DE1' },
    flow: { '/iban': { integrity: 'untrusted', labels: ['web'] } },
  });

  test.each([
    ['flow.integrity("/iban") < integrity("user")', true],
    ['"web" in flow.labels("/iban")', true],
    ['flow.integrity("/iban") >= integrity("verified")', false],
  ])('%s is %s', (text, expected) => {
    expect(evaluate(text, flowing)).toBe(expected);
  });
});

describe('what is wrong for every request is refused, with its place', () => {
  test.each([
    ['', '0-0 expected a value, found the end'],
    ['args.a >', '8-8 expected a value, found the end'],
    ['args.a && true', '7-9 expected an operator of this language, found "&&"; and?'],
    ['!has(args.a)', '0-1 expected an operator of this language, found "!"; not?'],
    ['args.a = 1', '7-8 expected an operator of this language, found "="; ==?'],
    ['args.a =< 1', '7-9 expected an operator of this language, found "=<"; <=?'],
    ['args.a > 1 > 2', '11-12 expected "and" or "or" after a comparison, found ">"'],
    ['args.a > 12.5', '9-13 expected a whole number, found 12.5: money is in minor units; money("12.5")?'],
    ['args.a > "100"', '9-14 expected a number beside ">", found a string; 100?'],
    ['subject.ring == "2"', '16-19 expected two values of one kind, found a number and a string; 2?'],
    ['action.verb == "yuse"', '15-21 expected one of use, ask, tell, spawn, stop, found "yuse"; use?'],
    [
      '"raed" in action.effects',
      '0-6 expected one of read, write, egress, exec, money, identity, admin, found "raed"; read?',
    ],
    ['subject.rin == 2', '0-11 expected a path of the request, found "subject.rin"; subject.ring?'],
    ['amount > 2', '0-6 expected a path of the request, found "amount"'],
    ['subject.ring.x == 2', '0-14 expected no members below subject.ring, which is a number'],
    ['subject.ring', '0-12 expected a condition, found a number'],
    ['1 and true', '0-1 expected a condition, found a number'],
    ['args.a in []', '10-12 expected at least one value in a list, found none'],
    ['args.a in "abc"', '10-15 expected a list after "in", found a string'],
    ['args.a in [1, "a"]', '14-17 expected values of one kind in a list, found a string'],
    ['args.a like args.b', '12-18 expected a pattern in quotes after "like"'],
    ['lenght(args.a) == 1', '0-14 expected a function, found "lenght"; length?'],
    ['starts_with(args.a)', '0-19 expected starts_with(text, beginning), found 1 values'],
    ['has("x")', '0-8 expected has(path)'],
    ['money(12) > 1', '0-9 expected money("12.50"), or money("1250", 0) for a currency without cents'],
    ['args.a == "x', '10-12 expected a closing ", found the end'],
    ['args.a == 5 parsecs', '12-19 expected an operator or the end, found "parsecs"'],
    ['args.a == 5y', '10-12 expected one of the units ms, s, m, h, d, found "y"'],
    ['args.a == 99999999999999999', '10-27 expected a number up to 2^53, found 99999999999999999'],
    ['args.a # 1', '7-8 expected a token, found "#"'],
    ['any(args in args.a, true)', '0-25 expected a new name, found "args"'],
    ['any(x in subject.ring, true)', '9-21 expected a list, found a number'],
    ['integrity("root") == 1', '0-17 expected integrity("…") of untrusted, agent, verified, user, system'],
    ['flow.labels(args.a) == 1', '0-19 expected flow.labels("/argument"), a JSON pointer into the arguments'],
  ])('%s', (text, fault) => {
    expect(termOf(text)).toBe(fault);
  });

  test('annotators’ notes may make a rule stricter and never laxer', () => {
    expect(evaluate('notes.score > 1', request({ notes: { score: 2 } }), { isStrict: true })).toBe(true);
    expect(termOf('notes.score > 1', { isStrict: false })).toMatch(/^0-11 expected no notes in a rule that allows/);
  });

  test('arguments that the manifest does not list', () => {
    const args = new Map([['amount', { kind: 'integer' as const }]]);

    expect(termOf('args.amuont > 1', { args })).toBe(
      '0-11 expected an argument of the tool, found "amuont"; it takes amount; args.amount?',
    );
    expect(termOf('args.amount == "1"', { args })).toMatch(/^15-18 expected two values of one kind/);
  });

  test('nesting without end', () => {
    expect(termOf(`${'('.repeat(500)}true${')'.repeat(500)}`)).toMatch(/at most 32 levels/);
    expect(termOf(`${'not '.repeat(500)}true`)).toMatch(/at most 32 levels/);
    expect(termOf(`args.a == "${'x'.repeat(5000)}"`)).toMatch(/at most 4096 characters/);
  });
});

describe('a condition that no request can meet is found', () => {
  test.each([
    'false',
    '1 > 2',
    'args.a > 100 and args.a < 50',
    'args.a > 100 and not args.a > 50',
    '100 < args.a and args.a == 7',
    'args.a == "x" and args.a == "y"',
    'args.a in ["x", "y"] and args.a not in ["x", "y"]',
    'args.a == 1 and args.a == "1"',
    'subject.ring > 3',
    'subject.trust == 1001',
    'subject.ring != 0 and subject.ring < 1',
    'action.verb in ["ask", "tell"] and action.verb == "use"',
    '(args.a > 9 or args.b > 9) and args.a < 9 and args.b < 9',
    'args.flag and not args.flag',
  ])('%s', (text) => {
    const term = termOf(text);

    expect(typeof term === 'string' ? term : isImpossible(term)).toBe(true);
  });

  test.each([
    'args.a > 100 or args.a < 50',
    'args.a > 99 and args.a < 101',
    'args.a != "x" and args.a != "y"',
    'subject.ring > 2',
    'not (subject.ring > 2)',
    'has(args.a) and not has(args.b)',
    'any(x in args.l, x > 5 and x < 9)',
  ])('and %s is none', (text) => {
    const term = termOf(text);

    expect(typeof term === 'string' ? term : isImpossible(term)).toBe(false);
  });
});

describe('like', () => {
  const letters = fc.string({ unit: fc.constantFrom('a', 'b', '*'), maxLength: 12 });

  test('agrees with the regular expression that it stands for', () => {
    fc.assert(
      fc.property(letters, letters, (pattern, text) => {
        const model = new RegExp(`^${pattern.split('*').map(RegExp.escape).join('.*')}$`, 's');

        expect(compileLike(pattern)(text)).toBe(model.test(text));
      }),
      { numRuns: 2_000 },
    );
  });

  test('answers at once where a matcher that goes back would not in a lifetime', () => {
    const text = 'a'.repeat(65_000);

    expect(compileLike(`${'*a'.repeat(200)}*b`)(text)).toBe(false);
    expect(compileLike(`*${'a'.repeat(400)}b*`)(text)).toBe(false);
    expect(compileLike(`*${'a'.repeat(400)}*`)(text)).toBe(true);
  });

  test('a text that is too long is unknown', () => {
    expect(compileLike('*')('a'.repeat(65_537))).toBeUndefined();
  });
});

test('work is bounded: past its steps a condition is unknown', () => {
  const list = Array.from({ length: 1_000 }, (_, n) => `x${n}`);
  const wide = request({ args: { list } });

  expect(evaluate('any(x in args.list, any(y in args.list, x == "none" and y == "none"))', wide)).toBeUndefined();
  expect(evaluate('intersects(args.list, args.list) and subset(args.list, args.list)', wide)).toBeUndefined();
  expect(evaluate('any(x in args.list, x == "x999")', wide)).toBe(true);
});
