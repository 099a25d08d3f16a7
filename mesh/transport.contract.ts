/** What every transport must do: `transport.ts` in tests. Whoever implements the port calls this with a carrier of its own. */
import { expect, test } from 'vitest';
import type { Did } from '../runtime/codec/did.ts';
import { equalBytes, utf8, view } from '../runtime/core/bytes.ts';
import { systemClock } from '../runtime/core/system.ts';
import { ARRIVALS_PER_TURN } from './limits.ts';
import { ALL, type Lane, type NodeToken, nodeToken } from './subject.ts';
import type { Arrival, Transport } from './transport.ts';

/** A carrier with room for three nodes, which it knows by their DIDs. */
export type Carrier = AsyncDisposable & {
  readonly nodes: readonly [Did, Did, Did];
  readonly attach: (node: Did) => Promise<Transport>;
};

/** Fails a test that would wait for ever; longer than any broker on loopback takes. */
const PATIENCE_MS = 10_000;

export function transportContract(name: string, open: () => Promise<Carrier>): void {
  test(`${name}: a message arrives with its lane, its sender and its bytes`, async () => {
    await using carrier = await open();
    const [a, b] = carrier.nodes;
    await using from = await carrier.attach(a);
    await using to = await carrier.attach(b);
    const reader = new Reader(to);
    for (const lane of ['hand', 'ask', 'tell', 'answer'] as const) {
      from.send(lane, nodeToken(b), utf8(lane));
      expect(await reader.next()).toEqual({ type: 'message', lane, from: nodeToken(a), bytes: lane });
    }
  });

  test(`${name}: any bytes arrive as they were, none included`, async () => {
    await using carrier = await open();
    const [a, b] = carrier.nodes;
    await using from = await carrier.attach(a);
    await using to = await carrier.attach(b);
    const reader = new Reader(to);
    const all = Uint8Array.from({ length: 256 }, (_, byte) => byte);
    for (const bytes of [new Uint8Array(0), all, utf8('PUB x 3\r\nabc\r\n'), new Uint8Array(200_000)]) {
      from.send('tell', nodeToken(b), bytes);
      const arrival = await reader.nextRaw();
      expect(arrival.type === 'message' && equalBytes(arrival.bytes, bytes)).toBe(true);
    }
  });

  test(`${name}: what the sender does to its bytes afterwards changes nothing`, async () => {
    await using carrier = await open();
    const [a, b] = carrier.nodes;
    await using from = await carrier.attach(a);
    await using to = await carrier.attach(b);
    const bytes = utf8('before');
    from.send('ask', nodeToken(b), bytes);
    await from.flush(patience());
    bytes.fill(0);
    expect(await new Reader(to).next()).toMatchObject({ bytes: 'before' });
  });

  test(`${name}: order is kept, in groups of at most ARRIVALS_PER_TURN`, async () => {
    await using carrier = await open();
    const [a, b] = carrier.nodes;
    await using from = await carrier.attach(a);
    await using to = await carrier.attach(b);
    for (let n = 0; n < 500; n++) from.send('ask', nodeToken(b), utf8(String(n)));
    const seen: string[] = [];
    for await (const group of to.arrivals(patience())) {
      expect(group.length).toBeLessThanOrEqual(ARRIVALS_PER_TURN);
      for (const arrival of group) if (arrival.type === 'message') seen.push(view(arrival.bytes).toString());
      if (seen.length === 500) break;
    }
    expect(seen).toEqual(Array.from({ length: 500 }, (_, n) => String(n)));
  });

  test(`${name}: only the recipient sees a message; everybody else sees what is for all`, async () => {
    await using carrier = await open();
    const [a, b, c] = carrier.nodes;
    await using from = await carrier.attach(a);
    await using to = await carrier.attach(b);
    await using third = await carrier.attach(c);
    from.send('tell', nodeToken(b), utf8('for b'));
    from.send('beat', ALL, utf8('for all'));
    from.send('revoke', ALL, utf8('for all, too'));
    const [ofB, ofC] = [new Reader(to), new Reader(third)];
    expect([await ofB.next(), await ofB.next(), await ofB.next()]).toMatchObject([
      { lane: 'tell' },
      { lane: 'beat', bytes: 'for all' },
      { lane: 'revoke' },
    ]);
    expect([await ofC.next(), await ofC.next()]).toMatchObject([{ lane: 'beat' }, { lane: 'revoke' }]);
    to.send('tell', nodeToken(a), utf8('first that a sees'));
    expect(await new Reader(from).next()).toMatchObject({ bytes: 'first that a sees' });
  });

  test(`${name}: who sends to nobody is told so`, async () => {
    await using carrier = await open();
    const [a, b] = carrier.nodes;
    await using from = await carrier.attach(a);
    from.send('ask', nodeToken(b), utf8('anybody there?'));
    expect(await new Reader(from).next()).toEqual({ type: 'absent', lane: 'ask', to: nodeToken(b) });
  });

  test(`${name}: a message over the limit is refused, one at the limit is not`, async () => {
    await using carrier = await open();
    const [a, b] = carrier.nodes;
    await using from = await carrier.attach(a);
    const send = (length: number): void => from.send('tell', nodeToken(b), new Uint8Array(length));
    expect(() => send(from.messageBytesMax + 1)).toThrow(expect.objectContaining({ code: 'transport.too_large' }));
    expect(() => send(from.messageBytesMax)).not.toThrow();
  });

  test(`${name}: nobody sends to himself, or to all on a lane that is not for all`, async () => {
    await using carrier = await open();
    const [a, b] = carrier.nodes;
    await using from = await carrier.attach(a);
    const cases: readonly (readonly [Lane, NodeToken])[] = [
      ['tell', nodeToken(a)],
      ['tell', ALL],
      ['beat', nodeToken(b)],
    ];
    for (const [lane, to] of cases) {
      expect(() => from.send(lane, to, new Uint8Array(1))).toThrow(expect.objectContaining({ code: 'assert.failed' }));
    }
  });

  test(`${name}: reading ends with the signal, and what was not read waits for the next reader`, async () => {
    await using carrier = await open();
    const [a, b] = carrier.nodes;
    await using from = await carrier.attach(a);
    await using to = await carrier.attach(b);
    const ended = new AbortController();
    const first = collect(to.arrivals(ended.signal));
    ended.abort();
    expect(await first).toEqual([]);
    from.send('ask', nodeToken(b), utf8('kept'));
    expect(await new Reader(to).next()).toMatchObject({ bytes: 'kept' });
  });

  test(`${name}: disposing ends the arrivals, twice does no harm, and sending afterwards throws`, async () => {
    await using carrier = await open();
    const [a, b] = carrier.nodes;
    const transport = await carrier.attach(a);
    const reading = collect(transport.arrivals(patience()));
    await transport[Symbol.asyncDispose]();
    await transport[Symbol.asyncDispose]();
    expect(await reading).toEqual([]);
    const code = expect.objectContaining({ code: 'transport.closed' });
    expect(() => transport.send('ask', nodeToken(b), new Uint8Array(1))).toThrow(code);
    await expect(transport.flush(patience())).rejects.toThrow(code);
  });
}

/** Arrivals one by one; a message's bytes as text. */
class Reader {
  readonly #groups: AsyncIterator<readonly Arrival[]>;
  #rest: readonly Arrival[] = [];

  constructor(transport: Transport) {
    this.#groups = transport.arrivals(patience())[Symbol.asyncIterator]();
  }

  async nextRaw(): Promise<Arrival> {
    if (this.#rest.length === 0) {
      const group = await this.#groups.next();
      this.#rest = group.done === true ? [] : group.value;
    }
    const [first, ...rest] = this.#rest;
    this.#rest = rest;
    if (first === undefined) throw new Error('expected an arrival, found the end');
    return first;
  }

  async next(): Promise<unknown> {
    const arrival = await this.nextRaw();
    return arrival.type === 'message' ? { ...arrival, bytes: view(arrival.bytes).toString() } : arrival;
  }
}

/** Everything until the end. */
export async function collect<T>(items: AsyncIterable<T>): Promise<readonly T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** Only to fail in time: no test waits for it. */
function patience(): AbortSignal {
  const controller = new AbortController();
  systemClock.after(PATIENCE_MS, () => controller.abort(new Error('expected it within 10 s')));
  return controller.signal;
}
