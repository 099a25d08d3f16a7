/**
 * A chaos experiment: a document in the format of the Chaos Toolkit (chaostoolkit.org, "An Open API for Chaos Engineering
 * Experiments", versions 0.1.0 and 1.0.0), as far as it is supported here, parsed and resolved.
 *
 * E1. What is not understood is refused at its place: an experiment never does less than it says.
 * E2. No shell reads any of it: a program gets its arguments as they stand.
 * E3. Every wait has a bound in the document or a default here.
 *
 * Two providers: `process` runs a program, `mesh` acts on the node that writes a log. Where specification and library of the
 * Chaos Toolkit differ (a list as a tolerance is a range in one and a set in the other) the form is refused.
 */
import { z } from 'zod';
import type { JsonValue } from '../../runtime/codec/json.ts';
import { messageOf } from '../../runtime/core/errors.ts';
import { err, ok, type Result } from '../../runtime/core/result.ts';
import { faultsOf, partAt } from './expected.ts';
import type { Code, Path, Source } from './source.ts';

const SECONDS_MAX = 3_600;
const COUNT_MAX = 1_000_000;

const Text = z.string().min(1);
const Scalar = z.union([z.string(), z.number(), z.boolean()], { error: 'text, a number, true or false' });
const Seconds = z.number().positive().max(SECONDS_MAX);

const ProcessProvider = z.strictObject({
  type: z.literal('process'),
  /** A program: from the PATH, or a path from the folder in which the experiment is run. */
  path: Text,
  /** A list as it stands; or names with their values, where an empty value is left out. */
  arguments: z
    .union([z.array(Scalar), z.record(z.string(), Scalar)], {
      error: 'a list, or names with values: no shell would take a text apart',
    })
    .optional(),
  timeout: Seconds.optional(),
});

/** The moment for a fault: so many events of a type after it was armed; one that does not come `within` is a failure. */
const When = z.strictObject({
  event: Text,
  count: z.int().min(1).max(COUNT_MAX),
  /** Another log than that of the node. */
  log: Text.optional(),
  within: Seconds,
});

const MeshProvider = z.discriminatedUnion(
  'action',
  [
    z.strictObject({ type: z.literal('mesh'), action: z.literal('kill_node'), log: Text, when: When.optional() }),
    z.strictObject({
      type: z.literal('mesh'),
      action: z.literal('stop_node'),
      log: Text,
      when: When.optional(),
      /** It goes on by itself then, whatever became of whoever stopped it. */
      expires: Seconds,
    }),
    z.strictObject({ type: z.literal('mesh'), action: z.literal('resume_node'), log: Text }),
  ],
  { error: 'one of kill_node, stop_node, resume_node' },
);

const Provider = z.discriminatedUnion('type', [ProcessProvider, MeshProvider], {
  error: 'process or mesh: nothing else is supported here',
});

const Target = z.enum(['status', 'stdout', 'stderr']);
const Tolerance = z.union(
  [
    z.int(),
    z.discriminatedUnion('type', [
      z.strictObject({ type: z.literal('range'), range: z.tuple([z.number(), z.number()]), target: Target }),
      z.strictObject({ type: z.literal('regex'), pattern: Text, target: Target }),
    ]),
  ],
  { error: 'an exit status, {type: range, range: [low, high], target} or {type: regex, pattern, target}' },
);

const common = {
  name: Text,
  background: z.boolean().optional(),
  pauses: z.strictObject({ before: Seconds.optional(), after: Seconds.optional() }).optional(),
};
const Probe = z.strictObject({ type: z.literal('probe'), ...common, provider: ProcessProvider, tolerance: Tolerance });
const Action = z.strictObject({ type: z.literal('action'), ...common, provider: Provider });
const Observation = Probe.extend({ tolerance: Tolerance.optional() });
const Activity = z.discriminatedUnion('type', [Observation, Action], { error: 'probe or action' });

const Configured = z.union(
  [Scalar, z.strictObject({ type: z.literal('env'), key: Text, default: Scalar.optional() })],
  { error: 'text, a number, true or false, or {type: env, key, default}' },
);

const Document = z.strictObject({
  version: z.enum(['0.1.0', '1.0.0']).optional(),
  title: Text,
  description: Text,
  tags: z.array(Text).optional(),
  contributions: z.record(z.string(), z.enum(['high', 'medium', 'low', 'none'])).optional(),
  configuration: z.record(z.string(), Configured).optional(),
  'steady-state-hypothesis': z.strictObject({ title: Text, probes: z.array(Probe).min(1) }).optional(),
  method: z.array(Activity).min(1),
  rollbacks: z.array(Action).optional(),
});

export type Tolerance = z.infer<typeof Tolerance>;
export type Program = z.infer<typeof ProcessProvider>;
export type Fault = z.infer<typeof MeshProvider>;

/** One step, with the part of the document that asked for it. */
export type Activity = (z.infer<typeof Activity> | z.infer<typeof Probe>) & { readonly asWritten: JsonValue };

