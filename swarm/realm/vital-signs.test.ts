/** Nodes that beat to one another, on a wire that can be told to fail, under a clock that moves when told. */
import { Buffer } from 'node:buffer';
import { expect, test } from 'vitest';
import { writeDeath } from '../../mesh/death.ts';
import type { Epoch } from '../../mesh/head.ts';
import { type Beat, writeBeat } from '../../mesh/heartbeat.ts';
import { Net } from '../../mesh/link/net.fixture.ts';
import { nodeDid, type SealingNode } from '../../mesh/message.ts';
import type { RevocationHead } from '../../mesh/revocation/revocations.ts';
import { ALL, nodeToken } from '../../mesh/subject.ts';
import type { Transport } from '../../mesh/transport.ts';
import type { Did } from '../../runtime/codec/did.ts';
import { generateKeyPair } from '../../runtime/codec/ed25519.ts';
import type { JsonValue } from '../../runtime/codec/json.ts';
import type { Millis } from '../../runtime/core/brand.ts';
import { toBase64url } from '../../runtime/core/bytes.ts';
import type { EventLog } from '../../runtime/log/event-log.ts';
import { MemoryWorld } from '../../runtime/log/memory-log.ts';
import { soundEventsOf } from '../../runtime/log/sound-events.fixture.ts';
import { NO_REVOCATIONS, VitalSigns } from './vital-signs.ts';

const digest = NO_REVOCATIONS.head().digest;

type Life = { readonly signs: VitalSigns; readonly log: EventLog; readonly transport: Transport };

/** A node that does nothing but live. */
class Living {
  readonly node: SealingNode;
  readonly did: Did;
  readonly lost: Did[] = [];
  readonly returned: Did[] = [];
  readonly revocations: (readonly [Did, RevocationHead])[] = [];
  readonly #net: Net;
  #life: Life | undefined;
  hasCarrier = true;

  constructor(net: Net, name: string, life = 'first') {
    const random = net.random.stream(name);
    this.#net = net;
    this.node = { pair: generateKeyPair(random), epoch: random.stream(life).bytes(8) as Epoch };
    this.did = nodeDid(this.node.pair.publicKey);
  }

  async begin(all: readonly Living[]): Promise<this> {
    const { clock, random } = this.#net;
    const { log } = await new MemoryWorld(random).open(clock);
    const transport = this.#net.attach(nodeToken(this.did));
    const signs = new VitalSigns({
      ...{ node: this.node, transport, log, clock, random },
      hasCarrier: () => this.hasCarrier,
      members: all.map(({ did }) => did).filter((did) => did !== this.did),
      load: () => ({ agents: 2, mailbox: 3, turn: 40 }),
      revocations: { ...NO_REVOCATIONS, beat: (node, head) => void this.revocations.push([node, head]) },
      onLost: (node) => void this.lost.push(node),
      onReturned: (node) => void this.returned.push(node),
    });
    this.#life = { signs, log, transport };
    void this.#listen(transport, signs);
    signs.start();
    return this;
  }

  get signs(): VitalSigns {
    return this.#alive.signs;
  }

  /** As `kill -9` does. */
  async die(): Promise<void> {
    await this.#alive.transport[Symbol.asyncDispose]();
  }

  /** Nothing can be recorded any more. */
  async end(): Promise<void> {
    await this.#alive.log[Symbol.asyncDispose]();
  }

  say(bytes: Uint8Array): void {
    this.#alive.transport.send('beat', ALL, bytes);
  }

  /** What it has on record, in short. */
  get recorded(): readonly string[] {
    return soundEventsOf(this.#alive.log).map(({ type, payload }) => {
      const { why, after, by, cause } = (payload.type === 'json' ? payload.value : {}) as { [name: string]: JsonValue };
      return [type, why ?? after ?? (by === null ? 'seen' : 'told'), cause]
        .filter((word) => word !== undefined)
        .join(' ');
    });
  }

  get #alive(): Life {
    if (this.#life === undefined) throw new Error('expected a node that has begun');
    return this.#life;
  }

  async #listen(transport: Transport, signs: VitalSigns): Promise<void> {
    for await (const group of transport.arrivals(new AbortController().signal)) {
      for (const arrival of group) if (arrival.type === 'message') signs.hear(arrival.bytes, arrival.from);
    }
  }
}

type Three = { readonly net: Net; readonly a: Living; readonly b: Living; readonly c: Living };

