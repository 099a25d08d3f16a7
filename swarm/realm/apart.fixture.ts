/** Processes in a pid namespace of their own, as a container's are, where this machine lets us make one. */
import { spawnSync } from 'node:child_process';
import { test } from 'vitest';

/** What a command is started by. It is killed with its child. */
export const APART = [
  'unshare',
  '--user',
  '--map-root-user',
  '--pid',
  '--fork',
  '--kill-child',
  '--mount-proc',
] as const;

const [unshare, ...options] = APART;
const isApart = spawnSync(unshare, [...options, 'true']).status === 0;

/** A test that needs such processes; where there can be none it is skipped, and its name says so. */
export function testApart(behaviour: string, body: () => Promise<void>): void {
  test.skipIf(!isApart)(isApart ? behaviour : `${behaviour}: skipped, unshare may make no namespaces here`, body);
}
