/** Whether there are containers to test with. */
import { spawnSync } from 'node:child_process';

/** Why not, in one line, which it prints; nothing where an engine answers, and compose can be asked. */
export function missingEngine(): string | undefined {
  const asked = [
    ['docker', 'version', '--format', '{{.Server.Version}}'],
    ['docker', 'compose', 'version'],
  ] as const;
  for (const [command, ...args] of asked) {
    const { status, stderr, error } = spawnSync(command, args, { encoding: 'utf8', timeout: 20_000 });
    if (status === 0) continue;
    const [reason = ''] = (error?.message ?? stderr).trim().split('\n', 1);
    console.log(`skipped, for want of a container engine: ${reason}`);
    return reason;
  }
  return undefined;
}
