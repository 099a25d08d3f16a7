/**
 * Bodies for which an envelope had no room: lent to others piece by piece, and fetched where others sent a reference.
 * Z5 of `arrivals.ts` stands here.
 */
import type { Did } from '../../runtime/codec/did.ts';
import type { DigestText } from '../../runtime/codec/record.ts';
import type { Millis } from '../../runtime/core/brand.ts';
import type { Clock } from '../../runtime/core/clock.ts';
import { err, ok, type Refusal, type Result } from '../../runtime/core/result.ts';
import { type Admitted, faultSince, type NodeView } from '../admit.ts';
import { FRESH_MS_MAX } from '../limits.ts';
import { JSON_MEDIA } from './bodies.ts';
import { type BodyReference, CHUNK_COMMAND, CHUNK_MEDIA, readChunkRequest, readReference } from './body-reference.ts';
import type { Departures } from './departures.ts';
import type { Fetches } from './fetches.ts';
import { SERVE_RATE } from './limits.ts';
import { UNANSWERED } from './refusals.ts';
import { Buckets } from './tally.ts';

export type LargeBodyParts = {
  readonly clock: Clock;
  readonly view: NodeView;
  readonly departures: Departures;
  readonly fetches: Fetches;
  /** Work that nobody waits for. */
  readonly begin: (work: Promise<void>) => void;
};

/** A failure that says no more than its code. */
const NOTHING = new Uint8Array(0);

export class LargeBodies {
  readonly #parts: LargeBodyParts;
  readonly #served = new Buckets<Did>(SERVE_RATE);
  /** Requests whose answers are being fetched. */
  readonly #fetching = new Set<DigestText>();

  constructor(parts: LargeBodyParts) {
    this.#parts = parts;
  }

  /** A piece of what this node has lent to that one. Neither a loan that has ended nor a rate is anybody's fault. */
  serve({ claims, content, message }: Admitted, from: Did, at: Millis, blame: (refusal: Refusal) => void): void {
    const wanted = readChunkRequest(content);
    if (!wanted.ok) {
      blame(wanted.error);
      return;
    }
    const { departures } = this.#parts;
    const isSlow = !this.#served.take(from, at);
    const chunk = isSlow ? undefined : departures.loans.chunk(from, wanted.value);
    const code = isSlow ? 'answer.busy' : 'body.not_lent';
    const said =
      chunk === undefined
        ? ({ kind: 'failure', answer: { code, request: message }, media: JSON_MEDIA, content: NOTHING } as const)
        : ({ kind: 'reply', answer: { request: message }, media: CHUNK_MEDIA, content: chunk } as const);
    const deadline = Math.min(claims.deadline, at + FRESH_MS_MAX) as Millis;
    departures.say(from, { ...said, command: CHUNK_COMMAND, deadline, lane: 'body' });
  }

  /** The message as it would be if its envelope had had room for it (Z5). */
  async fetch(admitted: Admitted, reference: BodyReference, from: Did, at: Millis): Promise<Result<Admitted, Refusal>> {
    const { clock, fetches, view } = this.#parts;
    const { claims, node: key } = admitted;
    const fetched = await fetches.fetch({ did: from, key }, reference, claims.deadline, at);
    if (!fetched.ok) return fetched;
    const content = fetched.value;
    const body = { ...claims.body, media: JSON_MEDIA, length: content.length };
    const whole: Admitted = { ...admitted, claims: { ...claims, body }, content };
    const refusal = faultSince(whole, clock.now(), view);
    return refusal === undefined ? ok(whole) : err(refusal);
  }

  /** The answer to a request of this node, of which the rest is elsewhere. */
  fetchAnswer(admitted: Admitted, from: Did, at: Millis, blame: (refusal: Refusal) => void): void {
    const { departures, begin } = this.#parts;
    const request = admitted.claims.answer?.request;
    const reference = readReference(admitted.content);
    if (!reference.ok) {
      blame(reference.error);
      if (request !== undefined) departures.fail(request, reference.error.code, reference.error.message);
      return;
    }
    if (request === undefined || !departures.isOpen(request) || this.#fetching.has(request)) return;
    this.#fetching.add(request);
    const work = async (): Promise<void> => {
      const whole = await this.fetch(admitted, reference.value, from, at);
      this.#fetching.delete(request);
      if (whole.ok) departures.hear(whole.value);
      else blame(whole.error);
      // What is not answered is asked again, and so is what may come another time.
      if (!whole.ok && !UNANSWERED.has(whole.error.code))
        departures.fail(request, whole.error.code, whole.error.message);
    };
    begin(work());
  }
}
