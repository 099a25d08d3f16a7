/** Mailboxes inside one process: for tests and the simulator. They keep the contract of `Mailbox`. */
import type { DigestText } from '../runtime/codec/record.ts';
import type { Millis } from '../runtime/core/brand.ts';
import type { Clock } from '../runtime/core/clock.ts';
import {
  type Collected,
  type Letter,
  MAILBOX,
  type Mailbox,
  type MailboxBounds,
  mailboxFull,
  mailboxUnavailable,
  type Receipt,
  tooLarge,
} from './mailbox.ts';
import type { NodeToken } from './subject.ts';

type Kept = Letter & { readonly id: DigestText; readonly dueAt: Millis };

/** As the broker's window of duplicates. */
const KNOWN_MS = 2 * 60 * 1000;

export class MemoryMailboxes {
  readonly #boxes = new Map<NodeToken, Kept[]>();
  readonly #known = new Map<string, Millis>();
  readonly #clock: Clock;
  readonly #bounds: MailboxBounds;

  constructor(clock: Clock, bounds: MailboxBounds = MAILBOX) {
    this.#clock = clock;
    this.#bounds = bounds;
  }

  /** Makes a mailbox for a node, if it has none. */
  provision(node: NodeToken): void {
    if (!this.#boxes.has(node)) this.#boxes.set(node, []);
  }

  /** What one node may do: leave letters under its own name, and take its own. */
  mailbox(self: NodeToken): Mailbox {
    return {
      leave: async (to, letter, signal) => {
        signal.throwIfAborted();
        return await Promise.resolve(this.#leave(self, to, letter));
      },
      collect: (take, signal) => this.#collect(self, take, signal),
    };
  }

  #leave(
    from: NodeToken,
    to: NodeToken,
    { id, bytes }: { readonly id: DigestText; readonly bytes: Uint8Array },
  ): 'left' | 'known' {
    const { lettersMax, perSenderMax, bytesMax, letterBytesMax } = this.#bounds;
    if (bytes.length > letterBytesMax) throw tooLarge(letterBytesMax, bytes.length);
    const box = this.#box(to);
    const at = this.#clock.now();
    for (const [known, until] of this.#known) if (at > until) this.#known.delete(known);
    if (this.#known.has(`${to} ${id}`)) return 'known';
    const ofSender = box.filter((letter) => letter.from === from).length;
    const held = box.reduce((sum, letter) => sum + letter.bytes.length, 0);
    if (box.length >= lettersMax || ofSender >= perSenderMax || held + bytes.length > bytesMax) {
      throw mailboxFull('it holds as much as it may');
    }
    box.push({ id, from, bytes: Uint8Array.from(bytes), leftAt: at, attempts: 0, dueAt: at });
    this.#known.set(`${to} ${id}`, (at + KNOWN_MS) as Millis);
    return 'left';
  }

  async #collect(self: NodeToken, take: (letter: Letter) => Promise<Receipt>, signal: AbortSignal): Promise<Collected> {
    const counts = { accepted: 0, later: 0, refused: 0 };
    for (const kept of this.#box(self).filter(({ dueAt }) => dueAt <= this.#clock.now())) {
      signal.throwIfAborted();
      const { from, bytes, leftAt, attempts } = kept;
      this.#replace(self, kept.id, { ...kept, attempts: attempts + 1 });
      const receipt = await take({ from, bytes, leftAt, attempts: attempts + 1 });
      const dueAt = (this.#clock.now() + this.#bounds.laterMs) as Millis;
      this.#replace(self, kept.id, receipt === 'later' ? { ...kept, attempts: attempts + 1, dueAt } : undefined);
      counts[receipt]++;
    }
    return counts;
  }

  #replace(self: NodeToken, id: DigestText, by: Kept | undefined): void {
    const box = this.#box(self);
    this.#boxes.set(
      self,
      box.flatMap((kept) => (kept.id !== id ? [kept] : by === undefined ? [] : [by])),
    );
  }

  #box(node: NodeToken): Kept[] {
    const box = this.#boxes.get(node);
    if (box === undefined) throw mailboxUnavailable('a mailbox for that node');
    const at = this.#clock.now();
    const young = box.filter(({ leftAt }) => at - leftAt < this.#bounds.ageMs);
    if (young.length < box.length) this.#boxes.set(node, young);
    return young.length < box.length ? young : box;
  }
}