export type Experiment = {
  readonly title: string;
  readonly document: JsonValue;
  readonly hypothesis: readonly Activity[];
  readonly method: readonly Activity[];
  readonly rollbacks: readonly Activity[];
};

export type Environment = { readonly [name: string]: string | undefined };

/** The experiment with its configuration put in, or everything that is wrong with it. */
export function parseExperiment<F>(source: Source<F>, environment: Environment): Result<Experiment, readonly F[]> {
  const parsed = Document.safeParse(source.value);
  if (!parsed.success) return err(faultsOf(parsed.error.issues, source));
  const document = parsed.data;
  const faults: F[] = [];
  const refuse = (path: Path, message: string, code: Code = 'document.malformed'): void => {
    faults.push(source.fault(code, message, { path }));
  };
  const values = configurationOf(document.configuration ?? {}, environment, refuse);
  const lists = {
    hypothesis: { path: ['steady-state-hypothesis', 'probes'], items: document['steady-state-hypothesis']?.probes },
    method: { path: ['method'], items: document.method },
    rollbacks: { path: ['rollbacks'], items: document.rollbacks },
  } as const;
  const resolved = ({ path, items = [] }: { path: Path; items?: readonly Written[] | undefined }) =>
    items.map((item, n) => resolve(item, { at: [...path, n], source, values, refuse }));
  const experiment: Experiment = {
    title: document.title,
    document: source.value,
    hypothesis: resolved(lists.hypothesis),
    method: resolved(lists.method),
    rollbacks: resolved(lists.rollbacks),
  };
  mustHaveStopped(experiment, refuse);
  return faults.length > 0 ? err(faults) : ok(experiment);
}

type Written = z.infer<typeof Activity> | z.infer<typeof Probe>;
type Refuse = (path: Path, message: string, code?: Code) => void;
type Values = ReadonlyMap<string, string>;

/** What stands for `${name}`. */
function configurationOf(
  configuration: { readonly [name: string]: z.infer<typeof Configured> },
  environment: Environment,
  refuse: Refuse,
): Values {
  return new Map(
    Object.entries(configuration).map(([name, value]) => {
      if (typeof value !== 'object') return [name, String(value)];
      const found = environment[value.key] ?? value.default;
      if (found === undefined) {
        const message = `expected ${value.key} in the environment, or a default; found neither`;
        refuse(['configuration', name], message, 'document.unknown_name');
      }
      return [name, String(found ?? '')];
    }),
  );
}

type Site<F> = {
  readonly at: Path;
  readonly source: Source<F>;
  readonly values: Values;
  readonly refuse: Refuse;
};

function resolve<F>(activity: Written, { at, source, values, refuse }: Site<F>): Activity {
  if ('tolerance' in activity && activity.tolerance !== undefined) {
    checkTolerance(activity.tolerance, [...at, 'tolerance'], refuse);
  }
  const provider = substitute(activity.provider, [...at, 'provider'], values, refuse);
  return { ...activity, provider, asWritten: partAt(source.value, at) } as Activity;
}

function checkTolerance(tolerance: Tolerance, path: Path, refuse: Refuse): void {
  if (typeof tolerance === 'number') return;
  if (tolerance.type === 'range') {
    const [low, high] = tolerance.range;
    if (low > high) refuse([...path, 'range'], `expected the lower bound first, found ${low} before ${high}`);
    return;
  }
  try {
    new RegExp(tolerance.pattern, 'u');
  } catch (error) {
    refuse([...path, 'pattern'], `expected a regular expression: ${messageOf(error)}`);
  }
}

/** `${name}` in every text of it. */
function substitute(value: unknown, path: Path, values: Values, refuse: Refuse): unknown {
  if (typeof value === 'string') {
    return value.replace(/\$\{([^}]*)\}/g, (_, name: string) => {
      const found = values.get(name);
      if (found === undefined) {
        refuse(path, `expected a name of the configuration, found \${${name}}`, 'document.unknown_name');
      }
      return found ?? '';
    });
  }
  if (Array.isArray(value)) return value.map((item, n) => substitute(item, [...path, n], values, refuse));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key, substitute(inner, [...path, key], values, refuse)]),
  );
}

/** A node that nobody stops needs nobody to let it go on: most likely the log is misspelt. */
function mustHaveStopped({ method, rollbacks }: Experiment, refuse: Refuse): void {
  const faults = (activities: readonly Activity[], at: string) =>
    activities.flatMap(({ provider }, n) => (provider.type === 'mesh' ? [{ provider, at: [at, n, 'provider'] }] : []));
  const stopped = new Set<string>();
  for (const { provider, at } of [...faults(method, 'method'), ...faults(rollbacks, 'rollbacks')]) {
    if (provider.action === 'stop_node') stopped.add(provider.log);
    if (provider.action === 'resume_node' && !stopped.has(provider.log)) {
      refuse([...at, 'log'], `expected a node that was stopped before, found ${provider.log}`);
    }
  }
}
