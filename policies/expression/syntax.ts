/**
 * The grammar: an expression as a tree. No loops but `any` and `all` over a list, no assignment, no recursion.
 *
 * or      = and { "or" and }                     and  = not { "and" not }          not = [ "not" ] relation
 * relation = sum [ ("==" | "!=" | "<" | "<=" | ">" | ">=" | ["not"] "in" | ["not"] "like") sum ]
 * sum     = product { ("+" | "-") product }      product = unary { "*" unary }     unary = [ "-" ] primary
 * primary = integer | string | "true" | "false" | "null" | "(" or ")" | "[" [ or { "," or } ] "]"
 *         | ("any" | "all") "(" name "in" sum "," or ")" | path | path "(" [ or { "," or } ] ")"
 * path    = name { "." name | "[" (string | integer) "]" }
 */
import { failAt } from './fault.ts';
import { type Token, tokensOf } from './lexer.ts';

export type Span = { readonly start: number; readonly end: number };

export type Relation = '==' | '!=' | '<' | '<=' | '>' | '>=' | 'in' | 'like';

export type Syntax = Span &
  (
    | { readonly type: 'literal'; readonly value: string | number | boolean | null }
    | { readonly type: 'list'; readonly items: readonly Syntax[] }
    | { readonly type: 'path'; readonly parts: readonly (string | number)[] }
    | { readonly type: 'call'; readonly name: string; readonly args: readonly Syntax[] }
    | { readonly type: 'and' | 'or'; readonly terms: readonly Syntax[] }
    | { readonly type: 'not' | 'negate'; readonly term: Syntax }
    | { readonly type: 'relation'; readonly relation: Relation; readonly left: Syntax; readonly right: Syntax }
    | { readonly type: 'sum'; readonly operator: '+' | '-' | '*'; readonly left: Syntax; readonly right: Syntax }
    | {
        readonly type: 'any' | 'all';
        readonly name: string;
        readonly list: Syntax;
        readonly term: Syntax;
      }
  );

/** Longer ones are a program, and belong into a tool or an annotator. */
const EXPRESSION_CHARACTERS_MAX = 4_096;
/** Nesting of brackets, lists and negations: recursion here and in everything made from the tree stays shallow. */
const DEPTH_MAX = 32;
const KEYWORDS = new Set(['and', 'or', 'not', 'in', 'like', 'true', 'false', 'null', 'any', 'all']);
const RELATIONS = new Set(['==', '!=', '<', '<=', '>', '>=']);

/** The tree of an expression.
 *  @throws {ExpressionError} with the first place that the grammar does not allow */
export function parseExpression(text: string): Syntax {
  if (text.length > EXPRESSION_CHARACTERS_MAX) {
    failAt({ start: 0, end: 1 }, `expected at most ${EXPRESSION_CHARACTERS_MAX} characters, found ${text.length}`);
  }
  const parser = new Parser(tokensOf(text));
  const tree = parser.expression();
  parser.end();
  return tree;
}

/** A cursor over the tokens; one method per line of the grammar. */
class Parser {
  readonly #tokens: readonly Token[];
  #at = 0;
  #depth = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  expression(): Syntax {
    if (++this.#depth > DEPTH_MAX) failAt(this.#next, `expected at most ${DEPTH_MAX} levels of nesting`);
    const tree = this.#chain('or', () => this.#chain('and', () => this.#not()));
    this.#depth--;
    return tree;
  }

  end(): void {
    if (this.#next.type !== 'end') failAt(this.#next, `expected an operator or the end, found ${show(this.#next)}`);
  }

  #chain(type: 'and' | 'or', term: () => Syntax): Syntax {
    const first = term();
    const terms = [first];
    while (this.#takeName(type)) terms.push(term());
    return terms.length === 1 ? first : { type, terms, ...spanOf(first, terms.at(-1) ?? first) };
  }

  #not(): Syntax {
    const start = this.#next;
    if (!this.#takeName('not')) return this.#relation();
    if (++this.#depth > DEPTH_MAX) failAt(this.#next, `expected at most ${DEPTH_MAX} levels of nesting`);
    const term = this.#not();
    this.#depth--;
    return { type: 'not', term, ...spanOf(start, term) };
  }

  #relation(): Syntax {
    const left = this.#sum();
    const found = this.#takeRelation();
    if (found === undefined) return left;
    const right = this.#sum();
    const again = this.#next;
    if (this.#takeRelation() !== undefined) {
      failAt(again, `expected "and" or "or" after a comparison, found ${show(again)}`);
    }
    const tree: Syntax = { type: 'relation', relation: found.relation, left, right, ...spanOf(left, right) };
    return found.isNegated ? { type: 'not', term: tree, ...spanOf(left, right) } : tree;
  }

  #takeRelation(): { readonly relation: Relation; readonly isNegated: boolean } | undefined {
    const token = this.#next;
    if (token.type === 'symbol' && RELATIONS.has(token.text)) {
      this.#at++;
      return { relation: token.text as Relation, isNegated: false };
    }
    const second = this.#tokens[this.#at + 1];
    const isNegated = isName(token, 'not') && (isName(second, 'in') || isName(second, 'like'));
    if (isNegated) this.#at++;
    for (const relation of ['in', 'like'] as const) if (this.#takeName(relation)) return { relation, isNegated };
    return undefined;
  }

  #sum(): Syntax {
    let left = this.#product();
    for (;;) {
      const operator = this.#takeSymbol('+') ? '+' : this.#takeSymbol('-') ? '-' : undefined;
      if (operator === undefined) return left;
      const right = this.#product();
      left = { type: 'sum', operator, left, right, ...spanOf(left, right) };
    }
  }

