/** Nodes of a realm whose desks give one another what they have, and write under it: an authority, gates, a broker, disks. */
import { z } from 'zod';
import { bundle } from '../../policies/bundle/bundle.ts';
import { policy } from '../../policies/document/document.ts';
import { contract } from '../../runtime/actor/contract.ts';
import { delegate } from '../../runtime/actor/delegate-tool.ts';
import { inlineHosts } from '../../runtime/actor/hosts.ts';
import { implement } from '../../runtime/actor/implement.ts';
import { refTo } from '../../runtime/actor/ref.ts';
import { provide, tool } from '../../runtime/actor/tool.ts';
import type { Millis } from '../../runtime/core/brand.ts';
import { systemClock, systemRandom } from '../../runtime/core/system.ts';
import type { scratchLog } from '../../runtime/log/scratch-log.fixture.ts';
import { govern } from '../governance.ts';
import type { RealmOfTest } from '../realm/mesh-node.fixture.ts';
import { MeshNode } from '../realm/mesh-node.ts';
import { openRealmNode } from '../realm/realm-folder.ts';
import type { NodeAuthority } from './node-authority.ts';
import { openAuthority } from './open-authority.ts';

export const HOUR_MS = 3_600_000;
export const ports = { clock: systemClock, random: systemRandom };

const send = tool('mail.send', { in: z.object({ to: z.string() }), out: z.null(), effect: 'idempotent' });
const Outcome = z.object({ type: z.string(), code: z.string().nullable(), delegation: z.string().nullable() });

const Desk = contract('desk', {
  messages: {
    give: { in: z.object({ to: z.string(), command: z.string(), names: z.array(z.string()) }), out: Outcome },
    pass: { in: z.object({ to: z.string(), name: z.string() }), out: Outcome, within: '20s' },
    write: { in: z.object({ name: z.string() }), out: Outcome, within: '20s' },
  },
  uses: { send, delegate },
  needs: { trust: 300 },
});

const seen = (outcome: { readonly type: string; readonly code?: string }, delegation: string | null = null) => ({
  type: outcome.type,
  code: outcome.code ?? null,
  delegation,
});

const desk = implement(Desk, {
  state: () => ({}),
  evolve: {},
  on: {
    async give({ to, command, names }, ctx) {
      const where = names.length === 0 ? [] : [{ arg: 'to', is: 'in' as const, value: names }];
      const given = await ctx.use.delegate({ to, command, where, forMs: HOUR_MS });
      return seen(given, given.type === 'ok' ? given.value.delegation : null);
    },
    async pass({ to, name }, ctx) {
      const answer = await ctx.ask(refTo(Desk, to)).write({ name }, { within: '10s' });
      return answer.type === 'ok' ? answer.value : seen(answer);
    },
    async write({ name }, ctx) {
      return seen(await ctx.use.send({ to: name }));
    },
  },
});

const rules = bundle([
  policy({
    name: 'desks',
    layer: 'org',
    tools: {
      'mail.send': { effects: ['write'], reversibility: 'reversible' },
      'authority.delegate': { effects: ['write'], reversibility: 'reversible' },
    },
    rules: [
      { id: 'tools', on: { verb: 'use' }, effect: 'allow' },
      { id: 'words', on: { verb: ['ask', 'tell'] }, effect: 'allow' },
    ],
  }),
]);

/** A life of a node. Without an authority nothing of its agents names a chain. */
export async function aDeskNode(
  world: RealmOfTest,
  name: string,
  disk: Awaited<ReturnType<typeof scratchLog>>,
  has = { authority: true },
) {
  const log = await disk.open();
  const realm = openRealmNode(world.folder, name);
  const authority = has.authority ? await openAuthority(realm, { log, ...ports }) : undefined;
  const expiresAt = (systemClock.now() + HOUR_MS) as Millis;
  const endorsements = ['clerk/ann', 'clerk/bob'].map(
    (agent) => ({ agent, ring: 2, trustFloor: 650, expiresAt }) as const,
  );
  const optional = authority === undefined ? {} : { authority };
  const governance = govern({ log, ...ports, bundle: () => rules, endorsements, ...optional });
  await governance.recorded();
  const sent: string[] = [];
  const node = await MeshNode.open(
    {
      ...{ log, governance, realm, servers: [world.broker.url], ...ports, ...optional, beatEveryMs: 100 },
      ...{ contracts: [Desk], contractOf: () => Desk, hosts: inlineHosts([desk]) },
      tools: [
        provide(send, ({ to }) => {
          sent.push(to);
          return null;
        }),
      ],
    },
    new AbortController().signal,
  );
  const self = await node.agents.spawn(Desk, `clerk/${name}`);
  const stop = async (): Promise<void> => {
    await node.drain(1_000);
    await governance.recorded();
    await log[Symbol.asyncDispose]();
  };
  return { node, log, governance, sent, stop, ask: node.agents.ask(self), authority: authority as NodeAuthority };
}

export type DeskNode = Awaited<ReturnType<typeof aDeskNode>>;
