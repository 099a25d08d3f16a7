import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { generateKeyPair } from '../runtime/codec/ed25519.ts';
import type { Millis } from '../runtime/core/brand.ts';
import { equalBytes, utf8 } from '../runtime/core/bytes.ts';
import { unwrap } from '../runtime/core/result.ts';
import { writeCertificate, writeWithdrawal } from './hosting.ts';
import { learn, writeRevocation } from './identity.ts';
import { CERTIFICATE_MS_MAX, DEADLINE_MS_MAX } from './limits.ts';
import type { Letter } from './mailbox.ts';
import { admitLetter, delegationsIn, type LetterReader, writeLetter } from './mailbox-letter.ts';
import { type Message, sealMessages } from './message.ts';
import { nodeToken } from './subject.ts';
import { aFrame, aMessage, aWorld, type Changes, codeOf, later, NOW, TestNode, type World } from './world.fixture.ts';

const DAY = 24 * 60 * 60 * 1000;

/** A tell of `ask` on A to `quote` on B, which was away and knows nothing of `ask`. */
class Case {
  readonly world: World;
  readonly reader: TestNode;
  message: Message;

  constructor(claims: Changes = {}) {
    this.world = aWorld('letters');
    const { b, quote, random } = this.world;
    this.reader = new TestNode(random, b.pair);
    this.reader.hosted.add(quote.did);
    this.message = aMessage(this.world, { kind: 'tell', claims: { deadline: later(3 * DAY), ...claims } });
  }

  get statements(): readonly Uint8Array[] {
    const { a, ask } = this.world;
    return [...ask.identity.history, certificateOf(this.world, a, NOW)];
  }

  frame(at: Millis = NOW, from: TestNode = this.world.a): Uint8Array {
    const to = this.reader.pair.publicKey;
    const [frame] = sealMessages([{ message: this.message, route: { type: 'sessionless', to } }], from, at);
    if (frame === undefined) throw new Error('expected a frame');
    return frame;
  }

  letter(
    over: Partial<Letter> & { readonly frame?: Uint8Array; readonly statements?: readonly Uint8Array[] } = {},
  ): Letter {
    const { frame = this.frame(), statements = this.statements, ...rest } = over;
    const from = nodeToken(this.world.a.did);
    return { from, bytes: writeLetter(statements, frame), leftAt: later(50), attempts: 1, ...rest };
  }

  admit(letter: Letter = this.letter(), at: Millis = later(2 * DAY), over: Partial<LetterReader> = {}) {
    const { a } = this.world;
    const peer: LetterReader['peer'] = (key) =>
      equalBytes(key, a.pair.publicKey.bytes) ? a.pair.publicKey : undefined;
    return admitLetter(letter, at, { view: this.reader.view(), peer, mayWait: () => true, ...over });
  }
}

function certificateOf({ ask }: World, node: TestNode, issued: Millis): Uint8Array {
  const expires = (issued + CERTIFICATE_MS_MAX) as Millis;
  return writeCertificate({ agent: ask.did, node: node.did, epoch: node.epoch, issued, expires }, ask.key);
}

