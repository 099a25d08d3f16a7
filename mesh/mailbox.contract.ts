/** What every mailbox must do: `mailbox.ts` in tests. Whoever implements the port calls this with one of its own. */
import { expect, test } from 'vitest';
import { formatDigest, sha256 } from '../runtime/codec/digest.ts';
import type { DigestText } from '../runtime/codec/record.ts';
import { utf8, view } from '../runtime/core/bytes.ts';
import { systemClock } from '../runtime/core/system.ts';
import type { Letter, Mailbox, MailboxBounds, Receipt } from './mailbox.ts';
import { MAILBOX } from './mailbox.ts';
import type { NodeToken } from './subject.ts';

/** Three nodes of a realm, of which the last has no mailbox. */
export type PostOffice = AsyncDisposable & {
  readonly nodes: readonly [NodeToken, NodeToken, NodeToken];
  readonly mailbox: (node: NodeToken) => Promise<Mailbox>;
};

/** Small enough to be filled; what is put off comes back at once. */
export const SMALL: MailboxBounds = { ...MAILBOX, lettersMax: 40, perSenderMax: 30, letterBytesMax: 1_000, laterMs: 0 };

const never = new AbortController().signal;
const idOf = (text: string): DigestText => formatDigest(sha256(utf8(text))) as DigestText;
const leaveAll = async (mailbox: Mailbox, to: NodeToken, texts: readonly string[]): Promise<void> => {
  for (const text of texts) await mailbox.leave(to, { id: idOf(text), bytes: utf8(text) }, never);
};

/** Collects, says `receipt` of every letter, and tells what they said. */
async function collect(mailbox: Mailbox, receipt: Receipt = 'accepted'): Promise<readonly string[]> {
  const texts: string[] = [];
  await mailbox.collect((letter) => {
    texts.push(view(letter.bytes).toString());
    return Promise.resolve(receipt);
  }, never);
  return texts;
}

export function mailboxContract(name: string, open: (bounds: MailboxBounds) => Promise<PostOffice>): void {
  test(`${name}: what was left waits, with who left it and when, until it is accepted`, async () => {
    await using office = await open(SMALL);
    const [a, b] = office.nodes;
    const from = await office.mailbox(a);
    const to = await office.mailbox(b);
    expect(await from.leave(b, { id: idOf('1'), bytes: utf8('hello') }, never)).toBe('left');
    const letters: Letter[] = [];
    const take = (letter: Letter): Promise<Receipt> => {
      letters.push(letter);
      return Promise.resolve('accepted');
    };
    expect(await to.collect(take, never)).toEqual({ accepted: 1, later: 0, refused: 0 });
    expect(letters).toMatchObject([{ from: a, attempts: 1 }]);
    expect(Math.abs((letters[0]?.leftAt ?? 0) - systemClock.now())).toBeLessThan(60_000);
    expect(await collect(to)).toEqual([]);
  });

  test(`${name}: the same id is the same letter`, async () => {
    await using office = await open(SMALL);
    const [a, b] = office.nodes;
    const from = await office.mailbox(a);
    await leaveAll(from, b, ['one']);
    expect(await from.leave(b, { id: idOf('one'), bytes: utf8('sealed again') }, never)).toBe('known');
    expect(await collect(await office.mailbox(b))).toEqual(['one']);
  });

  test(`${name}: many letters come in the order in which they were left`, async () => {
    await using office = await open(SMALL);
    const [a, b] = office.nodes;
    const texts = Array.from({ length: 30 }, (_, n) => `letter ${n}`);
    await leaveAll(await office.mailbox(a), b, texts);
    expect(await collect(await office.mailbox(b))).toEqual(texts);
  });

  test(`${name}: what is put off comes again, what is refused does not`, async () => {
    await using office = await open(SMALL);
    const [a, b] = office.nodes;
    const [from, to] = [await office.mailbox(a), await office.mailbox(b)];
    await leaveAll(from, b, ['put off']);
    const attempts: number[] = [];
    const takeAtThird = ({ attempts: attempt }: Letter): Promise<Receipt> => {
      attempts.push(attempt);
      return Promise.resolve(attempt < 3 ? 'later' : 'refused');
    };
    while (attempts.length < 3) await to.collect(takeAtThird, never);
    expect(attempts).toEqual([1, 2, 3]);
    expect(await collect(to)).toEqual([]);
  });

  test(`${name}: if taking fails, the letter and those behind it are handed over again`, async () => {
    await using office = await open(SMALL);
    const [a, b] = office.nodes;
    const [from, to] = [await office.mailbox(a), await office.mailbox(b)];
    await leaveAll(from, b, ['1', '2', '3', '4']);
    const accepted: string[] = [];
    let faults = 1;
    const failOnce = (letter: Letter): Promise<Receipt> => {
      const text = view(letter.bytes).toString();
      if (text === '3' && faults-- > 0) return Promise.reject(new Error('the disk is full'));
      accepted.push(text);
      return Promise.resolve('accepted');
    };
    await expect(to.collect(failOnce, never)).rejects.toThrow('the disk is full');
    while (accepted.length < 4) await to.collect(failOnce, never);
    expect(accepted.toSorted()).toEqual(['1', '2', '3', '4']);
    expect(await collect(to)).toEqual([]);
  });

  test(`${name}: one sender cannot fill a mailbox for the others, and a full one refuses and drops nothing`, async () => {
    await using office = await open(SMALL);
    const [a, b, c] = office.nodes;
    const [from, other, to] = [await office.mailbox(a), await office.mailbox(c), await office.mailbox(b)];
    const full = expect.objectContaining({ code: 'mailbox.full', retryable: true });
    await leaveAll(
      from,
      b,
      Array.from({ length: 30 }, (_, n) => `a ${n}`),
    );
    await expect(leaveAll(from, b, ['a 30'])).rejects.toThrow(full);
    await leaveAll(
      other,
      b,
      Array.from({ length: 10 }, (_, n) => `c ${n}`),
    );
    await expect(leaveAll(other, b, ['c 10'])).rejects.toThrow(full);
    expect(await collect(to)).toHaveLength(40);
    await expect(leaveAll(from, b, ['room again'])).resolves.toBeUndefined();
  });

  test(`${name}: a letter over the limit is refused, one at the limit is not`, async () => {
    await using office = await open(SMALL);
    const [a, b] = office.nodes;
    const from = await office.mailbox(a);
    const leave = (length: number) => from.leave(b, { id: idOf(`${length}`), bytes: new Uint8Array(length) }, never);
    await expect(leave(SMALL.letterBytesMax + 1)).rejects.toThrow(
      expect.objectContaining({ code: 'transport.too_large' }),
    );
    expect(await leave(SMALL.letterBytesMax - 100)).toBe('left');
  });

  test(`${name}: where there is no mailbox, leaving and collecting say so`, async () => {
    await using office = await open(SMALL);
    const [a, , c] = office.nodes;
    const unavailable = expect.objectContaining({ code: 'mailbox.unavailable', retryable: true });
    await expect(leaveAll(await office.mailbox(a), c, ['x'])).rejects.toThrow(unavailable);
    await expect(collect(await office.mailbox(c))).rejects.toThrow(unavailable);
  });
}
