import { describe, expect, test } from 'vitest';
import { utf8, view } from '../core/bytes.ts';
import { sha256 } from './digest.ts';
import { formatTlogProof, parseTlogProof } from './tlog-proof.ts';

const HASHES = [sha256(utf8('hash1')), sha256(utf8('hash2'))];
const BASE64 = HASHES.map((hash) => view(hash).toString('base64'));

describe('a proof that travels', () => {
  test.each([
    [
      'with a path',
      { index: 5, hashes: HASHES, checkpoint: utf8('a note\n') },
      `index 5\n${BASE64.join('\n')}\n\na note\n`,
    ],
    ['of the only leaf', { index: 0, hashes: [], checkpoint: utf8('a\n\n— b c\n') }, 'index 0\n\na\n\n— b c\n'],
    [
      'with its record',
      { index: 10, hashes: HASHES.slice(0, 1), checkpoint: utf8('a note\n'), extra: utf8('extra information') },
      `extra ZXh0cmEgaW5mb3JtYXRpb24=\nindex 10\n${BASE64[0]}\n\na note\n`,
    ],
  ])('%s is written as c2sp.org/tlog-proof says, and read back', (_what, proof, body) => {
    const bytes = formatTlogProof(proof);

    const parsed = parseTlogProof(bytes);

    expect(view(bytes).toString()).toBe(`c2sp.org/tlog-proof@v1\n${body}`);
    expect(parsed).toMatchObject({ ok: true });
    if (parsed.ok) expect(plain(parsed.value)).toEqual(plain(proof));
  });

  test.each([
    ['nothing', '', 0],
    ['another header', 'c2sp.org/tlog-proof@v2\nindex 0\n\nnote\n', 0],
    ['more after the header', 'c2sp.org/tlog-proof@v1 \nindex 0\n\nnote\n', 0],
    ['no index', `c2sp.org/tlog-proof@v1\n${BASE64[0]}\n\nnote\n`, 23],
    ['an index with a leading zero', 'c2sp.org/tlog-proof@v1\nindex 01\n\nnote\n', 23],
    ['a negative index', 'c2sp.org/tlog-proof@v1\nindex -1\n\nnote\n', 23],
    ['an index past 2^53', 'c2sp.org/tlog-proof@v1\nindex 9007199254740992\n\nnote\n', 23],
    ['extra that is not base64', 'c2sp.org/tlog-proof@v1\nextra !!\nindex 0\n\nnote\n', 23],
    ['extra that is not as base64 is written', 'c2sp.org/tlog-proof@v1\nextra QR==\nindex 0\n\nnote\n', 23],
    ['extra after the index', 'c2sp.org/tlog-proof@v1\nindex 0\nextra QQ==\n\nnote\n', 31],
    ['a hash that is too short', 'c2sp.org/tlog-proof@v1\nindex 0\nQUJD\n\nnote\n', 31],
    ['a carriage return', 'c2sp.org/tlog-proof@v1\r\nindex 0\r\n\n\nnote\n', 0],
    ['no empty line', 'c2sp.org/tlog-proof@v1\nindex 0\n', 31],
    [
      'more hashes than any tree has',
      `c2sp.org/tlog-proof@v1\nindex 0\n${`${BASE64[0]}\n`.repeat(107)}\nnote\n`,
      31 + 106 * 45,
    ],
  ])('is refused with %s, at its line', (_what, text, offset) => {
    const parsed = parseTlogProof(utf8(text));

    expect(parsed).toMatchObject({ ok: false, error: { code: 'proof.malformed', offset } });
  });

  test('is refused when it is longer than any proof', () => {
    const parsed = parseTlogProof(new Uint8Array(1_000_000));

    expect(parsed).toMatchObject({ ok: false, error: { code: 'proof.malformed' } });
  });
});

function plain({ index, hashes, checkpoint, extra }: Parameters<typeof formatTlogProof>[0]): unknown {
  const hex = (bytes: Uint8Array): string => view(bytes).toString('hex');
  return { index, hashes: hashes.map(hex), checkpoint: hex(checkpoint), extra: extra && hex(extra) };
}
