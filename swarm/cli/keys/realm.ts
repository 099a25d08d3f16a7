/** `keys realm`: a swarm's realm ahead of its nodes, by whoever has, or is to have, the operator's key. */
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { natsConfig } from '../../../mesh/nats-config.ts';
import { systemClock, systemRandom } from '../../../runtime/core/system.ts';
import { replaceFile } from '../../../runtime/log/durable-file.ts';
import { rootsOf } from '../../file/delegations.ts';
import { planOf } from '../../file/plan.ts';
import { brokerOperators, brokerUsers, provisionRealm, type RealmRoster } from '../../realm/realm-folder.ts';
import { mintRoots } from '../../realm/roots.ts';
import { formatFacts } from '../facts.ts';
import { type BrokerOptions, brokerSettings } from '../nats/broker-options.ts';
import type { Shell } from '../shell.ts';
import { readSwarm } from '../up/read-swarm.ts';

type Options = BrokerOptions & { readonly keys?: string; readonly brokerConfig?: string; readonly json?: boolean };

/** Keeps what is there and adds what is missing, so that it can run before each start of a swarm.
 *  @throws what `readSwarm` does · `realm.*` · `key.*` · `jwt.*` · `usage.invalid` */
export async function makeRealm(shell: Shell, file: string, options: Options): Promise<void> {
  const { keys, brokerConfig, json = false } = options;
  const { swarm, configuration } = await readSwarm(shell, file, keys === undefined ? {} : { keys });
  const settings = brokerConfig === undefined ? undefined : await brokerSettings(shell, options);
  const directory = configuration.keys.value;
  const ports = { clock: systemClock, random: systemRandom };
  const roster = provisionRealm(directory, (known) => planOf(swarm, known), ports);
  const nodes = roster.nodes.map(({ name }) => name);
  const signed = await mintRoots({ directory, roster }, rootsOf(swarm), { nodes, ...ports });
  const written = settings === undefined ? undefined : resolve(brokerConfig ?? '');
  if (settings !== undefined && written !== undefined) await writeConfig(written, settings, roster);
  const agents = roster.nodes.flatMap((node) => node.agents);
  const facts = {
    ...{ realm: roster.realm, directory, operator: roster.operator, nodes, agents: agents.length, signed },
    ...(written === undefined ? {} : { brokerConfig: written }),
  };
  await shell.out.write(formatFacts(json ? { schema: SCHEMA, ...facts } : facts, json));
}

const SCHEMA = 'ringmesh.keys-realm/1';
/** Public keys, for a broker that may be another user. */
const PUBLIC = 0o644;

async function writeConfig(
  path: string,
  settings: Awaited<ReturnType<typeof brokerSettings>>,
  roster: RealmRoster,
): Promise<void> {
  const users = { users: brokerUsers(roster), operators: brokerOperators(roster) };
  const text = natsConfig({ ...settings, realm: roster.realm, ...users });
  if (existsSync(path) && readFileSync(path, 'utf8') === text) return; // a broker that looks at its file is left alone
  await replaceFile(path, text, PUBLIC);
}
