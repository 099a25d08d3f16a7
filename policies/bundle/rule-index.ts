/**
 * Finds the rules that could concern a request without looking at the others, so that a decision costs the same under ten
 * rules and ten thousand.
 *
 * X1. What `scan` brings is a superset of the rules that concern the request and whose condition is not false: leaving a
 *     rule out never changes a decision. `decide` asks each of them again.
 * X2. Rules come in an order that depends on the rules alone, not on where they were written.
 *
 * A rule is filed under one point and tool (or prefix of a tool, or effect), there under one agent or tenant, and there, in
 * lists that are still long, under the values that its condition wants to see (`value-index.ts`).
 */
import { POINTS } from '../decision/request.ts';
import type { Context } from '../expression/fields.ts';
import type { Clause } from './clause.ts';
import { file, type List, listed, type Visit } from './value-index.ts';

/** Where something comes back, and only rules that name the point are asked. */
const RETURNING: ReadonlySet<string> = new Set(['post_tool', 'output'] satisfies readonly (typeof POINTS)[number][]);

export type RuleIndex = {
  readonly scan: (context: Context, visit: Visit) => void;
  /** The same among the rules that name the request's point, leaving out those for any point. */
  readonly scanNamed: (context: Context, visit: Visit) => void;
  /** Whether any rule names the point. */
  readonly names: (point: string) => boolean;
};

/** `visit` answers whether it has seen enough. */
export function indexOf(clauses: readonly Clause[]): RuleIndex {
  const sorted = clauses.toSorted(byStrictnessThenName);
  const shared = new Map<string, ToolIndex>();
  const naming = new Map<string, ToolIndex>();
  const points = new Map(
    POINTS.map((point) => {
      // Most points have the same rules, those that name none: they share one index.
      const named = sorted.flatMap(({ keys }, n) => (keys.points?.includes(point) === true ? [n] : [])).join();
      const index =
        shared.get(named) ?? new ToolIndex(sorted.filter(({ keys }) => keys.points?.includes(point) ?? true));
      shared.set(named, index);
      if (RETURNING.has(point) && named !== '') {
        naming.set(point, new ToolIndex(sorted.filter(({ keys }) => keys.points?.includes(point) === true)));
      }
      return [point as string, index];
    }),
  );
  return {
    scan(context, visit) {
      points.get(context.request.point)?.scan(context, visit);
    },
    scanNamed(context, visit) {
      naming.get(context.request.point)?.scan(context, visit);
    },
    names: (point) => naming.has(point),
  };
}

function byStrictnessThenName(a: Clause, b: Clause): number {
  const rank = ({ effect }: Clause) => (effect === 'deny' ? 0 : 1);
  return rank(a) - rank(b) || (a.ref.rule < b.ref.rule ? -1 : 1);
}

class ToolIndex {
  readonly #tools: ReadonlyMap<string, SubjectIndex>;
  readonly #prefixes: ReadonlyMap<string, SubjectIndex>;
  readonly #effects: ReadonlyMap<string, SubjectIndex>;
  readonly #rest: SubjectIndex;

  constructor(clauses: readonly Clause[]) {
    const tools = new Map<string, Clause[]>();
    const prefixes = new Map<string, Clause[]>();
    const effects = new Map<string, Clause[]>();
    const rest: Clause[] = [];
    for (const clause of clauses) {
      if (clause.keys.tools !== undefined) {
        for (const pattern of clause.keys.tools) {
          if (pattern.endsWith('*')) file(prefixes, pattern.slice(0, -1), clause);
          else file(tools, pattern, clause);
        }
      } else if (clause.keys.effects !== undefined) {
        for (const effect of clause.keys.effects) file(effects, effect, clause);
      } else {
        rest.push(clause);
      }
    }
    this.#tools = eachIndexed(tools);
    this.#prefixes = eachIndexed(prefixes);
    this.#effects = eachIndexed(effects);
    this.#rest = new SubjectIndex(rest);
  }

  scan(c: Context, visit: Visit): void {
    const { tool } = c.request.action;
    if (this.#tools.size > 0 && this.#tools.get(tool)?.scan(c, visit) === true) return;
    if (this.#prefixes.size > 0 && this.#scanPrefixes(tool, c, visit)) return;
    if (this.#effects.size > 0) {
      for (const effect of c.act.effects) if (this.#effects.get(effect)?.scan(c, visit) === true) return;
    }
    this.#rest.scan(c, visit);
  }

  #scanPrefixes(tool: string, c: Context, visit: Visit): boolean {
    for (let at = 1; at < tool.length; at++) {
      const unit = tool.charCodeAt(at - 1);
      if (!SEPARATORS.has(unit)) continue;
      if (this.#prefixes.get(tool.slice(0, at))?.scan(c, visit) === true) return true;
    }
    return false;
  }
}

/** The ends that a prefix can have: `. : / @`. */
const SEPARATORS = new Set(Array.from('.:/@', (sign) => sign.charCodeAt(0)));

class SubjectIndex {
  readonly #agents: ReadonlyMap<string, List>;
  readonly #tenants: ReadonlyMap<string, List>;
  /** For a request without a tenant: unknown, so what any tenant's strict rules say counts. */
  readonly #anyTenant: List;
  readonly #rest: List;

  constructor(clauses: readonly Clause[]) {
    const agents = new Map<string, Clause[]>();
    const tenants = new Map<string, Clause[]>();
    const anyTenant: Clause[] = [];
    const rest: Clause[] = [];
    for (const clause of clauses) {
      if (clause.keys.agents !== undefined) {
        for (const agent of clause.keys.agents) file(agents, agent, clause);
      } else if (clause.keys.tenants !== undefined) {
        anyTenant.push(clause);
        for (const tenant of clause.keys.tenants) file(tenants, tenant, clause);
      } else {
        rest.push(clause);
      }
    }
    this.#agents = eachListed(agents);
    this.#tenants = eachListed(tenants);
    this.#anyTenant = listed(anyTenant);
    this.#rest = listed(rest);
  }

  /** Whether enough was seen. */
  scan(c: Context, visit: Visit): boolean {
    if (this.#agents.size > 0) {
      const { name, id } = c.request.subject;
      if (this.#agents.get(name)?.scan(c, visit) === true) return true;
      if (id !== name && this.#agents.get(id)?.scan(c, visit) === true) return true;
    }
    if (this.#tenants.size > 0) {
      const { tenant } = c.request.subject;
      const filed = tenant === undefined ? this.#anyTenant : this.#tenants.get(tenant);
      if (filed?.scan(c, visit) === true) return true;
    }
    return this.#rest.scan(c, visit);
  }
}

const NO_LISTS: ReadonlyMap<string, List> = new Map();

function eachListed(filed: ReadonlyMap<string, readonly Clause[]>): ReadonlyMap<string, List> {
  return filed.size === 0 ? NO_LISTS : new Map([...filed].map(([key, clauses]) => [key, listed(clauses)]));
}

function eachIndexed(filed: ReadonlyMap<string, readonly Clause[]>): ReadonlyMap<string, SubjectIndex> {
  return new Map([...filed].map(([key, clauses]) => [key, new SubjectIndex(clauses)]));
}
