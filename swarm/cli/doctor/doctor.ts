/** `doctor`: looks at one thing after the other and says at once how it is, so that what ends the process is the next one. */
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { createColors } from 'picocolors';
import { childHosts } from '../../../runtime/actor/child-hosts.ts';
import { CodedError } from '../../../runtime/core/errors.ts';
import { anchorsOf, systemPorts } from '../log/place.ts';
import { oneLine } from '../report.ts';
import type { Shell } from '../shell.ts';
import { addressOf, lookAtBroker, lookForBroker } from './broker-state.ts';
import { type Check, looked, ok } from './check.ts';
import { judgeIsolation } from './isolation.ts';
import { lookAtKeys } from './key-state.ts';
import { lookAtLog } from './log-state.ts';
import { lookAtClock, lookAtDisk, lookAtStore, lookForEngines } from './look.ts';
import { judgeClock, judgeDisk, judgeEngine, judgeNode } from './machine.ts';
import { lookAtRoots } from './root-state.ts';

type Options = {
  readonly log?: string;
  readonly keys?: string;
  readonly broker?: string;
  readonly cgroup?: readonly string[];
  readonly anchor?: string;
  readonly json?: boolean;
};

/** @throws `doctor.failed` with how many of the checks failed · `usage.invalid` */
export async function doctor(shell: Shell, options: Options): Promise<void> {
  const checks: Check[] = [];
  for (const look of looks(shell, options)) {
    const found = await look();
    checks.push(...found);
    if (options.json !== true) await shell.out.write(textOf(found, shell));
  }
  const failed = checks.filter(({ status }) => status === 'fail');
  const facts = { schema: 'ringmesh.doctor/1', ok: failed.length === 0, checks };
  if (options.json === true) await shell.out.write(`${JSON.stringify(facts)}\n`);
  if (failed.length === 0) return;
  const names = [...new Set(failed.map(({ name }) => name))].join(', ');
  throw new CodedError(
    'doctor.failed',
    `expected this machine to be fit for a node, found ${failed.length} to mend: ${names}`,
  );
}

type Look = () => Promise<readonly Check[]>;

function* looks(shell: Shell, { log, keys, broker, cgroup = [], ...options }: Options): Generator<Look> {
  const ports = systemPorts();
  const { clock } = ports;
  const address = broker === undefined ? undefined : addressOf(broker);
  yield async () => [judgeNode(process.version)];
  yield () => looked('lmdb', async () => [ok('lmdb', await lookAtStore(ports))]);
  yield () => looked('disk flush', async () => judgeDisk(await lookAtDisk(folderFor(log), clock)));
  let lastEventMs: number | undefined;
  if (log !== undefined) {
    yield () =>
      looked('log tail', async () => {
        const seen = await lookAtLog(log, anchorsOf(options, shell.env));
        lastEventMs = seen.lastEventMs;
        return seen.checks;
      });
  }
  yield () => looked('clock', async () => [judgeClock({ ...(await lookAtClock(clock)), lastEventMs })]);
  if (keys !== undefined) yield () => looked('keys', async () => lookAtKeys(keys));
  if (keys !== undefined && existsSync(join(keys, 'realm.json'))) {
    yield () => looked('delegations', () => lookAtRoots(keys, clock.now()));
  }
  yield () =>
    looked('broker', async () => [
      address === undefined ? await lookForBroker(shell.env['PATH']) : await lookAtBroker(address, clock),
    ]);
  yield () =>
    looked('isolation', async () => judgeIsolation(childHosts({ modules: {}, cgroups: cgroup }).describeIsolation()));
  yield async () => [judgeEngine(await lookForEngines(shell.env))];
}

/** The folder of the log, or the nearest one above it that is there. */
function folderFor(log: string | undefined): string {
  let folder = resolve(log ?? '.');
  while (!existsSync(folder) && folder !== dirname(folder)) folder = dirname(folder);
  return folder;
}

const NAME_WIDTH = 19;

/** A remedy that is the same for several lines stands once, under the last of them. */
function textOf(checks: readonly Check[], shell: Shell): string {
  const { green, yellow, red, dim } = createColors(shell.out.hasColour);
  const paint = { ok: green, warn: yellow, fail: red };
  return checks
    .map(({ status, name, found, remedy }, n) => {
      const line = `${paint[status](status.padEnd(4))}  ${name.padEnd(NAME_WIDTH)}  ${oneLine(found)}\n`;
      if (remedy === undefined || remedy === checks[n + 1]?.remedy) return line;
      return `${line}${dim(`${' '.repeat(6)}${oneLine(remedy)}`)}\n`;
    })
    .join('');
}
