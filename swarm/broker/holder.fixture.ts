/** A process that holds a broker, tells of it in one line, and waits to be killed. */
import { parseRealm } from '../../mesh/subject.ts';
import { unwrap } from '../../runtime/core/result.ts';
import { systemClock } from '../../runtime/core/system.ts';
import { spawnBroker } from './spawn-broker.ts';

// biome-ignore lint/style/noRestrictedGlobals: the entry of a process of its own, which is all there is of it.
const { argv, stdout } = process;
const [, , path = '', version = ''] = argv;
const options = { binary: { path, version }, realm: unwrap(parseRealm('acme'), 'a realm'), users: [] };
const broker = await spawnBroker(options, systemClock, new AbortController().signal);
stdout.write(`${JSON.stringify({ pid: broker.pid, url: broker.url })}\n`);
await broker.ended;
