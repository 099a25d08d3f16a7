/** The other process of the mesh benchmark: `node mesh-peer.ts JSON`, until its channel closes. */
import { connect } from 'nats';
import { Echo } from './mesh.fixture.ts';
import { openBare } from './mesh-bare.ts';
import { cpuMs, openPeer, type PeerTask, untilClosed } from './mesh-node.ts';

const task = JSON.parse(process.argv[2] ?? '') as PeerTask;
process.on('message', () => process.send?.(cpuMs()));
const alive = setInterval(() => undefined, 60_000);
if (task.kind === 'plain') {
  const nc = await connect({ servers: [...task.servers] });
  const subscription = nc.subscribe('echo');
  await nc.flush();
  process.send?.('ready');
  void (async () => {
    for await (const message of subscription) message.respond(message.data);
  })();
  await untilClosed();
  await nc.close();
} else if (task.kind === 'bare') {
  const { close } = await openBare(task);
  process.send?.('ready');
  await untilClosed();
  await close();
} else {
  const { node, close } = await openPeer(task);
  for (const name of task.agents) await node.agents.spawn(Echo, name);
  process.send?.('ready');
  await untilClosed();
  await close();
}
clearInterval(alive);
