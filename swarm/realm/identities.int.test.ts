/** What the cards of a node's agents say, signed with keys on disk. */
import { mkdtempDisposableSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { readCard } from '../../mesh/agent-card.ts';
import { contract } from '../../runtime/actor/contract.ts';
import { unwrap } from '../../runtime/core/result.ts';
import { ManualClock, seededRandom } from '../../runtime/core/simulation.ts';
import { FolderIdentities } from './identities.ts';
import { openRealmNode, provisionRealm } from './realm-folder.ts';

const messages = { look: { in: z.object({}) }, payNow: { in: z.object({}), risk: 3 } } as const;
const Open = contract('open', { messages });
const Shy = contract('shy', { messages, needs: { trust: 700, ring: 1 } });
const contractOf = (agent: string) => (agent === 'open' ? Open : agent === 'shy' ? Shy : undefined);

test('a card names the contract by its digest, its messages, and the trust that callers need', () => {
  using at = mkdtempDisposableSync(join(tmpdir(), 'ringmesh-identities-'));
  const ports = { clock: new ManualClock(), random: seededRandom('cards') };
  provisionRealm(at.path, { realm: 'cards', nodes: [{ name: 'one', agents: ['open', 'shy', 'mute'] }] }, ports);
  const identities = new FolderIdentities(openRealmNode(at.path, 'one').agents, contractOf, ports.clock);
  const cardOf = (agent: string) => unwrap(readCard(identities.cardOf(agent)), 'our own card').value;

  const offered = [
    { name: 'look', description: 'look' },
    { name: 'pay-now', description: 'payNow' },
  ];
  expect(cardOf('open')).toMatchObject({
    agent: identities.didOf('open'),
    contracts: [{ name: 'open', digest: Open.digest, messages: offered }],
    needs: {},
  });
  expect(cardOf('shy')).toMatchObject({
    agent: identities.didOf('shy'),
    contracts: [{ name: 'shy', digest: Shy.digest, messages: offered }],
    needs: { trust: 700 },
  });
  expect(cardOf('mute')).toMatchObject({ contracts: [], needs: {} });
});
