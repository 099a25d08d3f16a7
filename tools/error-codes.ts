/**
 * Which error codes a source can produce. A code is a dotted, lower-case string literal that arrives in something called
 * `code`: a property, a variable, or a parameter of a function or constructor (found by the name of the function or class,
 * across all files given; `super` stands for the class extended). Branches of a conditional count each.
 *
 * So a helper like `refuse(code, message)` is followed and one like `refuse(reason, message)` is not: call it `code`.
 */
import ts from 'typescript';

const CODE = /^[a-z][a-z0-9]*(\.[a-z][a-z0-9_]*)+$/;

/** Every code in `sources` (path to text), with one place where it arises, as `path:line`. */
export function codesIn(sources: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const files = [...sources].map(([path, text]) => ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true));
  const takers = new Map<string, number>();
  for (const file of files) walk(file, (node) => noteTaker(node, takers));
  const codes = new Map<string, string>();
  for (const file of files) {
    walk(file, (node) => {
      for (const literal of literalsOf(arriving(node, takers))) {
        const { line } = file.getLineAndCharacterOfPosition(literal.getStart());
        if (CODE.test(literal.text) && !codes.has(literal.text))
          codes.set(literal.text, `${file.fileName}:${line + 1}`);
      }
    });
  }
  return codes;
}

/** Notes a function or class that has a parameter called `code`, and its position. */
function noteTaker(node: ts.Node, takers: Map<string, number>): void {
  if (!ts.isFunctionLike(node)) return;
  const position = node.parameters.findIndex(({ name }) => ts.isIdentifier(name) && name.text === 'code');
  if (position === -1) return;
  const named = ts.isConstructorDeclaration(node) || ts.isArrowFunction(node) ? node.parent : node;
  if ('name' in named && named.name !== undefined) takers.set((named.name as ts.Node).getText(), position);
}

/** The expression that arrives in a `code` at this node, if any. */
function arriving(node: ts.Node, takers: ReadonlyMap<string, number>): ts.Expression | undefined {
  if (ts.isPropertyAssignment(node) || ts.isPropertyDeclaration(node) || ts.isVariableDeclaration(node)) {
    return node.name.getText() === 'code' ? node.initializer : undefined;
  }
  if (!ts.isCallExpression(node) && !ts.isNewExpression(node)) return undefined;
  const position = takers.get(calleeOf(node));
  return position === undefined ? undefined : node.arguments?.[position];
}

function calleeOf(node: ts.CallExpression | ts.NewExpression): string {
  const called = node.expression;
  if (called.kind === ts.SyntaxKind.SuperKeyword) return parentOf(node);
  return ts.isPropertyAccessExpression(called) ? called.name.getText() : called.getText();
}

function parentOf(node: ts.Node): string {
  const owner = ts.findAncestor(node, ts.isClassLike);
  return owner?.heritageClauses?.[0]?.types[0]?.expression.getText() ?? '';
}

function literalsOf(expression: ts.Expression | undefined): readonly ts.StringLiteralLike[] {
  if (expression === undefined) return [];
  if (ts.isStringLiteralLike(expression)) return [expression];
  if (ts.isConditionalExpression(expression)) return [expression.whenTrue, expression.whenFalse].flatMap(literalsOf);
  if (ts.isBinaryExpression(expression)) return [expression.left, expression.right].flatMap(literalsOf);
  if (ts.isParenthesizedExpression(expression) || ts.isAsExpression(expression))
    return literalsOf(expression.expression);
  return [];
}

function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node);
  ts.forEachChild(node, (child) => walk(child, visit));
}
