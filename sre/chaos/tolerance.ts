import type { Tolerance } from './experiment.ts';

/** How a program ended: its exit status (128 and the signal's number where a signal ended it, as shells say it) and the end
 *  of what it wrote. */
export type Ended = { readonly status: number; readonly stdout: string; readonly stderr: string };

/** Whether what was found is within what is tolerated. What is no number is within no range. */
export function isTolerated(tolerance: Tolerance, ended: Ended): boolean {
  if (typeof tolerance === 'number') return ended.status === tolerance;
  const found = String(ended[tolerance.target]).trim();
  if (tolerance.type === 'regex') return new RegExp(tolerance.pattern, 'u').test(found);
  const [low, high] = tolerance.range;
  return found !== '' && Number(found) >= low && Number(found) <= high;
}
