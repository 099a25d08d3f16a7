/** `ringmesh`: what a swarm is put together from. */

export type { Endorsement, Ring } from '../runtime/kernel/ring.ts';
// Authority: what agents were given, what was taken back, how far they are trusted
export { NodeAuthority, type NodeAuthorityParts } from './authority/node-authority.ts';
export { openAuthority } from './authority/open-authority.ts';
export { Operator, type RootGrant } from './authority/operator.ts';
// A broker for the nodes of this machine
export { type BrokerBinary, findBroker } from './broker/find-broker.ts';
export { type Broker, type SpawnOptions, spawnBroker } from './broker/spawn-broker.ts';
// Whether the logs of several nodes agree
export type { CrossReport, Disagreement } from './cross-check/cross-check.ts';
export { crossCheckLogs } from './cross-check/cross-check-logs.ts';
// Swarms from files: read one, say how it runs, open it
export {
  type Configuration,
  type Configured,
  configure,
  type Flags,
  type Origin,
  type SettingValue,
  type Surroundings,
} from './file/configuration.ts';
export { planOf } from './file/plan.ts';
export { parseSwarm, type SwarmFile } from './file/swarm-file.ts';
// Governance: rings, rates and rules before every act
export { type Governance, type GovernanceParts, govern } from './governance.ts';
// A realm of several nodes
export { MeshNode, type MeshNodeParts } from './realm/mesh-node.ts';
export {
  brokerOperators,
  brokerUsers,
  openRealmNode,
  provisionRealm,
  type RealmNode,
  type RealmPlan,
  type RealmRoster,
} from './realm/realm-folder.ts';
// A swarm that runs, and what is told of it
export type { Place, StepName, SwarmPorts } from './up/made.ts';
export { openSwarm, type Swarm } from './up/open-swarm.ts';
export type { StepNews } from './up/sequence.ts';
export type { Answer } from './up/start-node.ts';
export type { EndingFact } from './up/until-over.ts';
