import { expect, test } from 'vitest';
import { concat } from '../runtime/core/bytes.ts';
import { unwrap } from '../runtime/core/result.ts';
import { admit, admitBundle } from './admit.ts';
import { isBundle, sealBundle, splitBundle } from './bundle.ts';
import { sealBatch, splitFrame } from './frame.ts';
import { encodeHead } from './head.ts';
import { sealMessagesAsBundle } from './message.ts';
import { aFrame, aMessage, aWorld, codeOf, NOW, type World } from './world.fixture.ts';

function aBundle(world: World, size: number): Uint8Array {
  const route = { type: 'session', session: world.session.ofA } as const;
  const batch = Array.from({ length: size }, () => ({ message: aMessage(world), route }));
  return sealMessagesAsBundle(batch, world.a, NOW);
}

test('every envelope of a bundle of any size is admitted, in order', () => {
  const world = aWorld('bundles');
  let next = 0;
  for (const size of [1, 2, 3, 7, 64, 256]) {
    const results = admitBundle(aBundle(world, size), NOW, world.b.view());
    const sequences = results.map((result) => unwrap(result, 'admitted').head.sequence);
    expect(sequences).toEqual(Array.from({ length: size }, () => next++));
  }
});

test('a bundle is its frames without their paths: the signature is the same', () => {
  const world = aWorld('same');
  const bundle = unwrap(splitBundle(aBundle(world, 5)), 'a bundle');
  const unsealed = bundle.items.map(({ head, claims, body }) => ({ head: encodeHead(head), claims, body }));
  const frames = sealBatch(unsealed, world.a.pair);
  const [first = new Uint8Array()] = frames;
  expect(unwrap(splitFrame(first), 'a frame').proof.signature).toEqual(bundle.signature);
  expect(frames.map((frame) => admit(frame, NOW, world.b.view()).ok)).toEqual([true, true, true, true, true]);
});

test('a bundle that is replayed is refused, each envelope of it', () => {
  const world = aWorld('replayed');
  const bundle = aBundle(world, 3);
  admitBundle(bundle, NOW, world.b.view());
  expect(admitBundle(bundle, NOW, world.b.view()).map(codeOf)).toEqual(Array(3).fill('envelope.replayed'));
});

test('an envelope that stands in a bundle twice is admitted once', () => {
  const world = aWorld('twice');
  const parts = unwrap(splitFrame(aFrame(world)), 'a frame');
  const item = { head: parts.headBytes, claims: parts.claims, body: parts.body };
  const results = admitBundle(sealBundle([item, item], world.a.pair), NOW, world.b.view());
  expect(results).toMatchObject([{ ok: true }, { error: { code: 'envelope.replayed', authenticated: true } }]);
});

test('a changed bit anywhere admits nothing that was changed, and nothing at all if head or claims were', () => {
  const world = aWorld('bits');
  const bundle = aBundle(world, 2);
  for (let at = 0; at < bundle.length; at += 41) {
    const changed = Uint8Array.from(bundle);
    changed[at] = (changed[at] ?? 0) ^ 4;
    const results = admitBundle(changed, NOW, aWorld('bits').b.view());
    expect(results.every(({ ok }) => ok)).toBe(false);
  }
});

test('what is cut, grown, empty or over the limit is one refusal', () => {
  const world = aWorld('cut');
  const bundle = aBundle(world, 2);
  const cases = [
    bundle.subarray(0, 71),
    bundle.subarray(0, 73),
    bundle.subarray(0, -1),
    concat(bundle, Uint8Array.of(0)),
    Uint8Array.from(bundle).fill(0, 6, 8),
    Uint8Array.from(bundle).fill(9, 4, 5),
    new Uint8Array(2 ** 21),
    new Uint8Array(0),
  ];
  for (const bytes of cases) {
    const results = admitBundle(bytes, NOW, world.b.view());
    expect(results).toMatchObject([{ ok: false, error: { authenticated: false } }]);
  }
  expect([isBundle(bundle), isBundle(aFrame(world)), isBundle(new Uint8Array(0))]).toEqual([true, false, false]);
});
