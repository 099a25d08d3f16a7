/**
 * Bodies that are being fetched from nodes which sent references to them.
 *
 * Q1. Nothing is set aside that is not counted: FETCH_BYTES_MAX in all, FETCH_BYTES_PER_NODE_MAX for one node, and no more
 *     than the reference says for one body. A node that says much and sends nothing costs its own share, for FETCH_IDLE_MS.
 * Q2. A chunk counts only as the answer to the request for it, from the node that was asked, and with the length that it has
 *     to have. What is whole is handed on only with the digest that was signed.
 * Q3. A body that does not come is given up when its deadline is over, or nothing came for FETCH_IDLE_MS.
 */
import type { Did } from '../../runtime/codec/did.ts';
import type { PublicKey } from '../../runtime/codec/ed25519.ts';
import { type DigestText, digestText } from '../../runtime/codec/record.ts';
import type { Millis } from '../../runtime/core/brand.ts';
import { err, ok, type Refusal, type Result } from '../../runtime/core/result.ts';
import type { Admitted } from '../admit.ts';
import type { Message } from '../message.ts';
import { JSON_MEDIA } from './bodies.ts';
import {
  type BodyReference,
  CHUNK_COMMAND,
  CHUNK_MEDIA,
  type ChunkRequest,
  chunkLength,
  chunksIn,
  digestOfBody,
  writeChunkRequest,
} from './body-reference.ts';
import type { Departures } from './departures.ts';
import {
  CHUNK_BYTES,
  CHUNK_RETRY_MS_MAX,
  CHUNK_RETRY_MS_MIN,
  CHUNKS_IN_FLIGHT_MAX,
  FETCH_BYTES_MAX,
  FETCH_BYTES_PER_NODE_MAX,
  FETCH_IDLE_MS,
  FETCH_RATE,
} from './limits.ts';
import { Buckets } from './tally.ts';

/** How a chunk is asked for. The link does it. */
export type Asking = {
  /** Writes the request and sends it; nothing, where too many answers are awaited already. */
  readonly ask: (
    of: Lender,
    request: ChunkRequest,
    deadline: Millis,
  ) => { readonly message: Message; readonly digest: DigestText } | undefined;
  readonly again: (of: Lender, message: Message) => void;
  /** No answer to this is awaited any more. */
  readonly settle: (request: DigestText) => void;
};

/** Who has the body: the node that sent the reference. */
export type Lender = { readonly did: Did; readonly key: PublicKey };

type Asked = { readonly message: Message; readonly index: number; attempts: number; due: Millis };

type Fetch = {
  readonly of: Lender;
  readonly reference: BodyReference;
  readonly deadline: Millis;
  readonly content: Uint8Array;
  readonly missing: Set<number>;
  /** By the digest of the request. */
  readonly asked: Map<DigestText, Asked>;
  heardAt: Millis;
  readonly settle: (result: Result<Uint8Array, Refusal>) => void;
};

export class Fetches {
  readonly #asking: Asking;
  readonly #fetches = new Set<Fetch>();
  readonly #byRequest = new Map<DigestText, Fetch>();
  readonly #byNode = new Map<Did, number>();
  readonly #rate = new Buckets<Did>(FETCH_RATE);
  #bytes = 0;

  constructor(asking: Asking) {
    this.#asking = asking;
  }

  /** Bytes that are set aside. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The body, with the digest that the reference says; or `body.no_room`, `body.not_fetched`, `envelope.past_deadline`, after
   *  which another try may succeed, or `body.wrong_chunk`, `body.false_reference`, which its sender answers for. */
  fetch(of: Lender, reference: BodyReference, deadline: Millis, at: Millis): Promise<Result<Uint8Array, Refusal>> {
    const { size } = reference;
    const ofNode = this.#byNode.get(of.did) ?? 0;
    if (this.#bytes + size > FETCH_BYTES_MAX || ofNode + size > FETCH_BYTES_PER_NODE_MAX) {
      const message = `expected room for ${size} bytes beside ${ofNode} of the same node`;
      return Promise.resolve(err({ code: 'body.no_room', message }));
    }
    this.#bytes += size;
    this.#byNode.set(of.did, ofNode + size);
    const { promise, resolve } = Promise.withResolvers<Result<Uint8Array, Refusal>>();
    const missing = new Set(Array.from({ length: chunksIn(size) }, (_, index) => index));
    // Zeroed pages are the system's until they are written, so what never comes costs nothing.
    const content = new Uint8Array(size);
    const fetch: Fetch = { of, reference, deadline, content, missing, asked: new Map(), heardAt: at, settle: resolve };
    this.#fetches.add(fetch);
    this.#askMore(fetch, at);
    return promise;
  }

