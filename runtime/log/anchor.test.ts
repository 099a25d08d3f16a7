import { describe, expect, test } from 'vitest';
import { parseOrigin, signCheckpoint } from '../codec/checkpoint.ts';
import { type Digest, sha256 } from '../codec/digest.ts';
import { generateKeyPair } from '../codec/ed25519.ts';
import { EMPTY_ROOT } from '../codec/merkle.ts';
import { noteSigner } from '../codec/note.ts';
import { utf8 } from '../core/bytes.ts';
import { unwrap } from '../core/result.ts';
import { seededRandom } from '../core/simulation.ts';
import { contradiction, memoryAnchor } from './anchor.ts';
import { settle } from './event-log.contract.ts';

const origin = unwrap(parseOrigin('test/node/log/0'), 'an origin');
const signer = noteSigner(origin, generateKeyPair(seededRandom('anchor')));
const rootAt = (size: number, branch = ''): Digest => (size === 0 ? EMPTY_ROOT : sha256(utf8(`${branch}${size}`)));
const signed = (size: number, branch = ''): Uint8Array =>
  signCheckpoint({ origin, size, root: rootAt(size, branch) }, signer);

describe('an anchor', () => {
  test('holds the newest checkpoint that it was given', async () => {
    const anchor = memoryAnchor(signer);
    expect(await anchor.read()).toBe(undefined);

    for (const size of [0, 3, 3, 10]) await anchor.advance(signed(size));

    expect(await anchor.read()).toMatchObject({ origin, size: 10 });
  });

  test.each([
    ['a smaller size', () => signed(4)],
    ['another root at its size', () => signed(5, 'fork')],
  ])('A2: refuses %s and keeps what it has', async (_, next) => {
    const anchor = memoryAnchor(signer);
    await anchor.advance(signed(5));

    expect(await settle(anchor.advance(next()))).toMatchObject({ code: 'anchor.behind' });
    expect(await anchor.read()).toMatchObject({ size: 5 });
  });

  test.each([
    ['no note', () => utf8('hello')],
    ['a changed one', () => utf8(Buffer.from(signed(5)).toString().replace('\n5\n', '\n6\n'))],
    ['that of another log', () => signOther()],
  ])('refuses %s', async (_, note) => {
    expect(await settle(memoryAnchor(signer).advance(note()))).toMatchObject({ code: 'anchor.damaged' });
  });

  function signOther(): Uint8Array {
    const other = unwrap(parseOrigin('test/other/log/0'), 'an origin');
    const key = noteSigner(other, generateKeyPair(seededRandom('other')));
    return signCheckpoint({ origin: other, size: 5, root: rootAt(5) }, key);
  }
});

describe('what an anchor says against a log', () => {
  const anchored = async (size: number) => {
    const anchor = memoryAnchor(signer);
    await anchor.advance(signed(size));
    return unwrap({ ok: true, value: await anchor.read() } as const, 'a checkpoint') ?? expect.fail();
  };

  test.each([
    [5, 5, '', undefined],
    [5, 9, '', undefined],
    [0, 0, '', undefined],
    [0, 7, 'fork', undefined],
    [5, 4, '', 'log.rolled_back'],
    [5, 0, '', 'log.rolled_back'],
    [5, 5, 'fork', 'log.forked'],
    [5, 9, 'fork', 'log.forked'],
  ])('signed at %i, now at %i on branch "%s": %s', async (size, now, branch, code) => {
    const found = contradiction(await anchored(size), now, (asked) => rootAt(asked, asked === 0 ? '' : branch));

    expect(found?.code).toBe(code);
  });
});
