/** Letters with chains, over a real broker: what is left for a node that is away is checked when it is read, as of then. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { NatsLink } from '../../mesh/nats-link.ts';
import { provisionMailbox } from '../../mesh/nats-mailbox.ts';
import { nodeToken } from '../../mesh/subject.ts';
import { bundle } from '../../policies/bundle/bundle.ts';
import { policy } from '../../policies/document/document.ts';
import { contract } from '../../runtime/actor/contract.ts';
import { inlineHosts } from '../../runtime/actor/hosts.ts';
import { implement } from '../../runtime/actor/implement.ts';
import { refTo } from '../../runtime/actor/ref.ts';
import type { Cid } from '../../runtime/codec/cid.ts';
import type { Millis } from '../../runtime/core/brand.ts';
import { systemClock, systemRandom } from '../../runtime/core/system.ts';
import { scratchLog } from '../../runtime/log/scratch-log.fixture.ts';
import { govern } from '../governance.ts';
import { RealmOfTest, recorded, until } from '../realm/mesh-node.fixture.ts';
import { MeshNode } from '../realm/mesh-node.ts';
import { openOperatorLogin, openRealmNode, readRoster } from '../realm/realm-folder.ts';
import { openAuthority } from './open-authority.ts';
import { Operator } from './operator.ts';

const ports = { clock: systemClock, random: systemRandom };
const Desk = contract('desk', {
  messages: {
    put: { in: z.object({ n: z.int() }) },
    pass: { in: z.object({ to: z.string(), n: z.int() }) },
  },
});
const desk = implement(Desk, {
  state: () => ({}),
  evolve: {},
  on: {
    put: () => undefined,
    async pass({ to, n }, ctx) {
      await ctx.tell(refTo(Desk, to)).put({ n }, { retryFor: '10m' });
    },
  },
});
const rules = bundle([
  policy({ name: 'desks', layer: 'org', rules: [{ id: 'words', on: { verb: ['ask', 'tell'] }, effect: 'allow' }] }),
]);

let world: RealmOfTest;
let tools: NatsLink;
let operator: Operator;

beforeAll(async () => {
  world = await RealmOfTest.open(['ann', 'bob', 'cat'], process.env['PATH']);
  operator = Operator.ofRealm(world.folder, ports);
  const { realm, nodes } = readRoster(world.folder);
  const login = openOperatorLogin(world.folder);
  tools = await NatsLink.open(
    { servers: [world.broker.url], name: 'tools', ...ports, login },
    AbortSignal.timeout(10_000),
  );
  for (const { did } of nodes) {
    if (tools.connection === undefined) throw new Error('expected a connection');
    await provisionMailbox(tools.connection, { realm, node: nodeToken(did) });
  }
}, 60_000);

afterAll(async () => {
  await tools?.[Symbol.asyncDispose]();
  await world?.[Symbol.asyncDispose]();
});

/** A life of a node. `before`: what its authority hears before anything else happens. */
async function aNode(name: string, before?: Uint8Array) {
  const disk = await scratchLog();
  const log = await disk.open();
  const realm = openRealmNode(world.folder, name);
  const authority = await openAuthority(realm, { log, ...ports });
  if (before !== undefined) authority.revoke(before);
  const governance = govern({ log, ...ports, bundle: () => rules, authority });
  const node = await MeshNode.open(
    {
      ...{ log, governance, authority, realm, servers: [world.broker.url], ...ports, beatEveryMs: 100 },
      ...{ contracts: [Desk], contractOf: () => Desk, hosts: inlineHosts([desk]) },
      ...{ mailboxes: true, awayMs: 200 },
    },
    new AbortController().signal,
  );
  const self = await node.agents.spawn(Desk, `clerk/${name}`);
  const stop = async (): Promise<void> => {
    await node.drain(1_000);
    await governance.recorded();
    await log[Symbol.asyncDispose]();
    await disk[Symbol.asyncDispose]();
  };
  return { node, log, authority, tell: node.agents.tell(self), stop };
}

async function lettersFor(name: string): Promise<number> {
  const did = readRoster(world.folder).nodes.find((node) => node.name === name)?.did;
  if (did === undefined) throw new Error(`expected a node ${name}`);
  const answer = await tools.connection?.request(`$JS.API.STREAM.INFO.mailbox-${nodeToken(did)}`, '');
  return answer?.json<{ readonly state: { readonly messages: number } }>().state.messages ?? 0;
}

/** Ann's clerk tells one that is away; ann is gone before it returns. The root of the chain that the letter names. */
async function aLetterFor(name: string): Promise<Cid> {
  const ann = await aNode('ann');
  const expires = (systemClock.now() + 3_600_000) as Millis;
  const given = { command: '/desk/put', expires, depth: 0, budget: { calls: 1 } };
  const clerk = ann.authority.didOf('clerk/ann');
  if (clerk === undefined) throw new Error('expected a clerk');
  const { token, delegation } = await operator.grant(clerk, given);
  await ann.authority.learn([token]);
  await ann.tell.pass({ to: `clerk/${name}`, n: 7 });
  await until('a letter is left', async () => (await lettersFor(name)) === 1);
  await ann.stop();
  return delegation;
}

describe('a letter that names a chain', () => {
  test('shows it, is accepted under it by a node that knew nothing of it, and pays', async () => {
    const delegation = await aLetterFor('bob');
    const bob = await aNode('bob');
    await until('bob has it', () => recorded(bob.log, 'message.accepted').length > 0);
    expect(recorded(bob.log, 'message.accepted')).toMatchObject([{ name: 'put', body: { n: 7 }, from: 'clerk/ann' }]);
    expect(recorded(bob.log, 'delegation.granted')).toMatchObject([{ delegation }]);
    expect(recorded(bob.log, 'budget.debited')).toMatchObject([{ delegations: [delegation], amount: { calls: 1 } }]);
    await until('the letter is given up', async () => (await lettersFor('bob')) === 0);
    await bob.stop();
  }, 60_000);

  test('is refused, on record, where that was taken back while it lay there', async () => {
    const delegation = await aLetterFor('cat');
    const cat = await aNode('cat', operator.revocation(delegation, 'no longer'));
    await until('cat has looked', () => recorded(cat.log, 'message.refused').length > 0);
    expect(recorded(cat.log, 'message.refused')).toMatchObject([{ code: expect.stringMatching(/^delegation\./) }]);
    expect(recorded(cat.log, 'message.accepted')).toEqual([]);
    await until('the letter is given up', async () => (await lettersFor('cat')) === 0);
    await cat.stop();
  }, 60_000);
});
