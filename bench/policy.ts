/**
 * `npm run bench -- policy [--json]`: one decision under 10, 100, 1,000 and 10,000 rules, by this package and by others, in
 * one run on one machine. Times are for comparing the columns; a machine of yours has others.
 *
 * Three questions. *distinct*: each rule is about another tool, the last one about the tool that is asked for. *same*: all
 * rules are about that tool and each about other regions; the last one holds. *threshold*: all are about that tool and these
 * regions and each asks for more trust than there is, but the last one. Every rule asks: trust ≥ a number and region in two
 * values.
 * What differs: ours also looks up a manifest, walks the arguments and names the deciding rule; Cedar's time includes the
 * way into WebAssembly; casbin and the AGT SDK answer yes or no.
 */
import { pathToFileURL } from 'node:url';
import cedar from '@cedar-policy/cedar-wasm/nodejs';
import agt from '@microsoft/agent-governance-sdk';
import { newEnforcer, newModel, StringAdapter } from 'casbin';
import { bundle, decide, type PolicyRequest, policy } from '../policies/index.ts';

const SIZES = [10, 100, 1_000, 10_000];
const SHAPES = ['distinct', 'same', 'threshold'] as const;
type Shape = (typeof SHAPES)[number];

type Row = {
  readonly shape: Shape;
  readonly rules: number;
  readonly engine: string;
  readonly loadMs: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly samples: number;
};

type Engine = {
  readonly name: string;
  /** The question, ready to be asked; it answers whether it is allowed. */
  readonly load: (shape: Shape, rules: number) => Promise<() => boolean>;
  /** More rules take longer than anybody waits. */
  readonly rulesMax: number;
};

const TOOL = 'crm.lookup';
const toolOf = (n: number, rules: number, shape: Shape) =>
  shape !== 'distinct' || n === rules - 1 ? TOOL : `tool${n}.call`;
const regionsOf = (n: number, rules: number, shape: Shape) =>
  shape !== 'same' || n === rules - 1 ? ['eu', 'us'] : [`x${n}`, `y${n}`];
const trustOf = (n: number, rules: number, shape: Shape) =>
  shape !== 'threshold' || n === rules - 1 ? 500 : 800 + (n % 200);
const numbers = (rules: number) => Array.from({ length: rules }, (_, n) => n);

const engines: readonly Engine[] = [
  {
    name: 'ringmesh',
    rulesMax: 10_000,
    async load(shape, rules) {
      const tools = Object.fromEntries(
        numbers(rules).map((n) => [toolOf(n, rules, shape), { effects: ['read' as const] }]),
      );
      const compiled = bundle([
        policy({
          name: 'bench',
          layer: 'org',
          tools,
          rules: numbers(rules).map((n) => ({
            id: `r${n}`,
            on: { tool: toolOf(n, rules, shape) },
            when: `subject.trust >= ${trustOf(n, rules, shape)} and args.region in ${JSON.stringify(regionsOf(n, rules, shape))}`,
            effect: 'allow' as const,
          })),
        }),
      ]);
      const request: PolicyRequest = {
        v: 1,
        id: 'bench',
        point: 'pre_tool',
        at: 0,
        subject: { id: 'did:example:a', name: 'a', ring: 2, trust: 742 },
        action: { tool: TOOL, verb: 'use' },
        args: { region: 'eu', customer: 17 },
      };
      return () => decide(compiled, request).verdict === 'allow';
    },
  },
  {
    name: 'agt sdk',
    rulesMax: 10_000,
    async load(shape, rules) {
      const engine = new agt.PolicyEngine();
      engine.loadPolicy({
        apiVersion: 'governance.toolkit/v1',
        name: 'bench',
        scope: 'global',
        default_action: 'deny',
        rules: numbers(rules).map((n) => ({
          name: `r${n}`,
          priority: n,
          ruleAction: 'allow',
          condition: `tool == '${toolOf(n, rules, shape)}' and trust >= ${trustOf(n, rules, shape)} and region in [${regionsOf(n, rules, shape).map((region) => `'${region}'`)}]`,
        })),
      });
      const context = { tool: TOOL, trust: 742, region: 'eu' };
      return () => engine.evaluatePolicy('did:example:a', context).allowed;
    },
  },
  {
    name: 'cedar-wasm',
    rulesMax: 10_000,
    async load(shape, rules) {
      const text = numbers(rules)
        .map(
          (n) =>
            `permit(principal, action == Action::"${toolOf(n, rules, shape)}", resource) when { context.trust >= ${trustOf(n, rules, shape)} && ${JSON.stringify(regionsOf(n, rules, shape))}.contains(context.region) };`,
        )
        .join('\n');
      const preparsedPolicySetId = `${shape}-${rules}`;
      const parsed = cedar.preparsePolicySet(preparsedPolicySetId, { staticPolicies: text });
      if (parsed.type !== 'success') throw new Error(JSON.stringify(parsed));
      const asked = {
        principal: { type: 'Agent', id: 'a' },
        action: { type: 'Action', id: TOOL },
        resource: { type: 'Res', id: 'customer' },
        context: { trust: 742, region: 'eu' },
        entities: [],
        preparsedPolicySetId,
      };
      return () => {
        const answer = cedar.statefulIsAuthorized(asked);
        return answer.type === 'success' && answer.response.decision === 'allow';
      };
    },
  },
  {
    name: 'casbin',
    rulesMax: 10_000,
    async load(shape, rules) {
      const model = newModel(
        '[request_definition]\nr = sub, act, trust, region\n[policy_definition]\np = sub, act, min, reg\n' +
          '[policy_effect]\ne = some(where (p.eft == allow))\n' +
          '[matchers]\nm = r.act == p.act && r.trust >= p.min && within(r.region, p.reg)',
      );
      const lines = numbers(rules).map(
        (n) => `p, *, ${toolOf(n, rules, shape)}, ${trustOf(n, rules, shape)}, ${regionsOf(n, rules, shape).join('|')}`,
      );
      const enforcer = await newEnforcer(model, new StringAdapter(lines.join('\n')));
      await enforcer.addFunction('within', (region: string, list: string) => list.split('|').includes(region));
      return () => enforcer.enforceSync('a', TOOL, 742, 'eu');
    },
  },
];

