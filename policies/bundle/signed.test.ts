import { describe, expect, test } from 'vitest';
import { generateKeyPair } from '../../runtime/codec/ed25519.ts';
import type { Millis } from '../../runtime/core/brand.ts';
import { concat, utf8 } from '../../runtime/core/bytes.ts';
import type { Clock } from '../../runtime/core/clock.ts';
import { unwrap } from '../../runtime/core/result.ts';
import { seededRandom } from '../../runtime/core/simulation.ts';
import { nextTurn } from '../../runtime/core/system.ts';
import { policy } from '../document/document.ts';
import { request, rules, TOOLS } from '../policy.fixture.ts';
import { bundle } from './bundle.ts';
import { BundleHolder } from './bundle-holder.ts';
import { decide } from './decide.ts';
import { openBundle, signBundle } from './signed.ts';

const random = seededRandom('keys');
const [ann, ben, eve] = [generateKeyPair(random), generateKeyPair(random), generateKeyPair(random)];
const keys = new Map([
  ['ann', ann.publicKey],
  ['ben', ben.publicKey],
]);
const OPEN = rules('- { id: all, on: any, effect: allow }');
const version = (n: number) => bundle(OPEN.documents, { version: n });
const file = signBundle(version(3), new Map([['ann', ann]]));
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('utf8');

describe('a signed bundle', () => {
  test('opens as the bundle that was signed', () => {
    const opened = unwrap(openBundle(file, keys), 'a good file');

    expect(opened.digest).toBe(version(3).digest);
    expect(opened.version).toBe(3);
    expect([...opened.tools.keys()]).toEqual([...OPEN.tools.keys()]);
  });

  test('S1: is refused with any byte changed, and never throws', () => {
    for (let at = 0; at < file.length; at += 7) {
      const bent = Uint8Array.from(file);
      bent[at] = (bent[at] ?? 0) ^ 1;
      expect(openBundle(bent, keys).ok).toBe(false);
    }
    for (let length = 0; length < file.length; length += 50)
      expect(openBundle(file.subarray(0, length), keys).ok).toBe(false);
  });

  test('is refused without a known key, and a known key cannot be borrowed', () => {
    const byEve = signBundle(version(3), new Map([['eve', eve]]));
    const asAnn = signBundle(version(3), new Map([['ann', eve]]));
    const both = signBundle(
      version(3),
      new Map([
        ['ben', ben],
        ['ann', eve],
      ]),
    );

    expect(openBundle(byEve, keys)).toMatchObject({ error: { code: 'policy.bundle_unsigned' } });
    expect(openBundle(asAnn, keys)).toMatchObject({ error: { code: 'policy.bundle_bad_signature' } });
    expect(openBundle(both, keys)).toMatchObject({ error: { code: 'policy.bundle_bad_signature' } });
  });

  test('S2: a key counts once towards a quorum', () => {
    const [line = ''] = text(file).split('\n');
    const twice = concat(utf8(`${line}\n`), file);
    const two = signBundle(
      version(3),
      new Map([
        ['ann', ann],
        ['ben', ben],
      ]),
    );

    expect(openBundle(twice, keys, 2)).toMatchObject({ error: { code: 'policy.bundle_unsigned' } });
    expect(openBundle(two, keys, 2).ok).toBe(true);
    expect(openBundle(file, keys, 0).ok).toBe(true);
    expect(openBundle(concat(utf8('\n'), version(3).bytes), keys, 0).ok).toBe(false);
  });

  test.each([
    ['not in canonical form', (body: string) => ` ${body}`],
    ['of another format', (body: string) => body.replace('ringmesh.bundle/v1', 'ringmesh.bundle/v2')],
    ['with a fault in a document', (body: string) => body.replace('"effect":"allow"', '"effect":"alolw"')],
    ['with a version that is none', (body: string) => body.replace('"version":3', '"version":0')],
  ])('is refused where what was signed is %s', (_, bend) => {
    const body = utf8(bend(text(version(3).bytes)));
    const signed = signBundle({ ...version(3), bytes: body }, new Map([['ann', ann]]));

    expect(openBundle(signed, keys)).toMatchObject({ error: { code: 'policy.bundle_malformed' } });
  });
});

