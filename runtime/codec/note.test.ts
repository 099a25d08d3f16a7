import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concat, toHex, utf8 } from '../core/bytes.ts';
import { NOTE_BYTES_MAX } from '../core/limits.ts';
import { unwrap } from '../core/result.ts';
import { sha256 } from './digest.ts';
import { keyPairFromSeed } from './ed25519.ts';
import {
  formatSignerKey,
  formatVerifierKey,
  noteSigner,
  noteVerifier,
  openNote,
  parseSignerKey,
  parseVerifierKey,
  type Signer,
  signNote,
  toBase64,
  type Verifier,
} from './note.ts';
import { describeVectors } from './published-vectors.fixture.ts';

const pairOf = (seed: number) => keyPairFromSeed(new Uint8Array(32).fill(seed));
const alice = noteSigner('example.com/alice', pairOf(1));
const bob = noteSigner('example.com/bob', pairOf(2));

/** A note of any signature lines, well signed or not. */
function noteOf(text: string, ...lines: readonly string[]): Uint8Array {
  return utf8(`${text}\n${lines.join('')}`);
}

function lineOf(signer: Signer, text: string): string {
  return `— ${signer.name} ${toBase64(concat(uint32(signer.id), signer.sign(utf8(text))))}\n`;
}

function uint32(value: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function codeOf(note: Uint8Array, known: readonly Verifier[] = [alice]): string {
  const opened = openNote(note, known);
  return opened.ok ? 'ok' : opened.error.code;
}

describe('a signed note', () => {
  test('opens to the text that was signed, for any text of printable lines', () => {
    const printable = fc
      .string({ unit: 'grapheme', maxLength: 200 })
      .map((text) => text.replaceAll(/(?!\n)\p{Cc}/gu, ''));
    fc.assert(
      fc.property(printable, (line) => {
        const text = `${line}\n`;
        const opened = unwrap(openNote(signNote(text, alice), [bob, alice]), 'our own note');
        expect(opened.text).toBe(text);
        expect(opened.signatures.map(({ verifier }) => verifier)).toEqual([alice]);
      }),
    );
  });

  test.each(['\n', 'a\n\nb\n', '— not/a/signature abc=\n', 'text\n\n— example.com/alice AAAAAAA=\n'])(
    'opens where the text %j could be taken for the end of a text',
    (text) => {
      expect(unwrap(openNote(signNote(text, alice), [alice]), 'our own note').text).toBe(text);
    },
  );

  test('keeps a byte-order mark: the text is the very bytes that were signed (N1)', () => {
    expect(unwrap(openNote(signNote('\ufefftext\n', alice), [alice]), 'our own note').text).toBe('\ufefftext\n');
  });

  test('is refused with any one bit flipped', () => {
    const note = signNote('origin\n42\n', alice);
    const survivors: number[] = [];
    for (let bit = 0; bit < note.length * 8; bit++) {
      const at = Math.floor(bit / 8);
      const bent = Uint8Array.from(note).with(at, (note[at] ?? 0) ^ (1 << (bit % 8)));
      if (openNote(bent, [alice]).ok) survivors.push(bit);
    }
    expect(survivors).toEqual([]);
  });

  test('never makes the reader throw, whatever the bytes', () => {
    const pieces = fc.constantFrom(
      '— ',
      'example.com/alice',
      ' ',
      '\n',
      '\n\n',
      'AAAA',
      '+',
      '=',
      '\0',
      '\u00a0',
      'text',
    );
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.array(pieces, { maxLength: 30 }).map((parts) => utf8(parts.join(''))),
    );
    fc.assert(
      fc.property(bytes, (note) => {
        expect(openNote(note, [alice]).ok).toBe(false);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('who signed a note', () => {
  const text = 'a text\n';

  test('is each known key, in the order of the lines, however many unknown ones there are', () => {
    const stranger = noteSigner('example.com/stranger', pairOf(3));
    const note = noteOf(text, lineOf(stranger, text), lineOf(bob, text), lineOf(alice, text));
    const opened = unwrap(openNote(note, [alice, bob]), 'two known keys');
    expect(opened.signatures.map(({ verifier }) => verifier.name)).toEqual([bob.name, alice.name]);
    expect(opened.signatures.map(({ signature }) => signature.length)).toEqual([64, 64]);
  });

  test('is nobody known: refused', () => {
    expect(codeOf(signNote(text, bob), [alice])).toBe('note.unsigned');
    expect(codeOf(signNote(text, alice), [])).toBe('note.unsigned');
  });

  test('is not a stranger who takes a known name, or a known id (N2)', () => {
    const namesake = noteSigner(alice.name, pairOf(3));
    const sameId: Signer = { ...bob, id: alice.id };
    expect(codeOf(signNote(text, namesake))).toBe('note.unsigned');
    expect(codeOf(signNote(text, sameId))).toBe('note.unsigned');
    expect(codeOf(noteOf(text, lineOf(namesake, text), lineOf(alice, text)))).toBe('ok');
  });

  test('is not a stranger who takes a known name and id: the key decides (N2)', () => {
    const impostor: Signer = { ...noteSigner(alice.name, pairOf(3)), id: alice.id };
    expect(codeOf(noteOf(text, lineOf(impostor, text)))).toBe('note.bad_signature');
  });

  test('is nobody, once a known key has a wrong signature beside a right one (N2)', () => {
    const bad = lineOf(alice, 'another text\n');
    expect(codeOf(noteOf(text, lineOf(alice, text), bad))).toBe('note.bad_signature');
    expect(codeOf(noteOf(text, bad, lineOf(alice, text)))).toBe('note.bad_signature');
    expect(codeOf(noteOf(text, lineOf(bob, text), bad), [alice, bob])).toBe('note.bad_signature');
  });

  test('counts once, however often it signs (N3)', () => {
    const note = noteOf(text, lineOf(alice, text), lineOf(alice, text), lineOf(alice, text));
    expect(unwrap(openNote(note, [alice]), 'a good signature').signatures).toHaveLength(1);
  });

  test('is found among two known keys that share a name and id', () => {
    const double: Signer = { ...noteSigner(alice.name, pairOf(3)), id: alice.id };
    const opened = unwrap(openNote(noteOf(text, lineOf(double, text)), [alice, double]), 'a good signature');
    expect(opened.signatures.map(({ verifier }) => verifier)).toEqual([double]);
  });
});

describe('a note is malformed', () => {
  const line = lineOf(alice, 'text\n');
  const seal = line.split(' ')[2]?.trim() ?? '';

  test.each([
    ['when it is empty', ''],
    ['without a blank line', `text\n${line}`],
    ['without a final newline', `text\n\n${line.trimEnd()}`],
    ['without a signature', 'text\n\n'],
    ['with a blank line after the signatures', `text\n\n${line}\n`],
    ['with a hyphen for the em dash', `text\n\n- ${alice.name} ${seal}\n`],
    ['without a space after the dash', `text\n\n—${alice.name} ${seal}\n`],
    ['with two spaces', `text\n\n— ${alice.name}  ${seal}\n`],
    ['with a space at the end of the line', `text\n\n— ${alice.name} ${seal} \n`],
    ['without a name', `text\n\n—  ${seal}\n`],
    ['with a plus in the name', `text\n\n— example.com+alice ${seal}\n`],
    ['with a Unicode space in the name', `text\n\n— example.com\u00a0alice ${seal}\n`],
    ['with the next-line character in the name', `text\n\n— example.com\u0085alice ${seal}\n`],
    ['without base64 padding', `text\n\n— ${alice.name} ${seal.replaceAll('=', '')}\n`],
    ['with stray bits in the last base64 character', `text\n\n— ${alice.name} AAAAAAB=\n`],
    ['with base64url', `text\n\n— ${alice.name} AAAA-_AA\n`],
    ['with a signature of no bytes after the id', `text\n\n— ${alice.name} AAAAAA==\n`],
    ['with a carriage return', `text\r\n\n${line}`],
    ['with a tab', `te\txt\n\n${line}`],
    ['with a NUL', `te\0xt\n\n${line}`],
  ])('%s', (_, note) => {
    expect(codeOf(utf8(note))).toBe('note.malformed');
  });

  test('with bytes that are not UTF-8', () => {
    for (const bad of [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe2, 0x80]]) {
      expect(codeOf(concat(Uint8Array.from(bad), utf8(`\n\n${line}`)))).toBe('note.malformed');
    }
  });

  test('with more than 100 signatures, though 100 are read', () => {
    const unknown = lineOf(bob, 'text\n');
    const many = Array.from({ length: 99 }, () => unknown);
    expect(codeOf(noteOf('text\n', ...many, line))).toBe('ok');
    expect(codeOf(noteOf('text\n', unknown, ...many, line))).toBe('note.malformed');
  });

  test('with more than NOTE_BYTES_MAX bytes, though as many are read', () => {
    const longest = 'x'.repeat(NOTE_BYTES_MAX - signNote('\n', alice).length);
    const note = signNote(`${longest}\n`, alice);
    expect([note.length, codeOf(note)]).toEqual([NOTE_BYTES_MAX, 'ok']);
    expect(codeOf(concat(utf8('x'), note))).toBe('note.malformed');
    expect(() => signNote(`x${longest}\n`, alice)).toThrow(/NOTE_BYTES_MAX/);
  });

  test('and the refusal says at which byte', () => {
    expect(openNote(utf8(`te\txt\n\n${line}`), [alice])).toMatchObject({ error: { offset: 2 } });
    expect(openNote(utf8(`é\n\n${line}nonsense\n`), [alice])).toMatchObject({
      error: { offset: 4 + Buffer.byteLength(line) },
    });
  });
});

describe('signing a note', () => {
  test.each([
    ['does not end in a newline', 'text'],
    ['is empty', ''],
    ['has a control character', 'te\txt\n'],
    ['is not well-formed Unicode', '\ud800\n'],
  ])('asserts where the text %s', (_, text) => {
    expect(() => signNote(text, alice)).toThrow(/plain text/);
  });

  test('asserts when the signature does not verify, before it leaves', () => {
    const faulty: Signer = { ...alice, sign: (text) => alice.sign(text).with(0, 0) };
    expect(() => signNote('text\n', faulty)).toThrow(/that verifies/);
  });
});

describe('a key line', () => {
  const verifierLine = formatVerifierKey(alice.name, pairOf(1).publicKey);
  const signerLine = formatSignerKey(alice.name, pairOf(1));

  test('of a verifier opens what the signer of the other line signs', () => {
    const signer = unwrap(parseSignerKey(signerLine), 'our own line');
    const verifier = unwrap(parseVerifierKey(verifierLine), 'our own line');
    expect(codeOf(signNote('text\n', signer), [verifier])).toBe('ok');
    expect([signer.id, verifier.id]).toEqual([alice.id, alice.id]);
    expect(verifierLine).toMatch(/^example\.com\/alice\+[0-9a-f]{8}\+[A-Za-z0-9+/]{44}$/);
    expect(signerLine).toMatch(/^PRIVATE\+KEY\+example\.com\/alice\+[0-9a-f]{8}\+[A-Za-z0-9+/]{44}$/);
  });

  test('is read for every key, those with a plus in their base64 too', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (seed) => {
        const pair = keyPairFromSeed(seed);
        const verifier = unwrap(parseVerifierKey(formatVerifierKey('name', pair.publicKey)), 'our own line');
        expect(verifier.id).toBe(noteVerifier('name', pair.publicKey).id);
      }),
    );
  });

  test.each([
    ['another name under the same id', (line: string) => line.replace('alice', 'mallory')],
    ['another id', (line: string) => line.replace(/\+[0-9a-f]{8}\+/, '+00000000+')],
    ['an id in capitals', (line: string) => line.replace(/\+[0-9a-f]{8}\+/, (id) => id.toUpperCase())],
    ['an id that is too short', (line: string) => line.replace(/\+[0-9a-f]{8}\+/, '+0000000+')],
    ['a space in the name', (line: string) => line.replace('alice', 'al ice')],
    ['a control character in the name', (line: string) => line.replace('alice', 'al\u0001ice')],
    ['a lone surrogate in the name', (line: string) => line.replace('alice', 'al\ud800ice')],
    ['a character too few', (line: string) => line.slice(0, -1)],
    ['bytes too many', (line: string) => `${line}AAAA`],
    ['padding where none is due', (line: string) => `${line}=`],
    ['a newline at the end', (line: string) => `${line}\n`],
    ['another type of key', (line: string) => line.replace(/(\+[0-9a-f]{8}\+)A/, '$1B')],
    ['nothing', () => ''],
  ])('is refused with %s', (_, spoil) => {
    expect(parseVerifierKey(spoil(verifierLine))).toMatchObject({ ok: false, error: { code: 'note.malformed_key' } });
    expect(parseSignerKey(spoil(signerLine))).toMatchObject({ ok: false, error: { code: 'note.malformed_key' } });
  });

  test.each(['al ice', 'al\u0001ice', 'al\u00a0ice', 'al\ud800ice'])(
    'is refused for the name %j, which no note could carry, though its id is right',
    (name) => {
      const { bytes } = pairOf(1).publicKey;
      const id = toHex(sha256(utf8(`${name}\n`), Uint8Array.of(1), bytes).subarray(0, 4));
      const line = `${name}+${id}+${toBase64(concat(Uint8Array.of(1), bytes))}`;
      expect(parseVerifierKey(line)).toMatchObject({ ok: false, error: { code: 'note.malformed_key' } });
    },
  );

  test('is refused for a key of small order, though its id is right', () => {
    const neutral = Uint8Array.of(1, ...new Uint8Array(31));
    const line = formatVerifierKey('name', { ...pairOf(1).publicKey, bytes: neutral });
    expect(parseVerifierKey(line)).toMatchObject({ ok: false, error: { code: 'key.small_order' } });
  });

  test('of a signer is not taken for that of a verifier, nor the other way round', () => {
    expect(parseVerifierKey(signerLine)).toMatchObject({ ok: false, error: { code: 'note.malformed_key' } });
    expect(parseSignerKey(verifierLine)).toMatchObject({ ok: false, error: { code: 'note.malformed_key' } });
  });

  test('that is secret is not repeated in its refusal', () => {
    const spoilt = signerLine.replace('alice', 'mallory');
    expect(JSON.stringify(parseSignerKey(spoilt))).not.toContain(toBase64(new Uint8Array(32).fill(1)).slice(4, 20));
  });

  test('is not written for a name that no note could carry', () => {
    for (const name of ['', 'a b', 'a+b', 'a\nb']) {
      expect(() => noteVerifier(name, pairOf(1).publicKey)).toThrow(/a name without/);
      expect(() => formatVerifierKey(name, pairOf(1).publicKey)).toThrow(/a name without/);
    }
  });
});

describeVectors('signed-note', ({ json }) => {
  test('the one example of the specification opens, its key line is ours to the byte, and bent it is refused', () => {
    const { vkey, note } = json('spec-example.json') as { readonly vkey: string; readonly note: string };
    const verifier = unwrap(parseVerifierKey(vkey), 'published');
    const opened = unwrap(openNote(utf8(note), [verifier]), 'published');
    expect(opened.text).toBe('This is an example message.\n');
    expect(verifier.id).toBe(0x530d903a);
    expect(codeOf(utf8(note.replace('example message', 'exemple message')), [verifier])).toBe('note.bad_signature');
  });
});
