/**
 * The swarm of an audit: `swarm.yaml`, with what the command line says instead. The file stands for itself (`ringmesh up`);
 * here are the number of researchers, who shares a process, and the rogue, which no file should have.
 */
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { type Configuration, configure, type Flags, parseSwarm, type SwarmFile } from 'ringmesh';
import { formatFault } from 'ringmesh/policies';
import { CodedError } from 'ringmesh/runtime';
import { ROGUE } from './contracts.ts';
import type { AuditOptions } from './options.ts';
import type { RegistrySettings } from './tools.ts';

export const SWARM_FILE = fileURLToPath(new URL('./swarm.yaml', import.meta.url));

/** What is said about the registry's patience, instead of what the file says. */
export type Patience = Partial<Pick<RegistrySettings, 'rate' | 'burst' | 'backoff' | 'timeout'>>;

export type AuditSwarm = { readonly file: SwarmFile; readonly configuration: Configuration };

/** @throws {CodedError} `swarm.*` · `config.*` */
export async function auditSwarm(
  options: AuditOptions,
  { patience = {}, policy }: { readonly patience?: Patience | undefined; readonly policy?: string | undefined } = {},
): Promise<AuditSwarm> {
  const parsed = parseSwarm(await readFile(SWARM_FILE, 'utf8'), { file: SWARM_FILE, cwd: '/' });
  if (!parsed.ok) throw new CodedError('audit.bad_swarm', parsed.error.map(formatFault).join('\n'));
  const file = fitted(parsed.value, options, policy);
  // What the environment says is for `ringmesh up`: this command's options are all that it knows.
  const configuration = configure(file, flagsOf(options, patience), { env: {}, cwd: '/', home: homedir() });
  return { file, configuration };
}

/** The realm's folder of keys. An agent stays at its node, so one node and several are two realms. */
export function realmOf({ log, nodes }: Pick<AuditOptions, 'log' | 'nodes'>): string {
  return nodes === 1 ? `${log}-realm` : `${log}-nodes-realm`;
}

/** For `ringmesh up`, too. */
export function settingsOf({ lock, out }: AuditOptions, patience: Patience): readonly string[] {
  const told = Object.entries(patience).map(([name, value]) => `${name}=${value}`);
  return [`lock=${lock}`, `out=${out}`, ...told];
}

function flagsOf(options: AuditOptions, patience: Patience): Flags {
  const { log, anchors: anchor, broker = 'spawn' } = options;
  const flags = { log, anchor, keys: realmOf(options), set: settingsOf(options, patience) };
  return options.nodes === 1 ? flags : { ...flags, only: 'coordinator', broker };
}

/** One node has just as many researchers as are asked for; of several, the first has the coordinator and the reporter. The
 *  rogue is where the coordinator is. */
function fitted(file: SwarmFile, options: AuditOptions, policy: string | undefined): SwarmFile {
  const { researchers, nodes, withRogue } = options;
  const isAlone = nodes === 1;
  const agents = isAlone ? file.agents.map((one) => (one.count ? { ...one, count: researchers } : one)) : file.agents;
  const { coordinator, reporter, researcher } = file.roles ?? {};
  if (!(coordinator && reporter && researcher)) throw new Error('expected three roles in the swarm file');
  const rogue = { agents: withRogue ? [ROGUE] : [], tools: withRogue ? ['registry'] : [] };
  const first = [coordinator, ...(isAlone ? [] : [reporter]), rogue];
  const tools = first.flatMap((role) => role.tools ?? []);
  const roles = {
    coordinator: { agents: first.flatMap((role) => role.agents), tools },
    ...(isAlone ? { reporter } : {}),
    researcher: { ...researcher, replicas: isAlone ? 1 : nodes - 1 },
  };
  return {
    ...file,
    agents: withRogue ? [...agents, rogueLike(agents)] : agents,
    roles,
    ...(policy === undefined ? {} : { policies: [policy] }),
  };
}

/** The operator answers for it as for a researcher. It is started when it was given what it goes beyond. */
function rogueLike(agents: SwarmFile['agents']): SwarmFile['agents'][number] {
  const [like] = agents.filter(({ count }) => count !== undefined);
  return {
    name: ROGUE,
    spawned: true,
    contract: { module: './contracts.ts', export: 'Rogue' },
    module: './rogue.ts',
    export: 'rogue',
    endorsement: like?.endorsement,
  };
}
