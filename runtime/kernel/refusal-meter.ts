/**
 * Keeps a flood of refusals from filling the log.
 *
 * R1. The first ten refusals of an agent within a minute, by the kill latch, its ring or its budget, are recorded one by
 *     one. What exceeds them is only counted.
 * R2. What was counted is handed out by `drain`, once, by agent and code. Nothing counted is lost but by a crash.
 * R3. Refusals by other gates are the author's business and are always recorded; but of what arrives from another node, which
 *     may send as much as it likes, they are counted, too.
 */
import type { Action } from './action.ts';
import type { GateName } from './gate.ts';

export const RECORDED_REFUSALS_MAX = 10;
const REFUSAL_WINDOW_MS = 60_000;
/** Agents whose windows are remembered; the oldest is forgotten, which records more and never less. */
const AGENTS_MAX = 10_000;

const FLOODING: ReadonlySet<GateName> = new Set(['kill', 'ring', 'budget']);

export type RefusalCounts = ReadonlyMap<string, Readonly<Record<string, number>>>;

export class RefusalMeter {
  readonly #windows = new Map<string, { startedMs: number; recorded: number }>();
  #counted = new Map<string, Record<string, number>>();

  /** Whether this refusal is to be recorded; otherwise it has been counted. */
  mustRecord(
    { agent, isArrival = false }: Pick<Action, 'agent' | 'isArrival'>,
    gate: GateName,
    code: string,
    atMs: number,
  ): boolean {
    if (!isArrival && !FLOODING.has(gate)) return true;
    let window = this.#windows.get(agent);
    if (window === undefined || atMs - window.startedMs >= REFUSAL_WINDOW_MS || atMs < window.startedMs) {
      window = { startedMs: atMs, recorded: 0 };
      this.#windows.delete(agent);
      this.#windows.set(agent, window);
      const [oldest] = this.#windows.keys();
      if (this.#windows.size > AGENTS_MAX && oldest !== undefined) this.#windows.delete(oldest);
    }
    if (window.recorded < RECORDED_REFUSALS_MAX) {
      window.recorded += 1;
      return true;
    }
    const counts = this.#counted.get(agent) ?? {};
    counts[code] = (counts[code] ?? 0) + 1;
    this.#counted.set(agent, counts);
    return false;
  }

  /** What was counted since the last call. */
  drain(): RefusalCounts {
    const counted = this.#counted;
    this.#counted = new Map();
    return counted;
  }
}
