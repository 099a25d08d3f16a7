/**
 * What was counted and summed before, for the conditions that ask for `facts`: an incremental fold of the acts that were
 * allowed.
 *
 * F1. An act counts from the tick that allows it: of several that are decided together, each sees those before it.
 * F2. What the monitors cannot know they leave out, and what is left out is unknown: a window that reaches back before the
 *     fold began, a sum with an amount that is no whole number, a key that nobody has, a history that was too long to keep.
 * F3. Folding the same acts gives the same readings: a node that starts again folds its log.
 * F4. Bounded by `KEYS_MAX` and `ACTS_MAX`; forgetting loses knowledge (F2) and never counts less.
 */
import type { ActionDecided } from '../../runtime/kernel/action-events.ts';
import { pointerParts } from '../../runtime/kernel/obligation.ts';
import { patternsTest } from '../bundle/clause.ts';
import type { FactReading, PolicyRequest } from '../decision/request.ts';
import { listOf } from '../document/rule.ts';
import type { FactInput } from '../document/shape.ts';
import { durationMs } from '../expression/check.ts';
import { memberOf } from '../expression/fields.ts';

/** What is counted of a request. */
export type CountedAct = Pick<PolicyRequest, 'at' | 'subject' | 'args' | 'task'> & {
  readonly action: Pick<PolicyRequest['action'], 'tool'>;
};

/** Keys of one fact, and acts of one key, that are remembered. */
const KEYS_MAX = 10_000;
const ACTS_MAX = 10_000;

type Limits = { readonly keysMax: number; readonly actsMax: number };

export class FactMonitors {
  readonly #monitors: ReadonlyMap<string, Monitor>;

  /** `facts`: a bundle's. `since`: from when on every allowed act is told by `count`; 0 for a fold of the whole log. */
  constructor(facts: ReadonlyMap<string, FactInput>, since: number, limits: Partial<Limits> = {}) {
    const all = { keysMax: KEYS_MAX, actsMax: ACTS_MAX, ...limits };
    this.#monitors = new Map([...facts].map(([name, input]) => [name, new Monitor(input, since, all)]));
  }

