/**
 * What was counted and summed before a decision, folded from the acts that a log says were allowed: for the node that goes on,
 * and for whoever decides again.
 *
 * F1. A decision sees what the log allowed before it, and nothing after it.
 * F2. No act is kept: each is counted, as it passes, under the bundles that were asked about. Whoever asks about another one,
 *     or about what has passed, pays for another pass over the log.
 */
import type { Bundle } from '../../policies/bundle/bundle.ts';
import type { PolicyRequest } from '../../policies/decision/request.ts';
import type { FactMonitors } from '../../policies/gate/fact-monitors.ts';
import type { Facts } from './host-gate.ts';

/** Where no rule asks for facts. */
export const NO_FACTS: Facts = { read: ({ at }) => ({ at, readings: {} }), count: () => undefined };

export class RecordedFacts {
  readonly #folded = new Map<Bundle, FactMonitors>();
  #size = 0;

  /** How many acts were allowed so far: the place of a decision among them. */
  get size(): number {
    return this.#size;
  }

  add(request: PolicyRequest): void {
    for (const monitors of this.#folded.values()) monitors.count(request);
    this.#size += 1;
  }

  /** What stands under the bundle after the first `size` acts, to be read before the next; `fold` counts them anew. */
  after(size: number, bundle: Bundle, fold: () => FactMonitors): Facts {
    if (bundle.facts.size === 0) return NO_FACTS;
    if (size !== this.#size) return fold();
    const known = this.#folded.get(bundle) ?? fold();
    this.#folded.set(bundle, known);
    return known;
  }
}
