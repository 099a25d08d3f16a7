/** Real brokers for the tests: on loopback, on a port that the server chooses, with the configuration under test. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export type Broker = AsyncDisposable & { readonly url: string; readonly version: string };

/** Starts `binary` with `config`, whose port is to be -1. */
export async function startBroker(binary: string, config: string): Promise<Broker> {
  const directory = mkdtempSync(join(tmpdir(), 'ringmesh-nats-'));
  const file = join(directory, 'nats.conf');
  writeFileSync(file, `${config}\nports_file_dir: ${JSON.stringify(directory)}\n`, { mode: 0o600 });
  const child = spawn(binary, ['-c', file], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  const ready = Promise.withResolvers<void>();
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString();
    if (said.includes('Server is ready')) ready.resolve();
  });
  child.on('error', ready.reject);
  child.on('exit', (code) => ready.reject(new Error(`expected a broker, found exit ${code}: ${said}`)));
  await ready.promise;
  const port = /Listening for client connections on [^:]+:(\d+)/.exec(said)?.[1];
  if (port === undefined) throw new Error(`expected a port in: ${said} ${portsIn(directory)}`);
  return {
    url: `127.0.0.1:${port}`,
    version: /Version:\s+(\S+)/.exec(said)?.[1] ?? '',
    async [Symbol.asyncDispose]() {
      child.removeAllListeners('exit');
      const gone = once(child, 'exit');
      child.kill('SIGTERM');
      await gone;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function portsIn(directory: string): string {
  return readdirSync(directory)
    .filter((name) => name.endsWith('.ports'))
    .map((name) => readFileSync(join(directory, name), 'utf8'))
    .join();
}
