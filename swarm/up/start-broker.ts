/** How the nodes of a realm reach one another. */
import { CodedError } from '../../runtime/core/errors.ts';
import { findBroker } from '../broker/find-broker.ts';
import { spawnBroker } from '../broker/spawn-broker.ts';
import type { Configuration } from '../file/configuration.ts';
import { brokerOperators, brokerUsers } from '../realm/realm-folder.ts';
import type { Made, Opening } from './made.ts';
import type { Started } from './sequence.ts';

/** The broker of the realm; one node alone needs none.
 *  @throws {CodedError} `swarm.no_broker` · `broker.*` */
export async function startBroker(
  made: Made,
  { configuration, ports, signal }: Opening & { readonly configuration: Configuration },
): Promise<Started> {
  const { only, broker } = configuration;
  const { realm } = made;
  if (only.value === null || realm === undefined) return { detail: 'not needed by one node' };
  if (broker.value === 'none') {
    throw new CodedError('swarm.no_broker', `expected a broker for ${only.value}: --broker host:port, or spawn`);
  }
  if (broker.value !== 'spawn') {
    made.servers = [broker.value];
    return { detail: broker.value };
  }
  const binary = await findBroker(ports.searchPath);
  const { roster } = realm;
  const users = { users: brokerUsers(roster), operators: brokerOperators(roster) };
  const spawned = await spawnBroker({ binary, realm: roster.realm, ...users }, ports.clock, signal);
  made.servers = [spawned.url];
  return {
    detail: `${spawned.url}, nats-server ${spawned.version}, for this run`,
    stop: async () => spawned[Symbol.asyncDispose](),
  };
}