  /** An act was allowed (F1). Acts come in the order of the log. */
  count(act: CountedAct): void {
    for (const monitor of this.#monitors.values()) monitor.count(act);
  }

  /** Counts again what a recorded decision allowed to whom (F3). */
  relive({ refused, target, input, at }: ActionDecided, subject: PolicyRequest['subject']): void {
    if (refused === null) this.count({ at, subject, action: { tool: target }, args: input });
  }

  /** What stands before this act. */
  read(act: CountedAct): NonNullable<PolicyRequest['facts']> {
    const readings = [...this.#monitors].map(([name, monitor]) => [name, monitor.read(act)] as const);
    return { at: act.at, readings: Object.fromEntries(readings) };
  }
}

class Monitor {
  readonly #concerns: (tool: string) => boolean;
  readonly #by: FactInput['by'];
  readonly #sum: string | undefined;
  readonly #windowsMs: readonly number[];
  readonly #series = new Map<string, Series>();
  readonly #limits: Limits;
  /** Before this moment nothing is known of keys that have no series. */
  #since: number;

  constructor({ of, by, sum, within }: FactInput, since: number, limits: Limits) {
    this.#concerns = patternsTest(listOf(of));
    this.#by = by;
    [this.#sum] = sum === undefined ? [] : pointerParts(sum);
    this.#windowsMs = listOf(within).map((window) => durationMs(window) ?? 0);
    this.#since = since;
    this.#limits = limits;
  }

  count(act: CountedAct): void {
    if (!this.#concerns(act.action.tool)) return;
    const key = this.#keyOf(act);
    if (key === undefined) return; // and so nobody can ask for it
    const name = JSON.stringify(key);
    let series = this.#series.get(name);
    if (series === undefined) {
      if (this.#series.size >= this.#limits.keysMax) this.#forgetOver(act.at);
      if (this.#series.size >= this.#limits.keysMax) {
        this.#since = Math.max(this.#since, act.at + 1); // F4
        return;
      }
      series = new Series(this.#since);
      this.#series.set(name, series);
    }
    series.add(act.at, this.#amountOf(act));
    series.forget(act.at - Math.max(...this.#windowsMs), this.#limits.actsMax);
  }

  read(act: CountedAct): readonly FactReading[] {
    const key = this.#keyOf(act);
    if (key === undefined) return [];
    const series = this.#series.get(JSON.stringify(key)) ?? new Series(this.#since);
    return this.#windowsMs.flatMap((windowMs): readonly FactReading[] => {
      const found = series.within(act.at - windowMs);
      if (found === undefined) return [];
      const { count, sum } = found;
      return [{ windowMs, key, count, ...(this.#sum === undefined || sum === undefined ? {} : { sum }) }];
    });
  }

  #keyOf({ subject, action, task }: CountedAct): readonly string[] | undefined {
    const known: Readonly<Record<FactInput['by'][number], string | undefined>> = {
      'subject.id': subject.id,
      'subject.tenant': subject.tenant,
      'subject.team': subject.team,
      'subject.sponsor': subject.sponsor,
      'action.tool': action.tool,
      'task.id': task?.id,
    };
    const parts = this.#by.flatMap((path) => known[path] ?? []);
    return parts.length === this.#by.length ? parts : undefined;
  }

  #amountOf({ args }: CountedAct): number | undefined {
    if (this.#sum === undefined || typeof args !== 'object' || args === null || Array.isArray(args)) return undefined;
    const amount = memberOf(args, this.#sum);
    return Number.isSafeInteger(amount) ? (amount as number) : undefined;
  }

  #forgetOver(at: number): void {
    const from = at - Math.max(...this.#windowsMs);
    for (const [name, series] of this.#series) if (series.lastAt <= from) this.#series.delete(name);
  }
}

/** One act, and what it and those before it come to since some moment. */
type Entry = { readonly at: number; readonly total: number; readonly unknowns: number };

const NOTHING: Entry = { at: Number.NEGATIVE_INFINITY, total: 0, unknowns: 0 };

/** The acts of one key, oldest first. A clock that goes back counts as standing still. */
class Series {
  #entries: Entry[] = [];
  /** What the first entry builds upon: of those that were forgotten, the last. */
  #before: Entry = NOTHING;
  /** What happened before this moment is not all known. */
  #since: number;

  constructor(since: number) {
    this.#since = since;
  }

  get lastAt(): number {
    return this.#last.at;
  }

  get #last(): Entry {
    return this.#entries.at(-1) ?? this.#before;
  }

  add(at: number, amount: number | undefined): void {
    const { total, unknowns, at: lastAt } = this.#last;
    const next = total + (amount ?? 0);
    const isKnown = amount !== undefined && Number.isSafeInteger(next);
    this.#entries.push({
      at: Math.max(at, lastAt),
      total: isKnown ? next : total,
      unknowns: isKnown ? unknowns : unknowns + 1,
    });
  }

  /** After `from`, exclusive; `undefined` where not all of it is known. */
  within(from: number): { readonly count: number; readonly sum: number | undefined } | undefined {
    if (this.#since > 0 && from < this.#since) return undefined;
    const first = this.#firstAfter(from);
    const before = this.#entries[first - 1] ?? this.#before;
    const { total, unknowns } = this.#last;
    return {
      count: this.#entries.length - first,
      sum: unknowns === before.unknowns ? total - before.total : undefined,
    };
  }

  /** Lets go of what no window reaches, and of what is too much to keep. */
  forget(from: number, actsMax: number): void {
    const past = this.#firstAfter(from);
    if (this.#entries.length > actsMax) {
      const half = Math.max(past, this.#entries.length - Math.floor(actsMax / 2)); // not one by one: each is a copy
      if (half > past) this.#since = Math.max(this.#since, (this.#entries[half - 1]?.at ?? 0) + 1);
      this.#drop(half);
    } else if (past > actsMax / 2) this.#drop(past);
  }

  #drop(count: number): void {
    this.#before = this.#entries[count - 1] ?? this.#before;
    this.#entries = this.#entries.slice(count);
  }

  /** The first entry after a moment, by halving. */
  #firstAfter(from: number): number {
    let [low, high] = [0, this.#entries.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#entries[middle]?.at ?? 0) <= from) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