describe('the bundle in force', () => {
  test('H1: is replaced whole, once its activation is on record', () => {
    const holder = new BundleHolder(version(1));
    const before = holder.current;
    const loaded = unwrap(holder.load(file, { keys }), 'a good file');

    expect(holder.current).toBe(before);
    expect(loaded.event).toEqual({
      type: 'policy.activated',
      digest: version(3).digest,
      version: 3,
      replaced: version(1).digest,
    });
    expect(loaded.activate()).toBe(true);
    expect(holder.current?.digest).toBe(version(3).digest);
    expect(loaded.activate()).toBe(false);
  });

  test('H2: stays when another cannot be opened, and says so', () => {
    const holder = new BundleHolder(version(1));

    expect(holder.load(file.subarray(1), { keys })).toMatchObject({
      error: { type: 'policy.rejected', code: 'policy.bundle_malformed', kept: version(1).digest },
    });
    expect(holder.current?.version).toBe(1);
    expect(holder.fault).toMatchObject({ code: 'policy.bundle_malformed' });
    unwrap(holder.load(file, { keys }), 'a good file').activate();
    expect(holder.fault).toBeUndefined();
  });

  test('H3: does not go back by itself', () => {
    const holder = new BundleHolder(version(4));

    expect(holder.load(file, { keys })).toMatchObject({ error: { code: 'policy.bundle_older' } });
    expect(holder.load(file, { keys, rollback: true }).ok).toBe(true);
    expect(new BundleHolder().load(file, { keys }).ok).toBe(true);
  });

  test('of two that were loaded at once, the second changes nothing', () => {
    const holder = new BundleHolder(version(1));
    const [first, second] = [unwrap(holder.load(file, { keys }), 'good'), unwrap(holder.load(file, { keys }), 'good')];

    expect([first.activate(), second.activate()]).toEqual([true, false]);
  });

  describe('H4: while another is opened in slices', () => {
    // A clock that says that each step took long, so that there is a pause after every one.
    const slow = (): Clock => {
      let at = 0;
      return { now: () => at as Millis, monotonicMs: () => (at += 10), after: () => ({ [Symbol.dispose]() {} }) };
    };
    const live = new AbortController().signal;
    const many = (version: number) =>
      signBundle(
        bundle(
          [
            TOOLS,
            policy({
              name: 'many',
              layer: 'org',
              rules: Array.from({ length: 200 }, (_, n) => ({
                id: `r${n}`,
                on: 'any' as const,
                effect: 'deny' as const,
              })),
            }),
          ],
          { version },
        ),
        new Map([['ann', ann]]),
      );

    test('decisions go on under the old one, and nothing of the new one is in force before it is whole', async () => {
      const before = rules('- { id: all, on: any, effect: allow }');
      const holder = new BundleHolder(before);
      let isOpen = false;
      const opening = holder.open(many(3), { keys, clock: slow() }, live).then((loaded) => {
        isOpen = true;
        return unwrap(loaded, 'a good file');
      });

      let decided = 0;
      while (!isOpen) {
        expect(decide(holder.current, request())).toMatchObject({ verdict: 'allow', bundle: before.digest });
        decided++;
        await nextTurn();
      }
      const loaded = await opening;

      expect(decided).toBeGreaterThan(200);
      expect(decide(holder.current, request()).verdict).toBe('allow');
      expect(loaded.activate()).toBe(true);
      expect(decide(holder.current, request()).verdict).toBe('deny');
    });

    test('what is opened at once and in slices is the same', async () => {
      const sliced = unwrap(await new BundleHolder().open(many(3), { keys, clock: slow() }, live), 'a good file');
      const whole = unwrap(openBundle(many(3), keys), 'a good file');

      expect(sliced.bundle.digest).toBe(whole.digest);
      expect(sliced.bundle.clauses.map(({ ref }) => ref)).toEqual(whole.clauses.map(({ ref }) => ref));
    });

    test('a later one that is there first is not replaced', async () => {
      const holder = new BundleHolder(version(1));
      const opening = holder.open(many(3), { keys, clock: slow() }, live);
      unwrap(holder.load(signBundle(version(4), new Map([['ann', ann]])), { keys }), 'a good file').activate();

      expect(await opening).toMatchObject({ error: { code: 'policy.bundle_older' } });
      expect(holder.current?.version).toBe(4);
    });

    test('a fault changes nothing, and a signal ends it', async () => {
      const holder = new BundleHolder(version(1));
      const stop = new AbortController();
      const opening = holder.open(many(3), { keys, clock: slow() }, stop.signal);
      stop.abort(new Error('closing'));

      await expect(opening).rejects.toThrow('closing');
      expect(await holder.open(file.subarray(1), { keys, clock: slow() }, live)).toMatchObject({
        error: { kept: version(1).digest },
      });
      expect(holder.current?.version).toBe(1);
    });
  });
});
