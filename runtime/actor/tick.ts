/** The end of the present tick: everything that could go on without news from outside has gone on. No time passes. */
// biome-ignore lint/style/noRestrictedImports: it waits for no time, only for the queue of this process.
import { setImmediate } from 'node:timers/promises';
import { outOfTurn } from './strict.ts';

export function endOfTick(): Promise<void> {
  return outOfTurn(() => setImmediate());
}
