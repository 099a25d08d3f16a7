/** Real brokers for the tests: on loopback, on a port that the server chooses, with the configuration under test. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export type Broker = AsyncDisposable & {
  readonly url: string;
  readonly version: string;
  /** SIGSTOP: the kernel goes on taking connections and bytes, nobody reads them. */
  readonly stop: () => void;
  readonly resume: () => void;
  /** SIGKILL; what its disk has stays. */
  readonly kill: () => Promise<void>;
  /** Where it keeps its streams, if the configuration lets it. */
  readonly directory: string;
};

/** The `nats-server` on the PATH, and every further one that `RINGMESH_NATS_SERVERS` names: paths, separated by colons. */
export function brokerBinaries(named: string | undefined): readonly string[] {
  return ['nats-server', ...(named ?? '').split(':').filter((path) => path !== '')];
}

export function brokerVersion(binary: string): string {
  return /v(\d+\.\d+\.\d+\S*)/.exec(execFileSync(binary, ['--version'], { encoding: 'utf8' }))?.[1] ?? '';
}

/** Starts `binary` with `config`, whose port is to be -1, or that of a broker which is gone; with JetStream over what is in
 *  `directory`, if that is given. */
export async function startBroker(
  binary: string,
  config: string,
  { jetStream = false, directory = mkdtempSync(join(tmpdir(), 'ringmesh-nats-')) } = {},
): Promise<Broker> {
  const file = join(directory, 'nats.conf');
  const store = jetStream ? `jetstream { store_dir: ${JSON.stringify(directory)} }\n` : '';
  writeFileSync(file, `${config}\n${store}`, { mode: 0o600 });
  const child = spawn(binary, ['-c', file], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  const ready = Promise.withResolvers<void>();
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString();
    if (said.includes('Server is ready')) ready.resolve();
  });
  child.on('error', ready.reject);
  child.on('exit', (code) => {
    if (!said.includes('Server is ready')) rmSync(directory, { recursive: true, force: true });
    ready.reject(new Error(`expected a broker, found exit ${code}: ${said}`));
  });
  await ready.promise;
  const port = /Listening for client connections on [^:]+:(\d+)/.exec(said)?.[1];
  if (port === undefined) throw new Error(`expected a port in: ${said}`);
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGCONT');
    child.kill(signal);
    await gone;
  };
  return {
    url: `127.0.0.1:${port}`,
    version: /Version:\s+(\S+)/.exec(said)?.[1] ?? '',
    directory,
    stop: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
    kill: () => end('SIGKILL'),
    async [Symbol.asyncDispose]() {
      await end('SIGTERM');
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