async function three(seed: string): Promise<Three> {
  const net = new Net(seed);
  const all = ['a', 'b', 'c'].map((name) => new Living(net, name));
  for (const node of all) await node.begin(all);
  await net.pass(6_000);
  const [a, b, c] = all as [Living, Living, Living];
  return { net, a, b, c };
}

test('nodes that beat leave nothing on record, and each hears what the others know to be revoked', async () => {
  const { net, a, b } = await three('quiet');
  await net.pass(60_000);
  expect(a.recorded).toEqual([]);
  expect(a.signs.refused).toEqual({});
  expect(a.revocations.filter(([node]) => node === b.did).length).toBeGreaterThan(10);
  expect(a.revocations[0]?.[1]).toEqual(NO_REVOCATIONS.head());
});

test('who falls silent is suspected, then dead, on record before its agents are given up (H1, H3)', async () => {
  const { net, a, b, c } = await three('silent');
  await b.die();
  await net.pass(16_000);
  expect(a.recorded).toEqual(['peer.suspected seen silent']);
  expect(a.lost).toEqual([]);
  await net.pass(8_000);
  expect(a.recorded).toEqual(['peer.suspected seen silent', 'peer.died silent']);
  expect([a.lost, c.lost]).toEqual([[b.did], [b.did]]);
  expect(a.signs.isFollowed(b.did)).toBe(true);
});

test('who saw the end tells all, and they have not to wait for silence (H1)', async () => {
  const { net, a, b, c } = await three('seen');
  await b.die();
  a.signs.sawEnd(b.did, 'exited');
  await net.pass(9_000);
  expect(a.recorded).toEqual(['peer.suspected seen silent', 'peer.died accused']);
  expect(c.recorded).toEqual(['peer.suspected told exited', 'peer.died accused']);
  expect(c.lost).toEqual([b.did]);
});

test('who finds another silent tells all; the accused refutes at once, and nobody else gives it up', async () => {
  const { net, a, b, c } = await three('one ear');
  net.carrier.fault = ({ from, to }) => (from === nodeToken(c.did) && to === nodeToken(a.did) ? 'drop' : 'deliver');
  await net.pass(25_000);
  expect(a.lost).toEqual([c.did]);
  expect(b.recorded).toEqual(['peer.suspected told silent', 'peer.returned suspicion']);
  expect(b.lost).toEqual([]);
});

test('an accused node does not wait for its next heartbeat', async () => {
  const { net, a, b, c } = await three('refuted');
  a.signs.sawEnd(b.did, 'exited');
  await net.pass(200);
  expect(c.recorded).toEqual(['peer.suspected told exited', 'peer.returned suspicion']);
});

test('a life that goes on after it was given up has returned (H3)', async () => {
  const { net, a, b } = await three('paused');
  net.wire = ({ from }) => (from === nodeToken(b.did) ? [] : [0]);
  await net.pass(30_000);
  net.wire = () => [0];
  await net.pass(6_000);
  expect(a.recorded).toEqual(['peer.suspected seen silent', 'peer.died silent', 'peer.returned death']);
  expect([a.lost, a.returned]).toEqual([[b.did], [b.did]]);
});

test('whose own carrier is away blames nobody for the silence', async () => {
  const { net, a } = await three('carrier');
  a.hasCarrier = false;
  net.wire = () => [];
  await net.pass(60_000);
  expect(a.recorded).toEqual([]);
});

test('a node that ends in order says so, and is given up at once', async () => {
  const { net, a, b } = await three('leaving');
  b.signs.drain();
  await b.signs.stop();
  await net.pass(100);
  expect(a.recorded).toEqual(['peer.died left']);
  expect(a.lost).toEqual([b.did]);
});

test('a node that is back in a younger life at once is not given up: its agents go on there (H4)', async () => {
  const { net, a, b, c } = await three('replaced');
  await b.die();
  const again = await new Living(net, 'b', 'second').begin([a, b, c]);
  await net.pass(30_000);
  expect(again.did).toBe(b.did);
  expect(a.recorded).toEqual(['peer.died replaced']);
  expect(a.lost).toEqual([]);
});

test('attack: false death notices kill nobody whose heart beats, and fill no log (H2)', async () => {
  const { net, a, b, c } = await three('slander');
  for (let n = 0; n < 300; n++) {
    const death = {
      at: net.clock.now(),
      by: c.did,
      cause: 'killed',
      epoch: toBase64url(b.node.epoch),
      node: b.did,
    } as const;
    c.say(writeDeath(death, c.node.pair));
    await net.pass(100);
  }
  expect(a.lost).toEqual([]);
  expect(a.recorded.every((line) => !line.startsWith('peer.died'))).toBe(true);
  expect(a.recorded.length).toBeLessThanOrEqual(2 * (40 + 2 * 20));
  expect(a.signs.refused['quota.exceeded']).toBeGreaterThan(0);
});

