/**
 * The files of a new project: one agent, its contract, the policy that it lives under, a program that runs it, and tests. Node
 * runs TypeScript as it stands, so nothing is built.
 */

/** What package.json asks npm for. */
export type Needs = {
  readonly node: string;
  readonly ringmesh: string;
  readonly zod: string;
  readonly typescript: string;
  readonly nodeTypes: string;
};

/** By path, in the order in which people would read them. */
export function projectFiles(name: string, needs: Needs): ReadonlyMap<string, string> {
  return new Map([
    ['README.md', readme(name)],
    ['package.json', manifest(name, needs)],
    ['tsconfig.json', TSCONFIG],
    ['.gitignore', 'node_modules/\nstate/\n'],
    ['contract.ts', CONTRACT],
    ['agent.ts', AGENT],
    ['policy.yaml', policy(name)],
    ['main.ts', MAIN],
    ['agent.test.ts', TEST],
  ]);
}

/** What npm takes for a name, from a folder's; `swarm` where nothing of it is left. */
export function packageName(folder: string): string {
  const name = folder
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 100);
  return name === '' || name === 'ringmesh' ? 'swarm' : name;
}

function manifest(name: string, { node, ringmesh, zod, typescript, nodeTypes }: Needs): string {
  const fields = {
    name,
    version: '0.1.0',
    private: true,
    type: 'module',
    engines: { node },
    scripts: {
      start: 'node main.ts',
      test: 'node --test',
      check: 'tsc',
      events: 'ringmesh tail state/log --since 0 --no-follow',
      verify: 'ringmesh log verify state/log --anchor state/anchors',
    },
    dependencies: { ringmesh, zod },
    devDependencies: { '@types/node': nodeTypes, typescript },
  };
  return `${JSON.stringify(fields, null, 2)}\n`;
}

const TSCONFIG = `{
  "compilerOptions": {
    "target": "es2024",
    "module": "nodenext",
    "strict": true,
    "noUncheckedIndexedAccess": true,
    "allowImportingTsExtensions": true,
    "erasableSyntaxOnly": true,
    "verbatimModuleSyntax": true,
    "skipLibCheck": true,
    "noEmit": true,
    "types": ["node"]
  }
}
`;

const CONTRACT = `/** What the agent answers, what it records about itself, and the tool it uses: values without code. */
import { contract, tool } from 'ringmesh/runtime';
import { z } from 'zod';

export const lookUp = tool('catalog.lookup', {
  in: z.strictObject({ sku: z.string() }),
  out: z.int(),
  effect: 'pure', // it may be done again when nobody knows whether it happened
});

export const Quote = contract('quote', {
  messages: {
    price: { in: z.strictObject({ sku: z.string() }), out: z.strictObject({ cents: z.int(), asked: z.int() }) },
  },
  events: { Priced: z.strictObject({ sku: z.string(), cents: z.int() }) },
  uses: { lookUp },
});
`;

const AGENT = `/** The agent's code. It runs in a process of its own, without network, files or keys: all it can do is ask \`ctx\`. */
import { implement } from 'ringmesh/runtime';
import { Quote } from './contract.ts';

export const quote = implement(Quote, {
  state: () => ({ asked: 0 }),
  evolve: { Priced: (state) => ({ asked: state.asked + 1 }) },
  on: {
    async price({ sku }, ctx) {
      const found = await ctx.use.lookUp({ sku });
      if (found.type !== 'ok') return found; // a denial is a value: whoever asked hears of it
      ctx.emit('Priced', { sku, cents: found.value });
      return { cents: found.value, asked: ctx.state().asked };
    },
  },
});
`;

function policy(name: string): string {
  return `# Who may do what. What no rule allows is denied, and every decision is in the log before the act.
apiVersion: ringmesh.policy/v1
name: ${name}
layer: org
tools:
  catalog.lookup:
    description: The price of one article.
    effects: [read]
    reversibility: reversible
    parameters:
      sku: { type: string, min_length: 1, max_length: 20 }
rules:
  - id: look-up
    on: { verb: use, tool: catalog.lookup, agent: quote }
    effect: allow
  - id: not-for-sale
    on: { verb: use, tool: catalog.lookup }
    when: args.sku like "X-*"
    effect: deny
    because: articles that begin with X- are not for sale
`;
}

