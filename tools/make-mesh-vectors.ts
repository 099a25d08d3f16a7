/**
 * `node tools/make-mesh-vectors.ts`: writes the published vectors of did:mesh and iatp-mesh/1. Everything in them follows
 * from a seed, so making them again gives the same bytes; `mesh-vectors.int.test.ts` holds the files to that.
 *
 * Long because the cases are lists.
 */
import { writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { admit, admitBundle, type EnvelopeRefusal } from '../mesh/admit.ts';
import { writeCard } from '../mesh/agent-card.ts';
import { isBundle } from '../mesh/bundle.ts';
import type { Claims } from '../mesh/claims.ts';
import { hashIn } from '../mesh/domain.ts';
import { sealBatch, splitFrame } from '../mesh/frame.ts';
import { answerConfirm, answerHello, answerWelcome, sayHello } from '../mesh/handshake.ts';
import { encodeHead, type Head } from '../mesh/head.ts';
import { writeCertificate, writeWithdrawal } from '../mesh/hosting.ts';
import { foldIdentity, writeInception, writeRevocation, writeRotation } from '../mesh/identity.ts';
import { chunkLength, chunksIn, digestOfBody, readReference, writeReference } from '../mesh/link/body-reference.ts';
import { type Message, sealMessages, sealMessagesAsBundle } from '../mesh/message.ts';
import { Session } from '../mesh/session.ts';
import { writeStatement } from '../mesh/statement.ts';
import { type Agent, aFrame, aMessage, anAgent, didOf, later, meet, NOW, TestNode } from '../mesh/world.fixture.ts';
import { cidOf, parseCid } from '../runtime/codec/cid.ts';
import { formatDidKey } from '../runtime/codec/did-key.ts';
import { generateKeyPair, type KeyPair, seedOf } from '../runtime/codec/ed25519.ts';
import type { JsonValue } from '../runtime/codec/json.ts';
import { digestText } from '../runtime/codec/record.ts';
import type { Millis } from '../runtime/core/brand.ts';
import { concat, toBase64url, toHex, utf8, view } from '../runtime/core/bytes.ts';
import { type Refusal, type Result, unwrap } from '../runtime/core/result.ts';
import { seededRandom } from '../runtime/core/simulation.ts';

/** The files, by path, as they should be. */
export function meshVectors(): ReadonlyMap<string, string> {
  return new Map([
    ['docs/spec/vectors/did-mesh.json', `${JSON.stringify(didMesh(), null, 1)}\n`],
    ['docs/spec/vectors/iatp-mesh.json', `${JSON.stringify(iatpMesh(), null, 1)}\n`],
  ]);
}

const text = (bytes: Uint8Array): string => view(bytes).toString();
const b64 = toBase64url;

function didMesh(): JsonValue {
  const random = seededRandom('ringmesh did-mesh/1 vectors');
  const agent = anAgent('quote', random);
  const [third, fourth, stranger] = [generateKeyPair(random), generateKeyPair(random), generateKeyPair(random)];
  const inception = agent.identity.history[0] ?? new Uint8Array();
  const stray = writeInception({ name: 'stray', key: agent.key, next: agent.next.publicKey, at: NOW });
  const rotation = writeRotation(agent.identity, {
    from: agent.key,
    to: agent.next,
    next: third.publicKey,
    at: later(1),
  });
  const once = unwrap(foldIdentity([inception, rotation]), 'a history');
  const second = writeRotation(once, { from: agent.next, to: third, next: fourth.publicKey, at: later(2) });
  const fork = writeRotation(agent.identity, {
    from: agent.key,
    to: agent.next,
    next: fourth.publicKey,
    at: later(3),
  });
  const end = (by: KeyPair): Uint8Array => writeRevocation(agent.did, { by, reason: 'retired', at: later(4) });
  const incepting = (over: { readonly [name: string]: JsonValue }, signers: readonly KeyPair[]): Uint8Array =>
    writeStatement(
      'did-mesh/1/inception',
      { at: NOW, key: didOf(agent.key), name: 'quote', next: agent.identity.next, ...over },
      signers,
    );
  const rotating = (key: KeyPair, signers: readonly KeyPair[]): Uint8Array =>
    writeStatement(
      'did-mesh/1/rotation',
      {
        at: NOW,
        did: agent.did,
        key: didOf(key),
        next: agent.identity.next,
        previous: digestText(agent.identity.head),
        sequence: 1,
      },
      signers,
    );
  const flipped = text(inception).replace(
    /"signature":"(.)/,
    (_, first) => `"signature":"${first === 'A' ? 'B' : 'A'}`,
  );
  const cases: readonly (readonly [string, readonly Uint8Array[]])[] = [
    ['an inception with a sponsor', [inception]],
    ['an inception without one', [stray]],
    ['a rotation', [inception, rotation]],
    ['two rotations', [inception, rotation, second]],
    ['the same rotation twice', [inception, rotation, rotation]],
    ['ended by its sponsor', [inception, end(agent.sponsor)]],
    ['ended by the key in force', [inception, rotation, end(agent.next)]],
    ['ended by an older key', [inception, rotation, end(agent.key)]],
    ['ended, and then a rotation, which changes nothing', [inception, end(agent.sponsor), rotation]],
    ['a sponsor who did not sign', [incepting({ sponsor: didOf(stranger) }, [agent.key])]],
    ['a sponsor for whom another signed', [incepting({ sponsor: didOf(stranger) }, [agent.key, third])]],
    ['a key that sponsors itself', [incepting({ sponsor: didOf(agent.key) }, [agent.key])]],
    ['an inception that its key did not sign', [incepting({}, [stranger])]],
    ['an inception with a signature too many', [incepting({}, [agent.key, stranger])]],
    ['an inception with a member too many', [incepting({ admin: true }, [agent.key])]],
    ['a name in capitals', [incepting({ name: 'Quote' }, [agent.key])]],
    ['a name with CR LF', [incepting({ name: 'a\r\nb' }, [agent.key])]],
    ['a wrong signature', [utf8(flipped)]],
    ['white space around the statement', [utf8(`${text(inception)} `)]],
    ['a duplicate member', [utf8(text(inception).replace('{', '{"type":"did-mesh/1/inception",'))]],
    ['a statement of another type', [utf8(text(inception).replace('did-mesh/1/inception', 'did-mesh/1/rotation'))]],
    ['no statement at all', []],
    ['a rotation first', [rotation]],
    ['a rotation to a key that was not committed to', [inception, rotating(stranger, [agent.key, stranger])]],
    ['a rotation that the old key did not sign', [inception, rotating(agent.next, [agent.next])]],
    ['a rotation that the new key did not sign', [inception, rotating(agent.next, [agent.key])]],
    ['a rotation that skips one', [inception, second]],
    ['another rotation in the same place', [inception, rotation, fork]],
    ['a rotation of another identity', [stray, rotation]],
    ['ended by a stranger', [inception, end(stranger)]],
    ['ended by a key of the future', [inception, end(agent.next)]],
  ];
  return {
    spec: 'did-mesh/1',
    keys: keysOf({ key: agent.key, next: agent.next, third, fourth, sponsor: agent.sponsor, stranger }),
    histories: cases.map(([name, statements]) => ({
      name,
      statements: statements.map(text),
      ...outcomeOf(statements),
    })),
  };
}

function outcomeOf(statements: readonly Uint8Array[]): { readonly [name: string]: JsonValue } {
  const identity = foldIdentity(statements);
  if (!identity.ok) return { refused: identity.error.code };
  const { did, keys, sponsor, revoked } = identity.value;
  return {
    identity: { did, keys: keys.map((key) => formatDidKey(key)), revoked: revoked ?? null, sponsor: sponsor ?? null },
  };
}

function keysOf(pairs: { readonly [name: string]: KeyPair }): JsonValue {
  return Object.entries(pairs).map(([name, pair]) => ({ name, seed: toHex(seedOf(pair)), did: didOf(pair) }));
}

/** The world of the tests, made so that every secret of it can be published. */
function iatpMesh(): JsonValue {
  const random = seededRandom('ringmesh iatp-mesh/1 vectors');
  const [a, b] = [new TestNode(random), new TestNode(random)];
  const [ask, quote, other] = [anAgent('ask', random), anAgent('quote', random), anAgent('other', random)];
  const certificate = a.host(ask, [a, b]);
  const foreign = b.host(quote, [a, b]);
  const third = new TestNode(random);
  const handshakes = [handshake(a, b, 'none'), handshake(a, b, 'required')];
  const world = { random, a, b, ask, quote, certificate, answering: foreign, session: meet(a, b) };
  const statements: Uint8Array[] = [...ask.identity.history, ...quote.identity.history];
  const term = { agent: ask.did, node: a.did, epoch: a.epoch, issued: NOW, expires: later(3_600_000) };
  const own = writeCertificate(term, ask.key);
  const certificates: { readonly [name: string]: Uint8Array } = {
    own,
    foreign: writeCertificate({ ...term, agent: quote.did, node: b.did, epoch: b.epoch }, quote.key),
    'of another life': writeCertificate({ ...term, epoch: third.epoch }, ask.key),
    'of the wrong key': writeCertificate({ ...term, issued: later(1) }, quote.key),
    'that has ended': writeCertificate({ ...term, issued: later(-3_600_000), expires: later(-1) }, ask.key),
    'for later': writeCertificate({ ...term, issued: later(60_000) }, ask.key),
    withdrawn: writeCertificate({ ...term, issued: later(2) }, ask.key),
  };
  const cid = (name: string): Claims['certificate'] & string => cidOfStatement(certificates[name] ?? own);
  const withdrawal = writeWithdrawal({ agent: ask.did, certificate: cid('withdrawn'), at: NOW }, ask.sponsor);
  const receiver = (): TestNode => {
    const node = new TestNode(random.stream('receiver'), b.pair);
    Object.assign(node, { epoch: b.epoch });
    node.hosted.add(quote.did);
    for (const statement of [...statements, ...Object.values(certificates), withdrawal]) {
      node.directory.learn(statement, later(-7_200_000));
    }
    node.sessions.add(sessionOf(world.session.ofB), NOW);
    node.pending.await(awaitedRequest, {
      node: a.pair.publicKey,
      asked: ask.did,
      asker: quote.did,
      deadline: later(60_000),
    });
    node.pending.await(othersRequest, {
      node: third.pair.publicKey,
      asked: other.did,
      asker: quote.did,
      deadline: later(60_000),
    });
    return node;
  };
  const awaitedRequest = digestText(hashIn('iatp-mesh/1/body', utf8('a request of B to A')));
  const othersRequest = digestText(hashIn('iatp-mesh/1/body', utf8('a request of B to another node')));
  const frame = (over: Parameters<typeof aMessage>[1] = {}, at: Millis = NOW): Uint8Array =>
    aFrame(world, aMessage(world, over), at);
  const claiming = (claims: NonNullable<Parameters<typeof aMessage>[1]>['claims'] & object): Uint8Array =>
    frame({ claims });
  const resealed = (change: (parts: Parts) => Partial<Unsealed>): Uint8Array => {
    const parts = unwrap(splitFrame(frame()), 'a frame');
    const whole = { head: parts.headBytes, claims: parts.claims, body: parts.body };
    return sealBatch([{ ...whole, ...change(parts) }], a.pair)[0] ?? new Uint8Array();
  };
  const withHead = (over: Partial<Head>): Uint8Array =>
    resealed(({ head }) => ({ head: encodeHead({ ...head, ...over }) }));
  const withClaims = (change: (claims: string) => string): Uint8Array =>
    resealed(({ claims }) => ({ claims: utf8(change(text(claims))) }));
  const batch = (size: number): readonly { message: Message; route: { type: 'session'; session: Session } }[] =>
    Array.from({ length: size }, () => ({
      message: aMessage(world),
      route: { type: 'session', session: world.session.ofA },
    }));
  const replayed = frame();
  const four = sealMessages(batch(4), a, NOW);
  const three = sealMessages(batch(3), a, NOW);
  const resealable = aMessage(world);
  const cases: readonly (readonly [string, readonly Uint8Array[], Millis?])[] = [
    ['a lone envelope', [frame()]],
    ['a tell', [frame({ kind: 'tell' })]],
    ['an empty body', [frame({ content: new Uint8Array(0) })]],
    ['a batch of three, last one first', three.toReversed()],
    ['a bundle of five', [sealMessagesAsBundle(batch(5), a, NOW)]],
    ['the same message sealed twice', [aFrame(world, resealable), aFrame(world, resealable, later(1_000))]],
    ['a reply', [frame({ kind: 'reply', claims: { answer: { request: awaitedRequest } } })]],
    ['a failure', [frame({ kind: 'failure', claims: { answer: { code: 'agent.stuck', request: awaitedRequest } } })]],
    [
      'the node for itself',
      [
        frame({
          kind: 'present',
          claims: { certificate: undefined, command: '/mesh/present', from: a.did, to: b.did },
        }),
      ],
    ],
    [
      'every optional member',
      [
        claiming({
          budget: { calls: 3, cents: 5, ms: 2_000, tokens: 10_000 },
          cause: { index: 41, leaf: awaitedRequest },
          chain: [other.did],
          delegation: [cid('foreign')],
          trace: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
        }),
      ],
    ],
    ['the last millisecond of the window', [frame()], later(30_000)],
    ['two seconds early', [frame({}, later(2_000))]],
    ['a replay', [replayed, replayed]],
    ['a replay with another proof', [replayed, patched(replayed, 140, [1, 2, 3])]],
    ['a wrong signature', [patched(frame(), 203, [0xff])]],
    ['no signature', [patched(frame(), 140, new Uint8Array(64))]],
    ['signed by another key', [resignedBy(frame(), third.pair)]],
    ['another sender in the head', [withHead({ from: third.pair.publicKey.bytes })]],
    ['another recipient', [withHead({ to: third.pair.publicKey.bytes })]],
    ['an unknown session', [withHead({ session: new Uint8Array(16).fill(7) })]],
    ['outside a session', [withHead({ session: new Uint8Array(16) })]],
    ['another life of the recipient', [withHead({ toEpoch: third.epoch })]],
    ['another life of the sender', [withHead({ fromEpoch: third.epoch })]],
    ['encrypted where the session is not', [withHead({ encrypted: true })]],
    ['a millisecond too late', [frame()], later(30_001)],
    ['a millisecond too early', [frame({}, later(2_001))]],
    ['a window of a day', [withHead({ expires: later(86_400_000) })]],
    ['a window that ends before it begins', [withHead({ issued: later(1), expires: NOW })]],
    ['an older version', [patched(frame(), 4, [0])]],
    ['a newer version', [patched(frame(), 4, [2])]],
    ['no kind', [patched(frame(), 5, [0])]],
    ['a reserved flag', [patched(frame(), 6, [1])]],
    ['another magic', [patched(frame(), 0, [0x4a])]],
    ['a sequence above 2^53', [patched(frame(), 104, [0x20])]],
    ['a byte too many', [concat(frame(), Uint8Array.of(0))]],
    ['a byte too few', [frame().subarray(0, -1)]],
    ['a size of zero', [patched(frame(), 138, [0, 0])]],
    ['an index past the size', [patched(frame(), 136, [0, 1])]],
    ['claims of four gigabytes', [patched(frame(), 128, [0xff, 0xff, 0xff, 0xff])]],
    ['another place in the batch', [patched(four[1] ?? replayed, 136, [0, 2])]],
    ['another size with as long a path', [patched(three[1] ?? replayed, 138, [0, 4])]],
    ['a path from another batch', [patched(four[1] ?? replayed, 204, (three[1] ?? replayed).subarray(204, 268))]],
    ['claims with white space', [withClaims((said) => said.replace(',', ', '))]],
    ['claims with a duplicate member', [withClaims((said) => said.replace('"chain":[]', '"chain":[],"chain":[]'))]],
    ['claims with an unknown member', [withClaims((said) => said.replace('"command"', '"colour":1,"command"'))]],
    ['claims with __proto__', [withClaims((said) => said.replace('{', '{"__proto__":{},'))]],
    ['claims without id', [withClaims((said) => said.replace(/"id":"[^"]*",/, ''))]],
    ['claims with a float', [withClaims((said) => said.replace(/"size":7/, '"size":7.5'))]],
    ['claims with 7.0', [withClaims((said) => said.replace(/"size":7/, '"size":7.0'))]],
    ['claims with CR LF in the command', [withClaims((said) => said.replace('/quote/price', '/quote\\r\\n'))]],
    ['claims with an escape that need not be', [withClaims((said) => said.replace('/quote', '\\u002fquote'))]],
    ['claims that are no UTF-8', [resealed(() => ({ claims: Uint8Array.of(0x7b, 0xff, 0x7d) }))]],
    ['no claims', [resealed(() => ({ claims: new Uint8Array(0) }))]],
    ['an ask that answers', [withClaims((said) => `{"answer":{"request":"${awaitedRequest}"},${said.slice(1)}`)]],
    ['a reply that answers nothing', [withHead({ kind: 'reply' })]],
    ['a failure without code', [failureWithoutCode()]],
    ['a deadline that is over', [withClaims((said) => said.replace(/"deadline":\d+/, `"deadline":${NOW - 1}`))]],
    [
      'a deadline in a month',
      [withClaims((said) => said.replace(/"deadline":\d+/, `"deadline":${NOW + 2_592_000_000}`))],
    ],
    ['an agent that is not there', [claiming({ to: ask.did })]],
    ['no certificate', [claiming({ certificate: undefined })]],
    ['an agent whose history is not known', [claiming({ from: other.did })]],
    ['the certificate of another agent', [claiming({ from: quote.did })]],
    ['a certificate for another node', [claiming({ certificate: cid('foreign'), from: quote.did })]],
    ['a certificate of another life of the node', [claiming({ certificate: cid('of another life') })]],
    ['a certificate by the wrong key', [claiming({ certificate: cid('of the wrong key') })]],
    ['a certificate that has ended', [claiming({ certificate: cid('that has ended') })]],
    ['a certificate for later', [claiming({ certificate: cid('for later') })]],
    ['a certificate that was withdrawn', [claiming({ certificate: cid('withdrawn') })]],
    ['a certificate that nobody presented', [claiming({ certificate: cidOfStatement(withdrawal) })]],
    ['another body of the same length', [changedBody(frame())]],
    ['a body that is longer than the claims say', [resealed(({ body }) => ({ body: concat(body, Uint8Array.of(0)) }))]],
    ['an answer that nobody awaits', [frame({ kind: 'reply', claims: { answer: { request: certificateDigest() } } })]],
    ['an answer from the wrong node', [frame({ kind: 'reply', claims: { answer: { request: othersRequest } } })]],
    ['a bundle with a changed bit', [patched(sealMessagesAsBundle(batch(3), a, NOW), 80, [0xff])]],
    ['a bundle that is cut', [sealMessagesAsBundle(batch(2), a, NOW).subarray(0, -1)]],
  ];
  return {
    spec: 'iatp-mesh/1',
    keys: keysOf({ 'node A': a.pair, 'node B': b.pair, 'agent ask': ask.key, 'agent quote': quote.key }),
    handshakes: handshakes,
    receiver: {
      node: b.did,
      epoch: b64(b.epoch),
      hosted: [quote.did],
      session: {
        id: b64(world.session.ofB.id),
        peer: a.did,
        peerEpoch: b64(a.epoch),
        expires: world.session.ofB.expires,
      },
      awaited: [
        { request: awaitedRequest, node: a.did, asked: ask.did, asker: quote.did },
        { request: othersRequest, node: third.did, asked: other.did, asker: quote.did },
      ],
      statements: [...statements, ...Object.values(certificates), withdrawal].map(text),
    },
    cards: [card(ask, certificate)],
    references: references(),
    cases: cases.map(([name, frames, at = NOW]) => {
      const view = receiver().view();
      const results = frames.flatMap((bytes) =>
        isBundle(bytes) ? admitBundle(bytes, at, view) : [admit(bytes, at, view)],
      );
      return { name, at, frames: frames.map(b64), results: results.map(resultOf) };
    }),
  };

  function failureWithoutCode(): Uint8Array {
    const reply = unwrap(
      splitFrame(frame({ kind: 'reply', claims: { answer: { request: awaitedRequest } } })),
      'a frame',
    );
    const head = encodeHead({ ...reply.head, kind: 'failure' });
    return sealBatch([{ head, claims: reply.claims, body: reply.body }], a.pair)[0] ?? new Uint8Array();
  }
  function certificateDigest(): typeof awaitedRequest {
    return digestText(hashIn('iatp-mesh/1/body', utf8('no request')));
  }
}

type Parts = {
  readonly head: Head;
  readonly headBytes: Uint8Array;
  readonly claims: Uint8Array;
  readonly body: Uint8Array;
};
type Unsealed = { readonly head: Uint8Array; readonly claims: Uint8Array; readonly body: Uint8Array };

type Admission = ReturnType<typeof admit>;

function resultOf(result: Admission | Result<never, EnvelopeRefusal | Refusal>): JsonValue {
  if (!result.ok) {
    return { refused: result.error.code, authenticated: 'authenticated' in result.error && result.error.authenticated };
  }
  const { message, envelope, content } = result.value;
  return { admitted: { content: b64(content), envelope, message } };
}

/** Bodies by digest: what stands for them, and how they are cut. */
function references(): JsonValue {
  const body = utf8(JSON.stringify('x'.repeat(300_000)));
  const digest = digestOfBody(body);
  const chunks = Array.from({ length: chunksIn(body.length) }, (_, index) => chunkLength(body.length, index));
  const media = 'application/json';
  const contents = [
    text(writeReference(body)),
    JSON.stringify({ digest, media, size: 262_144 }),
    JSON.stringify({ digest, media, size: 8_388_608 }),
    JSON.stringify({ digest, media, size: 8_388_609 }),
    JSON.stringify({ digest, media: 'text/html', size: 300_002 }),
    JSON.stringify({ size: 300_002, media, digest }),
    JSON.stringify({ digest, media, more: 1, size: 300_002 }),
  ];
  const cases = contents.map((content) => {
    const read = readReference(utf8(content));
    return { content, refused: read.ok ? null : read.error.code };
  });
  return { body: { character: 'x', count: 300_000, chunks, digest }, cases };
}

/** A session like the given one that has seen nothing yet. */
function sessionOf(session: Session): Session {
  const { id, peer, ownEpoch, peerEpoch, expires, stated } = session;
  return new Session({ id, peer, ownEpoch, peerEpoch, expires, stated });
}

function cidOfStatement(statement: Uint8Array): Claims['certificate'] & string {
  const { payload } = JSON.parse(text(statement)) as { payload: string };
  return unwrap(parseCid(cidOf(Buffer.from(payload, 'base64url'))), 'a content id');
}

function card(agent: Agent, endorsement: Claims['certificate'] & string): JsonValue {
  const statement = writeCard(
    {
      agent: agent.did,
      contracts: [
        {
          digest: agent.identity.next,
          messages: [{ description: 'Asks for the price of a thing', name: 'price' }],
          name: 'ask',
        },
      ],
      description: 'Asks others for prices',
      endorsements: [endorsement],
      expires: later(86_400_000),
      issued: NOW,
      name: 'ask',
      needs: { trust: 300 },
      revision: 1,
      version: '1.0.0',
    },
    agent.key,
  );
  return { agent: agent.did, statement: text(statement) };
}

/** A whole handshake with every secret, and for an encrypted one a body under its keys. */
function handshake(a: TestNode, b: TestNode, encryption: 'none' | 'required'): JsonValue {
  const terms = (node: TestNode): TestNode['terms'] => ({ ...node.terms, encryption });
  const hello = sayHello(a, { to: b.did, terms: terms(a), at: NOW }, a.random);
  const spy = recording(b);
  const answer = { frame: hello.frame, terms: terms(b), at: NOW, mayMeet: () => true };
  const welcome = unwrap(answerHello(b, answer, spy.random), 'a hello');
  const confirm = unwrap(answerWelcome(a, hello.greeting, { frame: welcome.frame, at: NOW }), 'a welcome');
  const session = unwrap(answerConfirm(b, welcome.welcoming, { frame: confirm.frame, at: NOW }), 'a confirm');
  const [plaintext, associated] = [utf8('a body with its salt'), utf8('head and claims')];
  return {
    encryption,
    initiator: { node: a.did, ephemeral: toHex(hello.greeting.ephemeral.secret) },
    responder: { node: b.did, ephemeral: spy.first() },
    hello: b64(hello.frame),
    welcome: b64(welcome.frame),
    confirm: b64(confirm.frame),
    session: b64(session.id),
    ...(encryption === 'none'
      ? {}
      : {
          body: {
            sequence: 0,
            plaintext: b64(plaintext),
            associated: b64(associated),
            sealed: b64(confirm.session.encrypt(confirm.session.nextSequence(), plaintext, associated)),
          },
        }),
  };
}

/** The node's generator, remembering the first thing it gave: the secret of the ephemeral key. */
function recording(node: TestNode): { readonly random: TestNode['random']; readonly first: () => string } {
  let first = '';
  const random = {
    ...node.random,
    bytes: (length: number): Uint8Array => {
      const bytes = node.random.bytes(length);
      first ||= toHex(bytes);
      return bytes;
    },
  };
  return { random, first: () => first };
}

function patched(frame: Uint8Array, at: number, bytes: ArrayLike<number>): Uint8Array {
  const copy = Uint8Array.from(frame);
  copy.set(bytes, at);
  return copy;
}

function changedBody(frame: Uint8Array): Uint8Array {
  return patched(frame, frame.length - 1, [0x21]);
}

function resignedBy(frame: Uint8Array, pair: KeyPair): Uint8Array {
  const { headBytes, claims, body } = unwrap(splitFrame(frame), 'a frame');
  return sealBatch([{ head: headBytes, claims, body }], pair)[0] ?? new Uint8Array();
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  for (const [path, content] of meshVectors()) writeFileSync(path, content);
}