  /** An answer was admitted. False if it is to no request of these. */
  hear({ claims, head, content }: Admitted, at: Millis): boolean {
    const request = claims.answer?.request;
    const fetch = request && this.#byRequest.get(request);
    const asked = request && fetch?.asked.get(request);
    if (request === undefined || fetch === undefined || asked === undefined) return false;
    if (head.kind !== 'reply') {
      asked.due = (at + pauseOf(asked)) as Millis; // it is not lent yet, or the lender is busy
      return true;
    }
    this.#settle(fetch, request);
    const length = chunkLength(fetch.reference.size, asked.index);
    if (claims.body.media !== CHUNK_MEDIA || content.length !== length) {
      const message = `expected ${length} bytes of ${CHUNK_MEDIA}, found ${content.length} of ${claims.body.media}`;
      this.#end(fetch, err({ code: 'body.wrong_chunk', message }));
      return true;
    }
    fetch.content.set(content, asked.index * CHUNK_BYTES);
    fetch.missing.delete(asked.index);
    fetch.heardAt = at;
    if (fetch.missing.size > 0) this.#askMore(fetch, at);
    else if (digestOfBody(fetch.content) === fetch.reference.digest) this.#end(fetch, ok(fetch.content));
    else {
      const message = `expected a body of digest ${fetch.reference.digest}`;
      this.#end(fetch, err({ code: 'body.false_reference', message }));
    }
    return true;
  }

  /** Asks again, asks for more, gives up (Q3). */
  tick(at: Millis): void {
    for (const fetch of this.#fetches) {
      const { deadline, heardAt, of } = fetch;
      if (at > deadline) {
        this.#end(fetch, err({ code: 'envelope.past_deadline', message: `expected the body before ${deadline}` }));
        continue;
      }
      if (at - heardAt > FETCH_IDLE_MS) {
        const message = `expected ${fetch.missing.size} more chunks, heard nothing for ${at - heardAt} ms`;
        this.#end(fetch, err({ code: 'body.not_fetched', message }));
        continue;
      }
      for (const [request, asked] of fetch.asked) {
        if (at > asked.message.deadline) {
          this.#settle(fetch, request); // it is asked for anew
          continue;
        }
        if (at < asked.due) continue;
        asked.attempts++;
        asked.due = (at + pauseOf(asked)) as Millis;
        this.#asking.again(of, asked.message);
      }
      this.#askMore(fetch, at);
    }
  }

  /** This node ends. */
  end(): void {
    for (const fetch of this.#fetches) {
      this.#end(fetch, err({ code: 'body.not_fetched', message: 'this node ends' }));
    }
  }

  #askMore(fetch: Fetch, at: Millis): void {
    const under = new Set([...fetch.asked.values()].map(({ index }) => index));
    for (const index of fetch.missing) {
      if (under.size >= CHUNKS_IN_FLIGHT_MAX) return;
      if (under.has(index)) continue;
      if (!this.#rate.take(fetch.of.did, at)) return;
      const deadline = Math.min(fetch.deadline, at + FETCH_IDLE_MS * 2) as Millis;
      const said = this.#asking.ask(fetch.of, { digest: fetch.reference.digest, index }, deadline);
      if (said === undefined) return;
      under.add(index);
      fetch.asked.set(said.digest, {
        message: said.message,
        index,
        attempts: 0,
        due: (at + CHUNK_RETRY_MS_MIN) as Millis,
      });
      this.#byRequest.set(said.digest, fetch);
    }
  }

  #settle(fetch: Fetch, request: DigestText): void {
    fetch.asked.delete(request);
    this.#byRequest.delete(request);
    this.#asking.settle(request);
  }

  #end(fetch: Fetch, result: Result<Uint8Array, Refusal>): void {
    for (const request of [...fetch.asked.keys()]) this.#settle(fetch, request);
    this.#fetches.delete(fetch);
    const { size } = fetch.reference;
    this.#bytes -= size;
    const left = (this.#byNode.get(fetch.of.did) ?? size) - size;
    if (left === 0) this.#byNode.delete(fetch.of.did);
    else this.#byNode.set(fetch.of.did, left);
    fetch.settle(result);
  }
}

function pauseOf({ attempts }: Asked): number {
  return Math.min(CHUNK_RETRY_MS_MIN * 2 ** attempts, CHUNK_RETRY_MS_MAX);
}

/** Over the departures of a link, as the node itself, on the lane of pieces. */
export function askForChunks(departures: Departures, self: Did): Asking {
  return {
    ask({ did: asked, key: node }, request, deadline) {
      if (departures.pending.isFull) return undefined;
      const content = writeChunkRequest(request);
      const word = { kind: 'ask', command: CHUNK_COMMAND, media: JSON_MEDIA, content, deadline, lane: 'body' } as const;
      const message = departures.say(asked, word);
      const digest = digestText(message.digest);
      departures.pending.await(digest, { node, asked, asker: self, deadline });
      return { message, digest };
    },
    again: ({ did }, message) => departures.sayAgain(did, message, 'body'),
    settle: (request) => departures.forget(request),
  };
}
