/**
 * What follows when a child ends, as in OTP, decided purely: the caller records the verdict, then performs it.
 *
 * S1. `permanent` children are always restarted, `transient` ones after an abnormal exit, `temporary` ones never.
 * S2. A restart takes along: nobody (`one_for_one`), everybody (`one_for_all`), those started later (`rest_for_one`). They
 *     stop in reverse start order and start in start order. Temporary ones among them stop and do not come back.
 * S3. More than `restarts` incidents within `period` and the supervisor gives up: it stops its children and ends itself.
 *     Incidents are folded from the log, so that a loop of crashing processes trips too. One cause that ends several
 *     children is one incident.
 * S4. The delay before a restart doubles with every incident in the period, from `min` to `max`, and is then drawn between
 *     half of itself and all of it, so that many do not come back at the same moment.
 */
import type { Random } from '../core/random.ts';
import { type Duration, isDuration, toMillis } from './duration.ts';

export type Strategy = 'one_for_one' | 'one_for_all' | 'rest_for_one';
export type ChildKind = 'permanent' | 'transient' | 'temporary';

/** How an agent supervises its children. Every part has a default. */
export type Supervise = {
  /** Default `one_for_one`. */
  readonly strategy?: Strategy;
  /** `'5 in 30s'`, the default: a sixth incident within thirty seconds is one too many. */
  readonly restarts?: `${number} in ${string}`;
  /** Default 100 ms to 30 s. */
  readonly backoff?: { readonly min: Duration; readonly max: Duration };
};

export type Child = { readonly agent: string; readonly kind: ChildKind };

/** `normal`: it said that it was done. Anything else is abnormal, and `incident` tells one cause from another. */
export type Exit =
  | { readonly type: 'normal' }
  | { readonly type: 'abnormal'; readonly why: string; readonly incident: string };

export type Incident = { readonly atMs: number; readonly incident: string };

export type Supervision = {
  readonly strategy: Strategy;
  readonly restartsMax: number;
  readonly periodMs: number;
  readonly backoff: { readonly minMs: number; readonly maxMs: number };
  /** In start order. */
  readonly children: readonly Child[];
  readonly incidents: readonly Incident[];
};

export type Verdict =
  | { readonly type: 'forget' }
  | {
      readonly type: 'restart';
      readonly stop: readonly string[];
      readonly start: readonly string[];
      readonly incidents: readonly Incident[];
      /** Before the draw of S4. */
      readonly delayMs: number;
    }
  | { readonly type: 'give_up'; readonly stop: readonly string[] };

export function supervision(
  supervise: Supervise,
  children: readonly Child[],
  incidents: readonly Incident[],
): Supervision {
  const { strategy = 'one_for_one', restarts = '5 in 30s', backoff = { min: 100, max: '30s' } } = supervise;
  const [count = '', period = ''] = restarts.split(' in ');
  return {
    strategy,
    restartsMax: Number(count),
    periodMs: toMillis(period as Duration),
    backoff: { minMs: toMillis(backoff.min), maxMs: toMillis(backoff.max) },
    children,
    incidents,
  };
}

/** Whether a text says how many restarts are borne in which time: `'5 in 30s'`. */
export function isRestarts(text: string): text is NonNullable<Supervise['restarts']> {
  const [count = '', period = '', ...more] = text.split(' in ');
  return /^\d{1,6}$/.test(count) && isDuration(period) && more.length === 0;
}

/** What to do about one exit. */
export function onExit(sup: Supervision, agent: string, exit: Exit, atMs: number): Verdict {
  const child = sup.children.find((one) => one.agent === agent);
  if (child === undefined || !mustRestart(child.kind, exit)) return { type: 'forget' };
  const recent = sup.incidents.filter((one) => atMs - one.atMs < sup.periodMs);
  const incident = exit.type === 'normal' ? `${agent} ended` : exit.incident;
  const isKnown = recent.some((one) => one.incident === incident) && exit.type === 'abnormal';
  const incidents = isKnown ? recent : [...recent, { atMs, incident }];
  if (incidents.length > sup.restartsMax) {
    return { type: 'give_up', stop: sup.children.map((one) => one.agent).toReversed() };
  }
  const hit = affected(sup, child);
  return {
    type: 'restart',
    stop: hit
      .filter((one) => one !== child)
      .map((one) => one.agent)
      .toReversed(),
    start: hit.filter((one) => one.kind !== 'temporary').map((one) => one.agent),
    incidents,
    delayMs: Math.min(sup.backoff.minMs * 2 ** (incidents.length - 1), sup.backoff.maxMs),
  };
}

/** S4. */
export function jittered(delayMs: number, random: Random): number {
  const half = Math.floor(delayMs / 2);
  return half + random.below(delayMs - half + 1);
}

function mustRestart(kind: ChildKind, exit: Exit): boolean {
  return kind === 'permanent' || (kind === 'transient' && exit.type === 'abnormal');
}

/** In start order; the child itself among them. */
function affected(sup: Supervision, child: Child): readonly Child[] {
  switch (sup.strategy) {
    case 'one_for_one':
      return [child];
    case 'one_for_all':
      return sup.children;
    case 'rest_for_one':
      return sup.children.slice(sup.children.indexOf(child));
  }
}