const MAIN = `/** One agent under policy: \`npm start -- A1 B2\`. State and log are in ./state; run it again, and it goes on. */
import { readFile } from 'node:fs/promises';
import { govern } from 'ringmesh';
import { type Bundle, compileBundle, formatFault, parsePolicy } from 'ringmesh/policies';
import {
  AgentNode,
  childHosts,
  createLog,
  type EventLog,
  hasCode,
  type Millis,
  openLog,
  provide,
  systemClock,
  systemRandom,
  thisProcess,
} from 'ringmesh/runtime';
import { lookUp, Quote } from './contract.ts';

const LOG = 'state/log';
const ANCHORS = 'state/anchors'; // in earnest: on another disk than the log, so that an old copy of the log shows
const PRICES = new Map([['A1', 250], ['B2', 990], ['X-7', 1]]);

const ports = { clock: systemClock, random: systemRandom, identity: thisProcess() };
const alive = setInterval(() => undefined, 60_000); // the clock's own timers keep no process alive
try {
  await main(process.argv.slice(2));
} finally {
  clearInterval(alive);
}

async function main(skus: readonly string[]): Promise<void> {
  const bundle = await readPolicy('policy.yaml');
  await using log = await open();
  const expiresAt = (systemClock.now() + 3_600_000) as Millis;
  const endorsements = [{ agent: 'quote', ring: 2, trustFloor: 650, expiresAt }] as const; // your word for it, for an hour
  const { gates, epochs, rings, onMoved, recorded } = govern({ ...ports, log, bundle: () => bundle, endorsements });
  const node = AgentNode.open({
    ...ports,
    log,
    gates,
    epochs,
    standingOf: (agent) => ({ ring: rings.ringOf(agent), sponsor: 'operator' }),
    contracts: [Quote],
    hosts: childHosts({ modules: { quote: { module: new URL('./agent.ts', import.meta.url).href, name: 'quote' } } }),
    tools: [provide(lookUp, ({ sku }) => PRICES.get(sku) ?? 0)], // a tool's code runs here, never in the agent
  });
  onMoved((agent) => node.moved(agent));
  try {
    const quote = await node.spawn(Quote, 'quote');
    for (const sku of skus.length > 0 ? skus : ['A1', 'X-7']) {
      const answer = await node.ask(quote).price({ sku });
      if (answer.type === 'ok') console.log(\`\${sku}: \${answer.value.cents} cents, priced \${answer.value.asked} so far\`);
      else console.log(\`\${sku}: \${answer.type}\${'message' in answer ? \`: \${answer.message}\` : ''}\`);
    }
  } finally {
    await node.drain();
    await node[Symbol.asyncDispose]();
    await recorded();
    await log.checkpoint();
  }
}

async function open(): Promise<EventLog> {
  try {
    return await openLog(LOG, { anchors: ANCHORS }, ports);
  } catch (error) {
    if (!hasCode(error, 'log.not_found')) throw error;
    await createLog(LOG, { anchors: ANCHORS }, systemRandom);
    return openLog(LOG, { anchors: ANCHORS }, ports);
  }
}

async function readPolicy(file: string): Promise<Bundle> {
  const document = parsePolicy(await readFile(file, 'utf8'), file);
  if (!document.ok) throw new Error(document.error.map(formatFault).join('\\n'));
  const bundle = compileBundle([document.value]);
  if (!bundle.ok) throw new Error(bundle.error.map(formatFault).join('\\n'));
  return bundle.value;
}
`;

const TEST = `import { deepEqual, equal } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { compileBundle, decide, parsePolicy } from 'ringmesh/policies';
import { given, ok } from 'ringmesh/runtime/testing';
import { quote } from './agent.ts';

test('a price is what the catalog says, and is remembered', async () => {
  const seen = await given(quote, []).when('price', { sku: 'A1' }, { 'use catalog.lookup': ok(250) });

  deepEqual(seen.reply, { type: 'ok', value: { cents: 250, asked: 1 } });
  deepEqual(seen.emitted, [{ name: 'Priced', data: { sku: 'A1', cents: 250 } }]);
});

for (const [agent, sku, verdict] of [
  ['quote', 'A1', 'allow'],
  ['quote', 'X-7', 'deny'],
  ['somebody', 'A1', 'deny'],
] as const) {
  test(\`the policy says \${verdict} when \${agent} looks \${sku} up\`, () => {
    const document = parsePolicy(readFileSync('policy.yaml', 'utf8'), 'policy.yaml');
    const bundle = document.ok ? compileBundle([document.value]) : document;
    if (!bundle.ok) throw new Error('expected a policy without faults: npx ringmesh policy check policy.yaml');

    const decision = decide(bundle.value, {
      v: 1,
      id: 'test',
      point: 'pre_tool',
      at: 0,
      subject: { id: \`did:example:\${agent}\`, name: agent, ring: 2, trust: 650 },
      action: { tool: 'catalog.lookup', verb: 'use' },
      args: { sku },
    });

    equal(decision.verdict, verdict);
  });
}
`;

function readme(name: string): string {
  return `# ${name}

One agent under policy, on Ringmesh.

\`\`\`sh
npm install
npm start              # asks the agent for two prices; the policy denies one of them
npm test               # the agent, one turn at a time, and the policy
npm run events         # what happened, in words
npm run verify         # that nothing of it was changed, and no older copy put in its place
npx ringmesh explain policy.denied
\`\`\`

| file | |
| --- | --- |
| \`contract.ts\` | what the agent answers and records, and which tool it uses |
| \`agent.ts\` | its code: it runs in a process of its own |
| \`policy.yaml\` | who may do what; \`npx ringmesh policy check policy.yaml\` after a change |
| \`main.ts\` | log, policy, node and tools, put together |
| \`agent.test.ts\` | tests |

The log lies in \`state/log\`, and what would show an older copy of it in \`state/anchors\`: in earnest, keep that elsewhere.
The documentation is in \`node_modules/ringmesh/docs\`: begin with \`agents.md\` and \`policies.md\`.
`;
}
