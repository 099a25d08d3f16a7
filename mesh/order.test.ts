import { expect, test } from 'vitest';
import { generateKeyPair, type KeyPair } from '../runtime/codec/ed25519.ts';
import type { Millis } from '../runtime/core/brand.ts';
import { utf8 } from '../runtime/core/bytes.ts';
import { ManualClock, seededRandom } from '../runtime/core/simulation.ts';
import { newEventId } from '../runtime/kernel/event-id.ts';
import { writeDeath } from './death.ts';
import { ORDER_MS, type Order, readOrder, readReport, writeOrder, writeReport } from './order.ts';
import { nodeToken } from './subject.ts';
import { codeOf, didOf, later, NOW } from './world.fixture.ts';

const random = seededRandom('orders');
const [operator, other, node, neighbour] = Array.from({ length: 4 }, () => generateKeyPair(random)) as [
  KeyPair,
  KeyPair,
  KeyPair,
  KeyPair,
];
const view = { realm: 'acme', node: didOf(node), operators: new Set([didOf(operator)]) };

function anOrder(over: Partial<Order> = {}): Order {
  const id = newEventId(new ManualClock(), random);
  const [by, to] = [didOf(operator), didOf(node)];
  return {
    action: 'kill',
    agent: 'desk',
    at: NOW,
    by,
    expires: later(ORDER_MS),
    id,
    node: to,
    realm: 'acme',
    why: 'x',
    ...over,
  };
}

test('an operator’s order to this node is read, by the content id under which it was written', () => {
  const written = writeOrder(anOrder(), operator);
  const read = readOrder(written.bytes, NOW, view, nodeToken(didOf(operator)));
  expect(read.ok && [read.value.cid, read.value.value.agent]).toEqual([written.cid, 'desk']);
});

test.each<[string, Partial<Order>, KeyPair, KeyPair, Millis, string]>([
  ['of another operator', { by: didOf(other) }, other, other, NOW, 'order.not_operator'],
  ['of this node itself', { by: didOf(node) }, node, node, NOW, 'order.not_operator'],
  ['in the operator’s name by a node', {}, node, operator, NOW, 'order.wrong_key'],
  ['of the operator, carried by a node', {}, operator, node, NOW, 'order.wrong_carrier'],
  ['for another realm', { realm: 'other' }, operator, operator, NOW, 'order.other_realm'],
  ['for another node', { node: didOf(neighbour) }, operator, operator, NOW, 'order.misdirected'],
  ['that is over', {}, operator, operator, later(ORDER_MS + 1), 'order.expired'],
  ['of the future', {}, operator, operator, later(-2_001), 'order.future'],
  ['for a year', { expires: later(365 * 86_400_000) }, operator, operator, NOW, 'order.too_long'],
  ['to revoke nothing', { action: 'revoke' }, operator, operator, NOW, 'order.no_statement'],
  ['that ends before it begins', { at: later(1_000), expires: later(500) }, operator, operator, NOW, 'order.too_long'],
])('attack: an order %s is refused', (...[, over, signer, carrier, at, code]) => {
  const { bytes } = writeOrder(anOrder(over), signer);
  expect(codeOf(readOrder(bytes, at, view, nodeToken(didOf(carrier))))).toBe(code);
});

test('attack: what is no order, or one that was changed, is refused and blames nobody', () => {
  const carrier = nodeToken(didOf(operator));
  const { bytes } = writeOrder(anOrder(), operator);
  const payload = Buffer.from(JSON.stringify({ ...anOrder(), agent: 'quote' })).toString('base64url');
  const changed = Buffer.from(bytes)
    .toString()
    .replace(/"payload":"[^"]*"/, `"payload":"${payload}"`);
  const death = { at: NOW, by: didOf(operator), cause: 'killed', epoch: 'AAAAAAAAAAA', node: didOf(node) } as const;
  for (const said of [utf8(''), utf8('{}'), utf8(changed), new Uint8Array(100_000), writeDeath(death, operator)]) {
    const read = readOrder(said, NOW, view, carrier);
    expect(!read.ok && [read.error.from, read.error.order]).toEqual([undefined, undefined]);
  }
});

test('attack: a report counts from the node that was ordered, about that order, and no other way', () => {
  const { cid } = writeOrder(anOrder(), operator);
  const second = writeOrder(anOrder({ action: 'resume' }), operator);
  const by = didOf(node);
  const report = { at: NOW, by, detail: 'ended: desk', order: cid, outcome: 'done' } as const;
  const asked = { node: by, order: cid, carriedFrom: nodeToken(by) };
  expect(readReport(writeReport(report, node), asked)).toMatchObject({ ok: true, value: { outcome: 'done' } });
  expect(codeOf(readReport(writeReport(report, neighbour), asked))).toBe('report.wrong_key');
  const own = writeReport({ ...report, by: didOf(neighbour) }, neighbour);
  expect(codeOf(readReport(own, asked))).toBe('report.wrong_key');
  const borrowed = { ...asked, carriedFrom: nodeToken(didOf(neighbour)) };
  expect(codeOf(readReport(writeReport(report, node), borrowed))).toBe('report.wrong_key');
  expect(codeOf(readReport(writeReport({ ...report, order: second.cid }, node), asked))).toBe('report.other_order');
});
