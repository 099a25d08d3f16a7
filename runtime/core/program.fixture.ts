import { spawnSync } from 'node:child_process';
import { describe } from 'vitest';

/** A suite that needs a program of the machine. Where that is missing the suite is skipped, and its name says so. */
export function describeWith(program: string, name: string, suite: () => void): void {
  const isThere = spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0;
  describe.skipIf(!isThere)(isThere ? name : `${name}: skipped, there is no ${program}`, suite);
}
