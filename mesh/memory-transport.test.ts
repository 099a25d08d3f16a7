import { expect, test } from 'vitest';
import { generateKeyPair } from '../runtime/codec/ed25519.ts';
import { utf8 } from '../runtime/core/bytes.ts';
import { seededRandom } from '../runtime/core/simulation.ts';
import { hopContract } from './hop.contract.ts';
import { ARRIVALS_MAX } from './limits.ts';
import { MemoryCarrier } from './memory-transport.ts';
import { nodeToken } from './subject.ts';
import { collect, transportContract } from './transport.contract.ts';
import { didOf, TestNode } from './world.fixture.ts';

const random = seededRandom('carrier');
const nodes = [didOf(generateKeyPair(random)), didOf(generateKeyPair(random)), didOf(generateKeyPair(random))] as const;
const [a, b] = nodes.map(nodeToken) as [ReturnType<typeof nodeToken>, ReturnType<typeof nodeToken>];

transportContract('in memory', () => {
  const carrier = new MemoryCarrier();
  return Promise.resolve({
    nodes,
    attach: (node) => Promise.resolve(carrier.attach(nodeToken(node))),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  });
});

hopContract('in memory', () => {
  const carrier = new MemoryCarrier();
  const pair = [new TestNode(random), new TestNode(random)] as const;
  const transports = [carrier.attach(nodeToken(pair[0].did)), carrier.attach(nodeToken(pair[1].did))] as const;
  return Promise.resolve({ nodes: pair, transports, [Symbol.asyncDispose]: () => Promise.resolve() });
});

test('a carrier told to lose or double messages does so, silently', async () => {
  const carrier = new MemoryCarrier();
  const [from, to] = [carrier.attach(a), carrier.attach(b)];
  const verdicts = ['drop', 'deliver twice', 'deliver'] as const;
  carrier.fault = ({ bytes }) => verdicts[bytes.length] ?? 'deliver';
  for (const length of [0, 1, 2]) from.send('tell', b, new Uint8Array(length));
  await from.flush(new AbortController().signal);
  await to[Symbol.asyncDispose]();
  const arrivals = (await collect(to.arrivals(new AbortController().signal))).flat();
  expect(arrivals.map((arrival) => (arrival.type === 'message' ? arrival.bytes.length : -1))).toEqual([1, 1, 2]);
});

test('what nobody fetches is bounded, dropped and counted', async () => {
  const carrier = new MemoryCarrier();
  const [from, to] = [carrier.attach(a), carrier.attach(b)];
  for (let n = 0; n < ARRIVALS_MAX + 5; n++) from.send('tell', b, utf8('x'));
  await from.flush(new AbortController().signal);
  expect(to.dropped).toBe(5);
});
