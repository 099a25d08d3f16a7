/** `policy serve`: the decision point, until a signal ends it. */
import { systemClock, systemRandom } from '../../../runtime/core/system.ts';
import { DecisionServer } from '../../policy/decision-server.ts';
import { catchInterrupts, type Shell } from '../shell.ts';
import { type BundleOptions, readBundle } from './bundle-input.ts';

type ServeOptions = BundleOptions & {
  readonly host?: string;
  readonly port?: number;
  readonly allowRemote?: boolean;
  readonly name?: readonly string[];
  readonly json?: boolean;
};

/** @throws what `readBundle` and `DecisionServer.open` do; the signal, once everything is answered */
export async function serve(shell: Shell, options: ServeOptions): Promise<void> {
  const bundle = await readBundle(shell, options, 'verified');
  using interrupts = catchInterrupts();
  const { name = [], ...rest } = options;
  const ports = { bundle: () => bundle, clock: systemClock, random: systemRandom };
  {
    await using server = await DecisionServer.open(ports, { ...rest, names: name.map((one) => one.toLowerCase()) });
    const { url } = server;
    const { digest, version } = bundle;
    const line = options.json === true ? JSON.stringify({ url, bundle: digest, version }) : `${url}  bundle ${digest}`;
    await shell.out.write(`${line}\n`);
    await aborted(interrupts.signal);
  }
  interrupts.signal.throwIfAborted();
}

async function aborted(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  signal.addEventListener('abort', () => resolve(), { once: true });
  if (signal.aborted) resolve();
  await promise;
}
