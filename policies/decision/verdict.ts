/**
 * The three answers and how they combine: `deny < escalate < allow`, and several answers give the least of them.
 *
 * Who speaks is a layer. Every layer that lists anything allowed must allow; any layer may deny or escalate; so what a
 * layer further down says can only take away (docs/adr/0041-layers-meet.md).
 */
export type Verdict = 'deny' | 'escalate' | 'allow';

/** From the outermost in. The order has no effect on a verdict: no layer can lift what another one refuses. */
export const LAYERS = ['org', 'tenant', 'mesh', 'team', 'agent', 'task'] as const;
export type Layer = (typeof LAYERS)[number];

/** The lesser of two answers. */
export function meet(a: Verdict, b: Verdict): Verdict {
  return RANK[a] <= RANK[b] ? a : b;
}

/** Negative where `a` is the stricter answer, positive where it is the laxer, else 0. */
export function compareVerdicts(a: Verdict, b: Verdict): number {
  return RANK[a] - RANK[b];
}

const RANK: Readonly<Record<Verdict, number>> = { deny: 0, escalate: 1, allow: 2 };
