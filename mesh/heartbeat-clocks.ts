/**
 * How far other nodes' clocks are from this one, by the moments that their heartbeats name. A heartbeat takes time, so the
 * difference of its moment to that of its arrival is the clock's, or less: one that is ahead is certain, one that is behind
 * only when several in a row say so.
 *
 * W1. Only what a node has signed counts, with a number that was not heard before: what somebody repeats says nothing of now.
 * W2. News is that a clock has come to differ by more than SKEW_MS, or no longer does; at most once a minute for one node.
 */
import type { Did } from '../runtime/codec/did.ts';
import type { Millis } from '../runtime/core/brand.ts';
import type { Beat } from './heartbeat.ts';
import { SKEW_MS } from './limits.ts';

/** `aheadMs` is negative for a clock that is behind. */
export type ClockNews = {
  readonly node: Did;
  readonly epoch: string;
  readonly aheadMs: number;
  readonly differs: boolean;
};

type Line = {
  readonly epoch: string;
  number: number;
  /** Of the last few heartbeats. */
  ahead: readonly number[];
  differs: boolean;
  toldAt: Millis | undefined;
};

/** As many as are missed before a node is suspected. */
const KEPT = 3;
const TELL_EVERY_MS = 60_000;

export class Clocks {
  readonly #lines = new Map<Did, Line>();

  /** Takes in a heartbeat whose signature and carrier hold, however old or new it says it is. Nodes are the roster's. */
  hear(
    { node, epoch, number, at: said }: Pick<Beat, 'node' | 'epoch' | 'number' | 'at'>,
    at: Millis,
  ): ClockNews | undefined {
    const known = this.#lines.get(node);
    if (known?.epoch === epoch && number <= known.number) return undefined; // W1
    const line: Line =
      known?.epoch === epoch
        ? known
        : { epoch, number, ahead: [], differs: known?.differs ?? false, toldAt: known?.toldAt };
    this.#lines.set(node, line);
    line.number = number;
    line.ahead = [...line.ahead, said - at].slice(-KEPT);
    const aheadMs = Math.max(...line.ahead);
    const differs = aheadMs > SKEW_MS || (line.ahead.length === KEPT && aheadMs < -SKEW_MS);
    const isSettled = differs || line.ahead.length === KEPT;
    if (differs === line.differs || !isSettled) return undefined;
    if (line.toldAt !== undefined && at - line.toldAt < TELL_EVERY_MS) return undefined; // W2
    line.differs = differs;
    line.toldAt = at;
    return { node, epoch, aheadMs, differs };
  }

  /** The clocks that differ now, and by how much. */
  get different(): ReadonlyMap<Did, number> {
    return new Map(
      [...this.#lines].filter(([, { differs }]) => differs).map(([node, { ahead }]) => [node, Math.max(...ahead)]),
    );
  }
}
