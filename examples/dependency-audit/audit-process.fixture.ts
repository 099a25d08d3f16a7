/**
 * An audit as a process that a test can kill: `node audit-process.fixture.ts JSON`. It ends itself, or a host, by SIGKILL after
 * so many messages between node and hosts: each is the cause or the consequence of an event in the log. Its last line on
 * stdout is the summary, with the number of messages.
 */
// biome-ignore lint/style/noRestrictedImports: this file is a process, and nothing but that.
import process from 'node:process';
import { childHosts, systemClock, systemRandom, thisProcess } from 'ringmesh/runtime';
import { z } from 'zod';
import { type AuditPorts, runAudit } from './audit.ts';
import { parseOptions } from './options.ts';

const Task = z.object({
  args: z.array(z.string()),
  /** `node`, or the name of the contract whose host is ended. */
  victim: z.string().nullable(),
  /** Messages before it happens. */
  after: z.int(),
});

const { args, victim, after } = Task.parse(JSON.parse(process.argv[2] ?? ''));
const options = parseOptions(args, { cwd: process.cwd(), home: '/nonexistent', env: {} });
if (options === 'help') throw new Error('expected a task');

const pids = new Map<string, number>();
/** Messages by contract, and of the whole node. */
const messages: Record<string, number> = { node: 0 };

// biome-ignore lint/style/noRestrictedGlobals: the clock's timers keep no process alive.
const alive = setInterval(() => undefined, 60_000);
const ports: AuditPorts = {
  clock: systemClock,
  random: systemRandom,
  identity: thisProcess(),
  searchPath: undefined,
  execArgv: process.execArgv,
  startHosts: (options) => noted(childHosts(options)),
  printed: (_, text) => void process.stderr.write(text),
  onProgress: () => undefined,
  patience: { backoff: 5, rate: 500, burst: 50, timeout: 5_000 },
};
const summary = await runAudit(options, ports, new AbortController().signal);
process.stdout.write(`${JSON.stringify({ summary, messages })}\n`);
clearInterval(alive);

function count(contract: string): void {
  for (const name of ['node', contract]) messages[name] = (messages[name] ?? 0) + 1;
  if (victim === null || (victim !== 'node' && victim !== contract) || messages[victim] !== after) return;
  const pid = victim === 'node' ? process.pid : pids.get(victim);
  if (pid !== undefined) process.kill(pid, 'SIGKILL');
}

/** Counts messages, and keeps the pid of every contract's host. */
function noted(hosts: ReturnType<typeof childHosts>): ReturnType<typeof childHosts> {
  return {
    describeIsolation: () => hosts.describeIsolation(),
    start(profile, { heard, exited }) {
      const { contract } = profile;
      const host = hosts.start(profile, {
        heard: (message) => {
          heard(message);
          count(contract);
        },
        exited,
      });
      pids.set(contract, Number(/pid (\d+)$/.exec(host.id)?.[1]));
      return {
        id: host.id,
        send: (message) => {
          host.send(message);
          count(contract);
        },
        kill: (exit) => host.kill(exit),
      };
    },
  };
}