const WARM_MS = 100;
const MEASURE_MS = 600;
const SAMPLES_MAX = 50_000;
const SAMPLES_MIN = 10;

function measure(ask: () => boolean): { readonly p50Us: number; readonly p99Us: number; readonly samples: number } {
  if (!ask()) throw new Error('expected the question to be allowed');
  spend(ask, WARM_MS, []);
  const nanos: number[] = [];
  spend(ask, MEASURE_MS, nanos);
  nanos.sort((a, b) => a - b);
  const at = (share: number) => (nanos[Math.min(nanos.length - 1, Math.floor(nanos.length * share))] ?? 0) / 1_000;
  return { p50Us: at(0.5), p99Us: at(0.99), samples: nanos.length };
}

function spend(ask: () => boolean, forMs: number, nanos: number[]): void {
  const end = performance.now() + forMs;
  while (nanos.length < SAMPLES_MIN || (performance.now() < end && nanos.length < SAMPLES_MAX)) {
    const start = process.hrtime.bigint();
    ask();
    nanos.push(Number(process.hrtime.bigint() - start));
  }
}

/** Every engine at every size; engines take turns, so that a busy moment of the machine is not one engine's. */
export async function benchPolicy(options: { readonly json?: boolean } = {}): Promise<void> {
  const rows: Row[] = [];
  for (const shape of SHAPES) {
    for (const rules of SIZES) {
      for (const { name, load, rulesMax } of engines) {
        if (rules > rulesMax) continue;
        globalThis.gc?.();
        const start = performance.now();
        const ask = await load(shape, rules);
        const loadMs = performance.now() - start;
        rows.push({ shape, rules, engine: name, loadMs, ...measure(ask) });
      }
    }
  }
  if (options.json === true) {
    console.log(JSON.stringify({ bench: 'policy', rows, ours: summaryOf(rows) }));
    return;
  }
  console.log('shape     rules  engine      load ms      p50 us      p99 us  samples');
  for (const { shape, rules, engine, loadMs, p50Us, p99Us, samples } of rows) {
    const cells = [loadMs.toFixed(0).padStart(8), p50Us.toFixed(2).padStart(11), p99Us.toFixed(2).padStart(11)];
    console.log(
      `${shape.padEnd(9)}${String(rules).padStart(6)}  ${engine.padEnd(11)} ${cells.join(' ')} ${String(samples).padStart(8)}`,
    );
  }
  const { p99Us, flatness } = summaryOf(rows);
  console.log(
    `ringmesh: worst p99 ${p99Us.toFixed(2)} us (bar 50), worst p50 over best ${flatness.toFixed(2)} (bar 2)`,
  );
}

function summaryOf(rows: readonly Row[]): { readonly p99Us: number; readonly flatness: number } {
  const ours = rows.filter(({ engine }) => engine === 'ringmesh');
  const p50s = ours.map(({ p50Us }) => p50Us);
  return { p99Us: Math.max(...ours.map(({ p99Us }) => p99Us)), flatness: Math.max(...p50s) / Math.min(...p50s) };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await benchPolicy({ json: process.argv.includes('--json') });
}
