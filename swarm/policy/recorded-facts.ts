/**
 * What was counted and summed before a decision, folded from the acts that a log says were allowed: for the node that goes on,
 * and for whoever decides again.
 *
 * F1. A decision sees what the log allowed before it, and nothing after it.
 */
import type { Bundle } from '../../policies/bundle/bundle.ts';
import type { PolicyRequest } from '../../policies/decision/request.ts';
import { FactMonitors } from '../../policies/gate/fact-monitors.ts';
import type { Facts } from './host-gate.ts';

/** Where no rule asks for facts. */
export const NO_FACTS: Facts = { read: ({ at }) => ({ at, readings: {} }), count: () => undefined };

export class RecordedFacts {
  readonly #allowed: PolicyRequest[] = [];
  readonly #folded = new Map<Bundle, { readonly monitors: FactMonitors; done: number }>();

  /** How many acts were allowed so far: the place of a decision among them. */
  get size(): number {
    return this.#allowed.length;
  }

  add(request: PolicyRequest): void {
    this.#allowed.push(request);
  }

  /** What stands under the bundle after the first `size` acts. */
  after(size: number, bundle: Bundle): Facts {
    if (bundle.facts.size === 0) return NO_FACTS;
    let folded = this.#folded.get(bundle);
    if (folded === undefined || folded.done > size) {
      folded = { monitors: new FactMonitors(bundle.facts, 0), done: 0 };
      this.#folded.set(bundle, folded);
    }
    for (const request of this.#allowed.slice(folded.done, size)) folded.monitors.count(request);
    folded.done = size;
    return folded.monitors;
  }
}
