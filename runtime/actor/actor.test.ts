import { actorContract } from './actor.contract.ts';

actorContract('inline', { hosts: undefined, isIsolated: false });
