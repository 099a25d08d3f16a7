import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { trustDigest, trustProjection } from '../../../mesh/trust/projection.ts';
import type { Implementation } from '../../../runtime/actor/implement.ts';
import { replay as replayLog } from '../../../runtime/actor/replay.ts';
import { formatDigest } from '../../../runtime/codec/digest.ts';
import { CodedError } from '../../../runtime/core/errors.ts';
import { systemClock } from '../../../runtime/core/system.ts';
import { openReader } from '../../../runtime/log/log-directory.ts';
import { fold } from '../../../runtime/log/projection.ts';
import { formatFacts } from '../facts.ts';
import type { Shell } from '../shell.ts';

type ReplayOptions = {
  readonly agents?: readonly string[];
  readonly at?: number;
  readonly agent?: string;
  readonly json?: boolean;
};

/** `log replay`: every stream again, states compared with the recorded ones. No clock, network or chance. */
export async function replay(shell: Shell, directory: string, options: ReplayOptions): Promise<void> {
  const implementations = (await Promise.all((options.agents ?? []).map(implementationsIn))).flat();
  await using log = await openReader(directory, systemClock);
  const { events, streams, agents, digest } = replayLog(log, implementations, options.at);
  const isJson = options.json === true;
  if (options.agent !== undefined) {
    const found = agents.find(({ agent }) => agent === options.agent);
    if (found === undefined) throw new CodedError('agent.not_found', `expected an agent ${options.agent}, found none`);
    const { agent, contract, facts, state } = found;
    await shell.out.write(formatFacts({ agent, contract, facts, state: JSON.stringify(state ?? null) }, isJson));
    return;
  }
  const wrong = agents.filter(({ divergence }) => divergence !== undefined);
  const compared = agents.reduce((sum, agent) => sum + agent.compared, 0);
  const trust = formatDigest(trustDigest(fold(log, trustProjection, options.at).state));
  const facts = { events, streams, agents: agents.length, compared, diverged: wrong.length, digest, trust };
  await shell.out.write(formatFacts(facts, isJson));
  const [first] = wrong;
  if (first?.divergence === undefined) return;
  const { index, recorded, folded } = first.divergence;
  throw new CodedError(
    'replay.diverged',
    `expected the state of ${first.agent} at event ${index} to be ${recorded}, folded ${folded}`,
  );
}

/** Everything that a module exports and that is an implementation. */
async function implementationsIn(path: string): Promise<readonly Implementation[]> {
  const module = (await import(pathToFileURL(resolve(path)).href)) as Readonly<Record<string, unknown>>;
  const found = Object.values(module).filter(isImplementation);
  if (found.length > 0) return found;
  throw new CodedError(
    'usage.invalid',
    `--agents: expected a module that exports an implementation, found none in ${path}`,
  );
}

function isImplementation(value: unknown): value is Implementation {
  return typeof value === 'object' && value !== null && 'contract' in value && 'evolve' in value && 'on' in value;
}