test('attack: a stranger’s, a borrowed, a replayed and a flooded heartbeat change nothing (H2)', async () => {
  const { net, a, b, c } = await three('strangers');
  const stranger = await new Living(net, 'stranger').begin([a, b, c]);
  await net.pass(10_000);
  expect(a.signs.isFollowed(stranger.did)).toBe(false);
  expect(a.signs.refused['beat.wrong_carrier']).toBeGreaterThan(0);
  const captured = net.sent.find(({ from }) => from === nodeToken(b.did))?.bytes ?? new Uint8Array();
  c.say(captured);
  await net.pass(100);
  const before = a.signs.refused['beat.wrong_carrier'] ?? 0;
  expect(before).toBeGreaterThan(1);
  b.say(captured);
  await net.pass(100);
  expect(a.signs.refused['beat.replayed'] ?? a.signs.refused['beat.stale']).toBe(1);
  const flood = writeBeat({ ...beatOf(net, c), number: 1 }, c.node.pair);
  for (let n = 0; n < 1_000; n++) c.say(flood);
  await net.pass(100);
  expect(a.signs.refused['quota.exceeded']).toBeGreaterThan(150);
  expect(a.recorded).toEqual([]);
});

function beatOf(net: Net, { did, node }: Living): Parameters<typeof writeBeat>[0] {
  const { digest } = NO_REVOCATIONS.head();
  return {
    ...{
      agents: 0,
      at: net.clock.now(),
      epoch: toBase64url(node.epoch),
      every: 5_000,
      mailbox: 0,
      node: did,
      number: 0,
    },
    ...{ head: { origin: digest, root: digest, size: 0 }, phase: 'up', revocations: { digest, epoch: 0 }, turn: 0 },
  };
}

test('what a node says of itself is what it is: its load, its log, its life', async () => {
  const net = new Net('said');
  const a = new Living(net, 'a');
  await a.begin([a]);
  const [first] = net.sent;
  expect(JSON.parse(Buffer.from(payloadOf(first?.bytes), 'base64url').toString())).toMatchObject({
    ...{ agents: 2, mailbox: 3, turn: 40, number: 0, phase: 'up', node: a.did, epoch: toBase64url(a.node.epoch) },
    ...{ every: 5_000, head: { size: 0 }, revocations: { epoch: 0 } },
  });
});

function payloadOf(statement: Uint8Array | undefined): string {
  return String((JSON.parse(Buffer.from(statement ?? []).toString()) as { readonly payload: string }).payload);
}

test('a node that cannot record ends', async () => {
  const { net, a, b } = await three('full');
  await a.end();
  await b.die();
  const failed = a.signs.failed.catch((error: unknown) => error);
  expect(await net.outcome(failed)).toBeInstanceOf(Error);
});

test.each([
  ['ahead', 3_000, 1, 'beat.future'],
  ['behind', -40_000, 3, 'beat.stale'],
] as const)(
  'a node whose clock is %s is named, though its heartbeats are refused (H5)',
  async (_what, ahead, needed, code) => {
    const { net, a, b } = await three('clocks');
    const { node, did } = b;
    await b.die();
    for (let n = 0; n < 3; n++) {
      const beat: Beat = {
        agents: 1,
        at: (net.clock.now() + ahead) as Millis,
        epoch: toBase64url(node.epoch),
        every: 5_000,
        head: { origin: digest, root: digest, size: 1 },
        mailbox: 0,
        node: did,
        number: 1_000 + n,
        phase: 'up',
        revocations: NO_REVOCATIONS.head(),
        turn: 0,
      };
      a.signs.hear(writeBeat(beat, node.pair), nodeToken(did));
      expect(a.signs.differentClocks.has(did)).toBe(n + 1 >= needed);
      await net.pass(50);
    }
    expect(a.signs.refused).toEqual({ [code]: 3 });
    expect(a.recorded.filter((told) => told.startsWith('peer.clock_differs'))).toHaveLength(1);
    // The broker can hold back or say again; it cannot sign.
    a.signs.hear(new Uint8Array(10), nodeToken(did));
    expect(a.signs.differentClocks.size).toBe(1);
  },
);
