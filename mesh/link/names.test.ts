import { expect, test } from 'vitest';
import { cidOf } from '../../runtime/codec/cid.ts';
import type { Did } from '../../runtime/codec/did.ts';
import { utf8 } from '../../runtime/core/bytes.ts';
import { seededRandom } from '../../runtime/core/simulation.ts';
import { anAgent, later, NOW, TestNode } from '../world.fixture.ts';
import { digestOf } from './link.fixture.ts';
import { Names, type Place } from './names.ts';

const random = seededRandom('names');
const [one, other] = [anAgent('quote', random).did, anAgent('quote', random).did];
const [here, there] = [new TestNode(random).did, new TestNode(random).did];
const key = new TestNode(random).pair.publicKey;
const nobody = new Names(() => undefined);

function aPlace(agent: Did, over: Partial<Place> = {}): Place {
  const contract = { name: 'quote', digest: digestOf('quote') };
  const certificate = cidOf(utf8('certificate'));
  return { name: 'quote', agent, node: here, key, contract, certificate, issued: NOW, expires: later(1_000), ...over };
}

test('E1: an agent of this node is meant before one of another', () => {
  const names = new Names((name) => (name === 'quote' ? one : undefined));
  expect(names.learn(aPlace(other), NOW)).toEqual({ name: 'quote', kept: one, refused: other, node: here });
  expect(names.learn(aPlace(one), NOW)).toBeUndefined();
  expect([names.find('quote', NOW), names.didOf('quote', NOW)]).toEqual([undefined, one]);
});

test('E2: of two agents elsewhere the first is meant, until its place has ended; a dispute is told once', () => {
  const names = new Names(() => undefined);
  expect(names.learn(aPlace(one), NOW)).toBeUndefined();
  expect(names.learn(aPlace(other, { node: there }), NOW)).toMatchObject({ kept: one, refused: other });
  expect(names.learn(aPlace(other, { node: there }), NOW)).toBeUndefined();
  expect(names.didOf('quote', later(1_000))).toBe(one);
  expect(names.didOf('quote', later(1_001))).toBeUndefined();
  names.learn(aPlace(other, { node: there, expires: later(2_000) }), later(1_001));
  expect(names.didOf('quote', later(1_001))).toBe(other);
});

test('E3: an agent is where its newest certificate says', () => {
  const names = new Names(() => undefined);
  names.learn(aPlace(one, { node: there, issued: later(10) }), NOW);
  names.learn(aPlace(one, { node: here, issued: NOW }), NOW);
  expect(names.find('quote', NOW)?.node).toBe(there);
  names.learn(aPlace(one, { node: here, issued: later(20) }), NOW);
  expect(names.find('quote', NOW)?.node).toBe(here);
});

test('who was at a node that is gone is named, and nobody is there any more', () => {
  const names = new Names(() => undefined);
  names.learn(aPlace(one), NOW);
  expect([names.leave(there), names.leave(here), names.leave(here)]).toEqual([[], ['quote'], []]);
  expect(names.find('quote', NOW)).toBeUndefined();
});

test('a did:mesh has a name, a did:key has none', () => {
  expect([nobody.nameOf(one), nobody.nameOf(one), nobody.nameOf(here)]).toEqual(['quote', 'quote', undefined]);
});
