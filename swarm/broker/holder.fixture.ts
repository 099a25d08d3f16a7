/** A process that holds a broker, tells of it in one line, and waits to be killed. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { parseRealm } from '../../mesh/subject.ts';
import { unwrap } from '../../runtime/core/result.ts';
import { systemClock } from '../../runtime/core/system.ts';
import type { BrokerBinary } from './find-broker.ts';
import { spawnBroker } from './spawn-broker.ts';

/** Starts such a process with this Node. */
export function startHolder(execPath: string, binary: BrokerBinary): ChildProcessByStdio<null, Readable, null> {
  const call = `holdBroker(${JSON.stringify(binary)}, process.stdout)`;
  const source = `import { holdBroker } from ${JSON.stringify(import.meta.url)}; await ${call};`;
  const args = ['--input-type=module', '--eval', source];
  return spawn(execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
}

/** @public called by name, in the process that `startHolder` starts */
export async function holdBroker(
  binary: BrokerBinary,
  out: { readonly write: (text: string) => unknown },
): Promise<void> {
  const options = { binary, realm: unwrap(parseRealm('acme'), 'a realm'), users: [] };
  const broker = await spawnBroker(options, systemClock, new AbortController().signal);
  out.write(`${JSON.stringify({ pid: broker.pid, url: broker.url })}\n`);
  await broker.ended;
}
