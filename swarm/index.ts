/** `ringmesh`: what a swarm is put together from. */

export type { Endorsement, Ring } from '../runtime/kernel/ring.ts';
// Governance: rings, rates and rules before every act
export { type Governance, type GovernanceParts, govern } from './governance.ts';