describe('a letter', () => {
  test('is admitted days later, though its certificate has ended and its sender is unknown (R4)', () => {
    const letters = new Case();
    const admitted = unwrap(letters.admit(), 'a letter');
    expect(admitted.claims.from).toBe(letters.world.ask.did);
    expect(admitted.session).toBeUndefined();
    expect(letters.reader.directory.subject(letters.world.ask.did)).toBeUndefined();
  });

  test('is admitted again when it is handed over again: knowing it is for the log', () => {
    const letters = new Case();
    expect(letters.admit(letters.letter({ attempts: 1 })).ok).toBe(true);
    expect(letters.admit(letters.letter({ attempts: 2 })).ok).toBe(true);
  });

  test('is refused after its deadline (R2)', () => {
    const letters = new Case({ deadline: later(DAY) });
    expect(letters.admit(letters.letter(), later(DAY)).ok).toBe(true);
    expect(codeOf(letters.admit(letters.letter(), later(DAY + 1)))).toBe('envelope.past_deadline');
  });

  test('cannot be dated back: a stolen key does not bring back a certificate that has ended (R1)', () => {
    const letters = new Case();
    const thief = later(CERTIFICATE_MS_MAX * 2);
    const backdated = letters.letter({ frame: letters.frame(NOW), leftAt: thief });
    expect(letters.admit(backdated, thief)).toMatchObject({
      error: { code: 'letter.other_time', authenticated: false },
    });
    const ofToday = letters.letter({ frame: letters.frame(thief), leftAt: thief });
    expect(codeOf(letters.admit(ofToday, thief))).toBe('certificate.unknown');
  });

  test.each([
    ['sealed later than it was left', -10_000, 'letter.other_time'],
    ['left when the clocks differed a little', -2_000, undefined],
    ['left when its window was over', 33_000, 'letter.other_time'],
  ])('%s (R1)', (_, leftAfterMs, code) => {
    const letters = new Case();
    const admitted = letters.admit(letters.letter({ leftAt: later(leftAfterMs) }));
    expect(admitted.ok ? undefined : admitted.error.code).toBe(code);
  });

  test('from the future is refused', () => {
    const letters = new Case();
    expect(codeOf(letters.admit(letters.letter(), later(-5_000)))).toBe('envelope.future');
  });

  test('of an agent that was revoked, or whose certificate was withdrawn, since is refused (R2)', () => {
    const revoked = new Case();
    const { ask, a } = revoked.world;
    const revocation = writeRevocation(ask.did, { by: ask.key, reason: 'lost', at: later(1) });
    const gone = unwrap(learn(ask.identity, revocation), 'a revocation');
    for (const told of gone.history) unwrap(revoked.reader.directory.learn(told, NOW), 'a statement');
    expect(codeOf(revoked.admit())).toBe('did.revoked');
    const withdrawn = new Case();
    const statement = certificateOf(withdrawn.world, a, NOW);
    for (const told of [...withdrawn.world.ask.identity.history, statement]) {
      unwrap(withdrawn.reader.directory.learn(told, NOW), 'a statement');
    }
    const certificate = withdrawn.world.certificate;
    const { did, key } = withdrawn.world.ask;
    unwrap(
      withdrawn.reader.directory.learn(writeWithdrawal({ agent: did, certificate, at: later(1) }, key), NOW),
      'a withdrawal',
    );
    expect(codeOf(withdrawn.admit())).toBe('certificate.withdrawn');
  });

  test('that asks, or that may not wait, is refused, and its author is known (R3)', () => {
    const asking = new Case();
    asking.message = aMessage(asking.world, { kind: 'ask', claims: { deadline: later(3 * DAY) } });
    expect(asking.admit()).toMatchObject({
      error: { code: 'letter.not_a_tell', authenticated: true, from: asking.world.a.did },
    });
    const risky = new Case();
    expect(risky.admit(risky.letter(), later(DAY), { mayWait: () => false })).toMatchObject({
      error: { code: 'letter.too_risky', authenticated: true },
    });
  });

  test('passes the receiver’s own checks as of now, not as of then', () => {
    const letters = new Case();
    const asked: Millis[] = [];
    letters.reader.checks.push((_, at) => {
      asked.push(at);
      return { code: 'trust.too_low', message: 'expected more' };
    });
    expect(codeOf(letters.admit(letters.letter(), later(DAY)))).toBe('trust.too_low');
    expect(asked).toEqual([later(DAY)]);
  });

  test('of a node outside the realm, of another than the carrier names, or to another node is refused', () => {
    const letters = new Case();
    const stranger = new TestNode(letters.world.random, generateKeyPair(letters.world.random));
    const foreign = letters.letter({ frame: letters.frame(NOW, stranger), from: nodeToken(stranger.did) });
    expect(codeOf(letters.admit(foreign))).toBe('envelope.unknown_sender');
    expect(codeOf(letters.admit(letters.letter({ from: nodeToken(stranger.did) })))).toBe('envelope.wrong_carrier');
    const other = new Case();
    const [frame] = sealMessages(
      [{ message: other.message, route: { type: 'sessionless', to: stranger.pair.publicKey } }],
      other.world.a,
      NOW,
    );
    expect(codeOf(other.admit(other.letter({ frame: frame ?? new Uint8Array(0) })))).toBe('envelope.misdirected');
  });

  test('does not carry an envelope of a session', () => {
    const letters = new Case();
    const frame = aFrame(letters.world, letters.message);
    expect(codeOf(letters.admit(letters.letter({ frame })))).toBe('envelope.unknown_session');
  });

  test('without the statements that it needs is refused', () => {
    const letters = new Case();
    expect(codeOf(letters.admit(letters.letter({ statements: [] })))).toBe('certificate.unknown');
    const garbage = [utf8('{}'), utf8('garbage')];
    expect(codeOf(letters.admit(letters.letter({ statements: garbage })))).toBe('certificate.unknown');
  });

  test('of which a bit was changed is never admitted as something else, and nothing throws', () => {
    const letters = new Case();
    const { bytes } = letters.letter();
    const { claims } = unwrap(letters.admit(), 'a letter');
    fc.assert(
      fc.property(fc.nat(bytes.length * 8 - 1), (bit) => {
        const bad = Uint8Array.from(bytes);
        bad[bit >> 3] = (bad[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        const admitted = letters.admit(letters.letter({ bytes: bad }));
        if (admitted.ok) expect(admitted.value.claims).toEqual(claims);
        expect(admitted.ok).toBe(false);
      }),
      { numRuns: 300 },
    );
  });

  test('cut anywhere is refused', () => {
    const letters = new Case();
    const { bytes } = letters.letter();
    for (let length = 0; length < bytes.length; length += 7) {
      expect(letters.admit(letters.letter({ bytes: bytes.subarray(0, length) })).ok).toBe(false);
    }
  });

  test('may wait no longer than a message may', () => {
    expect(() => new Case({ deadline: later(DEADLINE_MS_MAX + 1) }).frame()).toThrow(/deadline/);
  });
});

describe('a letter that shows a chain', () => {
  const tokens = utf8('a.b.c\nd.e.f\n');
  const shown = (letters: Case, delegations: Uint8Array = tokens) =>
    letters.letter({ bytes: writeLetter(letters.statements, letters.frame(), delegations) } as Partial<Letter>);

  test('is admitted as it would be without, and hands the chain out as another node would show it', () => {
    const letters = new Case();
    const letter = shown(letters);
    expect(unwrap(letters.admit(letter), 'a letter').claims.from).toBe(letters.world.ask.did);
    expect([...delegationsIn(letter)]).toEqual([...tokens]);
    expect([...delegationsIn(letters.letter())]).toEqual([]);
    expect([...delegationsIn({ bytes: utf8('no letter') })]).toEqual([]);
  });

  test('has one writing: an empty chain is shown by saying nothing of one', () => {
    const letters = new Case();
    const { bytes } = shown(letters, new Uint8Array(0));
    expect([...bytes]).toEqual([...letters.letter().bytes]);
    const at = 9 + new DataView(bytes.buffer, bytes.byteOffset).getUint32(5);
    const empty = Uint8Array.from([...bytes.subarray(0, at), 0, 0, 0, 0, ...bytes.subarray(at)]);
    empty[4] = 2;
    expect(codeOf(letters.admit(letters.letter({ bytes: empty })))).toBe('letter.malformed');
  });

  test('cut anywhere is refused, and so is one whose lengths lie', () => {
    const letters = new Case();
    const { bytes } = shown(letters);
    for (let length = 0; length < bytes.length; length += 7) {
      expect(letters.admit(letters.letter({ bytes: bytes.subarray(0, length) })).ok).toBe(false);
    }
    const at = 9 + new DataView(bytes.buffer, bytes.byteOffset).getUint32(5);
    for (const place of [5, at]) {
      const lying = Uint8Array.from(bytes);
      lying.fill(0xff, place, place + 4);
      expect(codeOf(letters.admit(letters.letter({ bytes: lying })))).toBe('letter.malformed');
    }
  });
});
