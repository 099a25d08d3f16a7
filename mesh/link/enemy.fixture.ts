/** Somebody who logs in to the carrier as himself, keeps the protocol as far as it suits him, and says what he likes. */
import type { Did } from '../../runtime/codec/did.ts';
import { generateKeyPair } from '../../runtime/codec/ed25519.ts';
import { type DigestText, digestText } from '../../runtime/codec/record.ts';
import type { Millis } from '../../runtime/core/brand.ts';
import { utf8 } from '../../runtime/core/bytes.ts';
import { unwrap } from '../../runtime/core/result.ts';
import { newEventId } from '../../runtime/kernel/event-id.ts';
import { isBundle, splitBundle } from '../bundle.ts';
import { type Claims, decodeClaims, messageDigest } from '../claims.ts';
import { SALT_BYTES, splitFrame } from '../frame.ts';
import { stepOf } from '../handshake.ts';
import type { Epoch, Kind } from '../head.ts';
import { readCertificate, writeCertificate } from '../hosting.ts';
import { composeMessage, nodeDid, sealMessages } from '../message.ts';
import { PRESENTATION_MEDIA, writePresentation } from '../presentation.ts';
import type { Session } from '../session.ts';
import { type Lane, type NodeToken, nodeToken } from '../subject.ts';
import type { Transport } from '../transport.ts';
import { anAgent } from '../world.fixture.ts';
import { digestOf, type LinkNode } from './link.fixture.ts';
import { Meetings } from './meeting.ts';
import type { Net } from './net.fixture.ts';

export class Enemy {
  readonly net: Net;
  readonly node;
  readonly did: Did;
  readonly token: NodeToken;
  readonly #transport: Transport;
  readonly #meetings: Meetings;
  readonly #sessions = new Map<NodeToken, Session>();
  readonly #ended = new AbortController();
  /** What he hears, as far as it is not encrypted. */
  onMessage: (heard: { readonly claims: Claims; readonly message: DigestText; readonly content: Uint8Array }) => void =
    () => undefined;
  /** The head that he states of his log. */
  head = { origin: digestOf('his log'), root: digestOf('his root'), size: 3 };

  constructor(net: Net) {
    this.net = net;
    const pair = generateKeyPair(net.random);
    this.node = { pair, epoch: net.random.bytes(8) as Epoch };
    this.did = nodeDid(pair.publicKey);
    this.token = nodeToken(this.did);
    this.#transport = net.attach(this.token);
    const terms = () => ({ contracts: [], encryption: 'none' as const, head: this.head });
    this.#meetings = new Meetings({ node: this.node, terms, mayMeet: () => true, random: net.random });
    this.#listen().catch(() => undefined);
  }

  /** A session with an honest node, as anybody who may meet it has. */
  async meet({ did, token }: LinkNode): Promise<void> {
    const hello = this.#meetings.want(did, this.net.clock.now());
    if (hello !== undefined) this.#transport.send('hand', hello.to, hello.frame);
    await this.net.until('the enemy has a session', () => this.#sessions.has(token));
    await this.net.pass(50);
  }

  /** An agent of his own, of which the node has heard: the claims with which it speaks. */
  async adopt(to: LinkNode): Promise<Pick<Claims, 'from'> & { readonly certificate: Claims['certificate'] }> {
    const agent = anAgent('mallory', this.net.random);
    const issued = this.net.clock.now();
    const hosting = {
      agent: agent.did,
      node: this.did,
      epoch: this.node.epoch,
      issued,
      expires: (issued + 3_600_000) as Millis,
    };
    const certificate = writeCertificate(hosting, agent.key);
    const content = writePresentation([...agent.identity.history, certificate]);
    this.say(to, {
      kind: 'present',
      lane: 'hand',
      claims: { command: '/mesh/present' },
      content,
      media: PRESENTATION_MEDIA,
    });
    await this.net.pass(50);
    return { from: agent.did, certificate: unwrap(readCertificate(certificate), 'a certificate').cid };
  }

  /** Signs and sends these claims, which are his own words where he says nothing else. */
  say(
    to: LinkNode,
    said: {
      readonly kind: Kind;
      readonly claims: { readonly [K in keyof Claims]?: Claims[K] | undefined };
      readonly content?: Uint8Array;
      readonly lane?: Lane;
      readonly media?: string;
    },
  ): DigestText {
    const session = this.#sessions.get(to.token);
    if (session === undefined) throw new Error('expected a session');
    const at = this.net.clock.now();
    const own = {
      chain: [],
      command: '/quote/do-it',
      correlation: newEventId(this.net.clock, this.net.random),
      deadline: (at + 60_000) as Millis,
      delegation: [],
      from: this.did,
      head: this.head,
      id: newEventId(this.net.clock, this.net.random),
      to: to.did,
    };
    const members = Object.entries({ ...own, ...said.claims }).filter(([, value]) => value !== undefined);
    const claims = Object.fromEntries(members) as unknown as Omit<Claims, 'body'>;
    const content = said.content ?? utf8('null');
    const message = composeMessage(
      { kind: said.kind, claims, media: said.media ?? 'application/json', content },
      this.net.random,
    );
    const [frame = new Uint8Array()] = sealMessages([{ message, route: { type: 'session', session } }], this.node, at);
    this.send(said.lane ?? 'ask', to, frame);
    return Buffer.from(message.digest).toString('base64url') as DigestText;
  }

  /** Any bytes, as himself. */
  send(lane: Lane, to: LinkNode, bytes: Uint8Array): void {
    this.#transport.send(lane, to.token, bytes);
  }

  /** Any bytes, in the name of another: as who owns the broker can. */
  forge(lane: Lane, names: { readonly from: LinkNode; readonly to: LinkNode }, bytes: Uint8Array): void {
    this.net.carrier.carry(lane, names.from.token, names.to.token, bytes);
  }

  async #listen(): Promise<void> {
    for await (const group of this.#transport.arrivals(this.#ended.signal)) {
      for (const arrival of group) {
        if (arrival.type !== 'message') continue;
        if (stepOf(arrival.bytes) === undefined) {
          this.#overhear(arrival.bytes);
          continue;
        }
        const heard = this.#meetings.hear(arrival.bytes, arrival.from, this.net.clock.now());
        if (!heard.ok) continue;
        const { say, session } = heard.value;
        if (session !== undefined) this.#sessions.set(arrival.from, session);
        if (say !== undefined) this.#transport.send('hand', say.to, say.frame);
      }
    }
  }

  #overhear(bytes: Uint8Array): void {
    const bundle = isBundle(bytes) ? splitBundle(bytes) : undefined;
    const frame = splitFrame(bytes);
    const all = bundle?.ok === true ? bundle.value.items : frame.ok ? [frame.value] : [];
    for (const { claims, body } of all) {
      const read = decodeClaims(claims);
      const message = digestText(messageDigest(claims));
      if (read.ok) this.onMessage({ claims: read.value, message, content: body.subarray(SALT_BYTES) });
    }
  }
}