  #product(): Syntax {
    let left = this.#unary();
    while (this.#takeSymbol('*')) {
      const right = this.#unary();
      left = { type: 'sum', operator: '*', left, right, ...spanOf(left, right) };
    }
    return left;
  }

  #unary(): Syntax {
    const start = this.#next;
    if (!this.#takeSymbol('-')) return this.#primary();
    const term = this.#primary();
    if (term.type === 'literal' && typeof term.value === 'number') {
      return { ...term, value: 0 - term.value, start: start.start };
    }
    return { type: 'negate', term, ...spanOf(start, term) };
  }

  #primary(): Syntax {
    const token = this.#next;
    switch (token.type) {
      case 'text':
      case 'integer':
        this.#at++;
        return { type: 'literal', value: token.value, start: token.start, end: token.end };
      case 'symbol':
        if (this.#takeSymbol('(')) {
          const inner = this.expression();
          const close = this.#expect(')');
          return { ...inner, start: token.start, end: close.end };
        }
        if (this.#takeSymbol('[')) {
          const items = this.#items(']');
          return { type: 'list', items, start: token.start, end: this.#previous.end };
        }
        return failAt(token, `expected a value, found ${show(token)}`);
      case 'name':
        return this.#named(token);
      case 'end':
        return failAt(token, 'expected a value, found the end');
    }
  }

  #named(token: Token & { readonly text: string }): Syntax {
    const { text: name, start, end } = token;
    if (name === 'true' || name === 'false' || name === 'null') {
      this.#at++;
      return { type: 'literal', value: name === 'null' ? null : name === 'true', start, end };
    }
    if (name === 'any' || name === 'all') return this.#quantified(name);
    if (KEYWORDS.has(name)) failAt(token, `expected a value, found "${name}"`);
    this.#at++;
    const parts: (string | number)[] = [name];
    for (;;) {
      if (this.#takeSymbol('.')) {
        const part = this.#next;
        if (part.type !== 'name') failAt(part, `expected a name after the dot, found ${show(part)}`);
        this.#at++;
        parts.push(part.text);
      } else if (this.#takeSymbol('[')) {
        const part = this.#next;
        if (part.type !== 'text' && part.type !== 'integer') {
          failAt(part, `expected a string or a number in brackets, found ${show(part)}`);
        }
        this.#at++;
        parts.push(part.value);
        this.#expect(']');
      } else {
        break;
      }
    }
    if (!this.#takeSymbol('(')) return { type: 'path', parts, start, end: this.#previous.end };
    const args = this.#items(')');
    return { type: 'call', name: parts.join('.'), args, start, end: this.#previous.end };
  }

  #quantified(type: 'any' | 'all'): Syntax {
    const { start } = this.#next;
    this.#at++;
    this.#expect('(');
    const name = this.#next;
    if (name.type !== 'name' || KEYWORDS.has(name.text)) {
      failAt(name, `expected ${type}(x in list, condition), found ${show(name)}`);
    }
    this.#at++;
    if (!this.#takeName('in')) failAt(this.#next, `expected "in", found ${show(this.#next)}`);
    const list = this.#sum();
    this.#expect(',');
    const term = this.expression();
    const { end } = this.#expect(')');
    return { type, name: name.text, list, term, start, end };
  }

  #items(close: string): readonly Syntax[] {
    const items: Syntax[] = [];
    while (!this.#takeSymbol(close)) {
      if (items.length > 0) this.#expect(',');
      items.push(this.expression());
    }
    return items;
  }

  get #next(): Token {
    return this.#tokens[this.#at] ?? this.#previous;
  }

  get #previous(): Token {
    return this.#tokens[this.#at - 1] as Token;
  }

  #expect(symbol: string): Token {
    const token = this.#next;
    if (!this.#takeSymbol(symbol)) failAt(token, `expected "${symbol}", found ${show(token)}`);
    return token;
  }

  #takeSymbol(text: string): boolean {
    const token = this.#next;
    if (token.type !== 'symbol' || token.text !== text) return false;
    this.#at++;
    return true;
  }

  #takeName(text: string): boolean {
    if (!isName(this.#next, text)) return false;
    this.#at++;
    return true;
  }
}

function isName(token: Token | undefined, text: string): boolean {
  return token?.type === 'name' && token.text === text;
}

function spanOf(first: Span, last: Span): Span {
  return { start: first.start, end: last.end };
}

function show(token: Token): string {
  if (token.type === 'end') return 'the end';
  return token.type === 'text' || token.type === 'integer' ? JSON.stringify(token.value) : `"${token.text}"`;
}
