/**
 * What a verdict asks of the host besides itself. A host that cannot do one of them must not act: `honour`.
 *
 * Obligations of several rules add up, and of one kind the stricter one counts. There is no obligation that says what
 * happens when nobody answers but `deny` and `suspend`: nothing is ever allowed because time passed.
 */
import type { JsonValue } from '../../runtime/codec/json.ts';

export type Approve = {
  readonly kind: 'approve';
  /** How many different people must agree. */
  readonly quorum: number;
  /** Who may: `operator`, `role:finance`, a DID. */
  readonly of: string;
  readonly expiresMs: number;
  /** Who may not, whatever their role. */
  readonly distinctFrom: readonly ('subject' | 'sponsor' | 'chain')[];
  readonly onTimeout: 'deny' | 'suspend';
};

/** What a bucket is counted by. */
export const BUCKET_KEYS = ['tenant', 'agent', 'tool', 'task', 'sponsor'] as const;
export type BucketKey = (typeof BUCKET_KEYS)[number];

export type Consume = {
  readonly kind: 'consume';
  readonly bucket: string;
  readonly limit: number;
  readonly perMs: number;
  readonly by: readonly BucketKey[];
  /** The bucket of one request: filled in by the gate, so that the record says which one was drawn on. */
  readonly key?: string;
};

export type Redact = {
  readonly kind: 'redact';
  /** A JSON pointer (RFC 6901) into the arguments, or, after the act, into the output. */
  readonly path: string;
  readonly with: JsonValue;
};

export type Obligation =
  | Approve
  | Consume
  | Redact
  | { readonly kind: 'log'; readonly level: 'info' | 'warn'; readonly fields: readonly string[] }
  | { readonly kind: 'label'; readonly add: readonly string[] }
  | { readonly kind: 'sandbox'; readonly ring: 0 | 1 | 2 | 3 }
  | { readonly kind: 'verify'; readonly models: number; readonly agree: number }
  | { readonly kind: 'compensate'; readonly saga: string }
  | { readonly kind: 'notify'; readonly to: string };

export type ObligationKind = Obligation['kind'];

export const OBLIGATION_KINDS = [
  'approve',
  'consume',
  'redact',
  'log',
  'label',
  'sandbox',
  'verify',
  'compensate',
  'notify',
] as const satisfies readonly ObligationKind[];

/** The obligations of several rules as one list, sorted, each once, the stricter of two; `undefined` where two contradict
 *  each other: one place to be replaced by two different values, or two sagas that are each to undo the act. */
export function combineObligations(all: readonly Obligation[]): readonly Obligation[] | undefined {
  if (all.length < 2) return all;
  const merged = new Map<string, Obligation>();
  for (const obligation of all) {
    const key = slotOf(obligation);
    const known = merged.get(key);
    const both = known === undefined ? obligation : stricter(known, obligation);
    if (both === undefined) return undefined;
    merged.set(key, both);
  }
  return [...merged].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, obligation]) => obligation);
}

/** What is asked for and the host cannot do; empty where it can do all of it. */
export function unsupported(
  asked: readonly Obligation[],
  honoured: ReadonlySet<ObligationKind>,
): readonly Obligation[] {
  return asked.filter(({ kind }) => !honoured.has(kind));
}

/** Two obligations in one slot are about the same thing. */
function slotOf(obligation: Obligation): string {
  switch (obligation.kind) {
    case 'approve':
      return `approve ${obligation.of}`;
    case 'consume':
      return `consume ${obligation.bucket} ${obligation.limit} ${obligation.perMs} ${obligation.by.join(',')}`;
    case 'redact':
      return `redact ${obligation.path}`;
    case 'log':
    case 'label':
    case 'sandbox':
    case 'verify':
    case 'compensate':
      return obligation.kind;
    case 'notify':
      return `notify ${obligation.to}`;
  }
}

function stricter(a: Obligation, b: Obligation): Obligation | undefined {
  if (a.kind === 'approve' && b.kind === 'approve') {
    return {
      ...a,
      quorum: Math.max(a.quorum, b.quorum),
      expiresMs: Math.min(a.expiresMs, b.expiresMs),
      distinctFrom: union(a.distinctFrom, b.distinctFrom),
      onTimeout: a.onTimeout === 'deny' ? a.onTimeout : b.onTimeout,
    };
  }
  if (a.kind === 'redact' && b.kind === 'redact') {
    return JSON.stringify(a.with) === JSON.stringify(b.with) ? a : undefined;
  }
  if (a.kind === 'log' && b.kind === 'log') {
    return { kind: 'log', level: a.level === 'warn' ? a.level : b.level, fields: union(a.fields, b.fields) };
  }
  if (a.kind === 'label' && b.kind === 'label') return { kind: 'label', add: union(a.add, b.add) };
  if (a.kind === 'sandbox' && b.kind === 'sandbox') return a.ring >= b.ring ? a : b;
  if (a.kind === 'verify' && b.kind === 'verify') {
    return { kind: 'verify', models: Math.max(a.models, b.models), agree: Math.max(a.agree, b.agree) };
  }
  if (a.kind === 'compensate' && b.kind === 'compensate') return a.saga === b.saga ? a : undefined;
  return a;
}

function union<T extends string>(a: readonly T[], b: readonly T[]): readonly T[] {
  return [...new Set([...a, ...b])].sort();
}
