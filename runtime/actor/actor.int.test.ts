import { actorContract } from './actor.contract.ts';
import { childHosts } from './child-hosts.ts';

const modules = { counter: { module: import.meta.resolve('./agents.fixture.ts'), name: 'counter' } };

actorContract('in a child process', { hosts: () => childHosts({ modules }), isIsolated: true });
