import { expect, test } from 'vitest';
import { generateKeyPair } from '../runtime/codec/ed25519.ts';
import type { DigestText } from '../runtime/codec/record.ts';
import { ManualClock, seededRandom } from '../runtime/core/simulation.ts';
import { systemClock } from '../runtime/core/system.ts';
import { mailboxContract, SMALL } from './mailbox.contract.ts';
import { MemoryMailboxes } from './mailbox-memory.ts';
import { type NodeToken, nodeToken } from './subject.ts';
import { didOf } from './world.fixture.ts';

const random = seededRandom('mailbox');
const [a, b, c] = [0, 1, 2].map(() => nodeToken(didOf(generateKeyPair(random)))) as [NodeToken, NodeToken, NodeToken];

mailboxContract('in memory', (bounds) => {
  const boxes = new MemoryMailboxes(systemClock, bounds);
  for (const node of [a, b]) boxes.provision(node);
  return Promise.resolve({
    nodes: [a, b, c],
    mailbox: (node) => Promise.resolve(boxes.mailbox(node)),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  });
});

test('a letter that waits too long is forgotten', async () => {
  const clock = new ManualClock();
  const boxes = new MemoryMailboxes(clock, SMALL);
  boxes.provision(b);
  const { signal } = new AbortController();
  await boxes.mailbox(a).leave(b, { id: 'x' as DigestText, bytes: new Uint8Array(1) }, signal);
  clock.advance(SMALL.ageMs);
  const taken = await boxes.mailbox(b).collect(() => Promise.resolve('accepted'), signal);
  expect(taken).toEqual({ accepted: 0, later: 0, refused: 0 });
});
