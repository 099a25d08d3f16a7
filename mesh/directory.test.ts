import { expect, test } from 'vitest';
import { generateKeyPair } from '../runtime/codec/ed25519.ts';
import { toBase64url, utf8 } from '../runtime/core/bytes.ts';
import { unwrap } from '../runtime/core/result.ts';
import { seededRandom } from '../runtime/core/simulation.ts';
import { type AgentCard, checkCard, readCard, toA2aCard, writeCard } from './agent-card.ts';
import { didDocument } from './did-document.ts';
import { Directory } from './directory.ts';
import { checkCertificate, readCertificate, type Subject, writeCertificate, writeWithdrawal } from './hosting.ts';
import { type Identity, learn, writeRevocation, writeRotation } from './identity.ts';
import { writeStatement } from './statement.ts';
import { anAgent, codeOf, didOf, later, NOW, TestNode } from './world.fixture.ts';

const random = seededRandom('directory');
const agent = anAgent('quote', random);
const other = anAgent('other', random);
const node = new TestNode(random);
const stranger = generateKeyPair(random);
const term = { agent: agent.did, node: node.did, epoch: node.epoch, issued: NOW, expires: later(3_600_000) };
const certificate = writeCertificate(term, agent.key);
const { cid } = unwrap(readCertificate(certificate), 'a certificate');

function aDirectory(): Directory {
  const directory = new Directory();
  for (const statement of agent.identity.history) unwrap(directory.learn(statement, NOW), 'an inception');
  return directory;
}

function aCard(over: Partial<AgentCard> = {}): AgentCard {
  return {
    agent: agent.did,
    contracts: [
      {
        digest: agent.identity.next,
        messages: [{ description: 'The price of a thing', name: 'price' }],
        name: 'quote',
      },
    ],
    description: 'Knows prices',
    endorsements: [cid],
    expires: later(86_400_000),
    issued: NOW,
    name: 'quote',
    needs: { trust: 300 },
    revision: 1,
    version: '1.0.0',
    ...over,
  };
}

test('D1: a statement about somebody who is not known is refused, and taken once he is', () => {
  const directory = new Directory();
  const withdrawal = writeWithdrawal({ agent: agent.did, certificate: cid, at: NOW }, agent.key);
  const statements = [certificate, withdrawal, writeCard(aCard(), agent.key), rotationOf(agent.identity)];
  for (const statement of statements) expect(codeOf(directory.learn(statement, NOW))).toBe('did.unknown');
  const [inception = new Uint8Array()] = agent.identity.history;
  expect(directory.learn(inception, NOW)).toMatchObject({ ok: true, value: { type: 'identity', isNews: true } });
  expect(directory.learn(inception, NOW)).toMatchObject({ ok: true, value: { isNews: false } });
  expect(directory.learn(certificate, NOW)).toMatchObject({ ok: true, value: { type: 'certificate', isNews: true } });
  expect(directory.learn(certificate, NOW)).toMatchObject({ ok: true, value: { isNews: false } });
  expect(directory.certificate(cid)?.value).toMatchObject({ agent: agent.did });
});

test('D2: what was withdrawn or revoked stays so, whatever is learned again', () => {
  const directory = aDirectory();
  directory.learn(certificate, NOW);
  unwrap(
    directory.learn(writeWithdrawal({ agent: agent.did, certificate: cid, at: NOW }, agent.sponsor), NOW),
    'entitled',
  );
  directory.learn(certificate, NOW);
  expect(directory.isWithdrawn(cid)).toBe(true);

  const revocation = writeRevocation(agent.did, { by: agent.sponsor, reason: 'rogue', at: NOW });
  unwrap(directory.learn(revocation, NOW), 'entitled');
  for (const statement of [...agent.identity.history, rotationOf(agent.identity)]) directory.learn(statement, NOW);
  expect(directory.subject(agent.did)).toMatchObject({ identity: { revoked: 'rogue' } });
});

test('who is not entitled can withdraw nothing', () => {
  const directory = aDirectory();
  for (const statement of other.identity.history) directory.learn(statement, NOW);
  directory.learn(certificate, NOW);
  const by = (about: typeof agent, pair: typeof stranger): unknown =>
    codeOf(directory.learn(writeWithdrawal({ agent: about.did, certificate: cid, at: NOW }, pair), NOW));
  expect(by(agent, stranger)).toBe('certificate.unauthorised');
  expect(by(agent, other.key)).toBe('certificate.unauthorised');
  expect(by(other, other.key)).toBe('certificate.other_agent');
  expect(directory.isWithdrawn(cid)).toBe(false);
});

test('D3: what time has made meaningless is forgotten, a withdrawal not before its certificate', () => {
  const directory = aDirectory();
  directory.learn(certificate, NOW);
  directory.learn(writeWithdrawal({ agent: agent.did, certificate: cid, at: NOW }, agent.key), NOW);
  directory.expire(later(3_600_000));
  expect([directory.certificate(cid)?.cid, directory.isWithdrawn(cid)]).toEqual([cid, true]);
  directory.expire(later(3_600_001));
  expect([directory.certificate(cid), directory.isWithdrawn(cid)]).toEqual([undefined, false]);
  expect(codeOf(directory.learn(certificate, later(3_600_001)))).toBe('certificate.expired');
});

test('D3: an agent that floods with certificates or withdrawals keeps nobody else out', () => {
  const directory = aDirectory();
  for (const statement of other.identity.history) directory.learn(statement, NOW);
  const floods: Uint8Array[] = [];
  const withdrawn: boolean[] = [];
  for (let n = 0; n < 40; n++) {
    const flood = writeCertificate({ ...term, issued: later(n) }, agent.key);
    const { cid: flooded } = unwrap(readCertificate(flood), 'a certificate');
    floods.push(flood);
    directory.learn(flood, NOW);
    const withdrawal = writeWithdrawal({ agent: agent.did, certificate: flooded, at: NOW }, agent.key);
    withdrawn.push(directory.learn(withdrawal, NOW).ok);
    expect(directory.learn(withdrawal, NOW)).toMatchObject(
      withdrawn.at(-1) ? { value: { isNews: false } } : { ok: false },
    );
  }
  expect(withdrawn.filter((isTaken) => isTaken)).toHaveLength(16);
  const kept = floods.map((flood) => directory.certificate(unwrap(readCertificate(flood), 'a certificate').cid));
  expect(kept.map((found) => found !== undefined)).toEqual(floods.map((_, n) => n >= 24));
  expect(codeOf(directory.learn(floods[0] ?? new Uint8Array(), NOW))).toBe('directory.full');
  expect(directory.learn(writeCertificate({ ...term, agent: other.did }, other.key), NOW).ok).toBe(true);
});

test('a did:key is its own subject, and no other method has one', () => {
  const directory = new Directory();
  expect(directory.subject(didOf(stranger))).toEqual({ type: 'key', did: didOf(stranger) });
  expect(directory.subject(agent.did)).toBeUndefined();
});

test('text that is no statement teaches nothing', () => {
  for (const text of ['', '{}', '[]', 'x'.repeat(20_000), '{"payload":"","signatures":[],"type":"unheard/of"}']) {
    expect(codeOf(new Directory().learn(utf8(text), NOW))).toBe('statement.malformed');
  }
});

test.each([
  ['another agent', { subject: { type: 'mesh', identity: other.identity } }, 'certificate.other_agent'],
  ['another node', { node: didOf(stranger) }, 'certificate.other_node'],
  ['another life of the node', { epoch: new TestNode(random).epoch }, 'certificate.other_epoch'],
  ['its last millisecond', { at: later(3_600_000) }, undefined],
  ['a millisecond too late', { at: later(3_600_001) }, 'certificate.expired'],
  ['two seconds early', { at: later(-2_000) }, undefined],
  ['a millisecond more', { at: later(-2_001) }, 'certificate.future'],
  ['an identity that has ended', { subject: { type: 'mesh', identity: ended(agent.identity) } }, 'did.revoked'],
  ['a key that is not in force', { subject: { type: 'mesh', identity: rotated() } }, 'certificate.wrong_key'],
] as const)('a certificate for %s', (_, over, code) => {
  const subject: Subject = { type: 'mesh', identity: agent.identity };
  const use = { subject, node: node.did, epoch: node.epoch, at: NOW, ...over };
  const checked = checkCertificate(unwrap(readCertificate(certificate), 'a certificate'), use);
  expect(checked.ok ? undefined : checked.error.code).toBe(code);
});

test.each([
  ['more than an hour', NOW, later(3_600_001)],
  ['no time', NOW, NOW],
  ['less than no time', NOW, later(-1)],
])('a certificate for %s is good for nothing', (_, issued, expires) => {
  const value = { agent: agent.did, epoch: toBase64url(node.epoch), expires, issued, node: node.did };
  const written = readCertificate(writeStatement('iatp-mesh/1/hosting', value, [agent.key]));
  const subject: Subject = { type: 'mesh', identity: agent.identity };
  const use = { subject, node: node.did, epoch: node.epoch, at: later(-1) };
  expect(codeOf(checkCertificate(unwrap(written, 'a statement'), use))).toBe('certificate.too_long');
});

test('a guest, which is a did:key, signs for itself and nobody else does', () => {
  const guest = didOf(stranger);
  const subject: Subject = { type: 'key', did: guest };
  const check = (by: typeof stranger): unknown => {
    const written = readCertificate(writeCertificate({ ...term, agent: guest }, by));
    return checkCertificate(unwrap(written, 'a certificate'), { subject, node: node.did, epoch: node.epoch, at: NOW });
  };
  expect(check(stranger)).toEqual({ ok: true, value: true });
  expect(check(agent.key)).toMatchObject({ error: { code: 'certificate.wrong_key' } });
});

test('a card counts if its agent’s key in force signed it, and the higher revision wins', () => {
  const directory = aDirectory();
  const learnCard = (card: AgentCard, pair = agent.key): unknown => {
    const learned = directory.learn(writeCard(card, pair), NOW);
    return learned.ok ? learned.value.isNews : learned.error.code;
  };
  expect(learnCard(aCard(), stranger)).toBe('card.wrong_key');
  expect(learnCard(aCard({ expires: later(-1) }))).toBe('card.expired');
  expect(learnCard(aCard({ revision: 2 }))).toBe(true);
  expect(learnCard(aCard({ revision: 1, description: 'older' }))).toBe(false);
  expect(directory.card(agent.did)?.value.description).toBe('Knows prices');
  expect([...directory.cards()]).toHaveLength(1);
  const read = unwrap(readCard(writeCard(aCard(), agent.key)), 'a card');
  expect(codeOf(checkCard(read, { type: 'mesh', identity: other.identity }, NOW))).toBe('card.other_agent');
  expect(codeOf(checkCard(read, { type: 'mesh', identity: ended(agent.identity) }, NOW))).toBe('did.revoked');
});

test('a card cannot hold a line that looks like two', () => {
  for (const description of ['a\nb', 'a\u2028b', 'a\u202eb', '\u001b[31m', 'x'.repeat(501)]) {
    expect(codeOf(readCard(writeCard(aCard({ description }), agent.key)))).toBe('statement.malformed');
  }
});

test('an A2A card has what A2A 1.0 requires, and our statement inside', () => {
  const read = unwrap(readCard(writeCard(aCard(), agent.key)), 'a card');
  const exported = toA2aCard(read, 'https://agents.example.com/quote');
  expect(exported).toMatchObject({
    name: 'quote',
    description: 'Knows prices',
    version: '1.0.0',
    supportedInterfaces: [
      { url: 'https://agents.example.com/quote', protocolBinding: 'JSONRPC', protocolVersion: '1.0' },
    ],
    capabilities: { streaming: false, pushNotifications: false },
    defaultInputModes: ['application/json'],
    defaultOutputModes: ['application/json'],
    skills: [{ id: 'quote/price', name: 'price', description: 'The price of a thing', tags: ['quote'] }],
  });
  const inside = JSON.stringify(exported).match(/"statement":"([^"]+)"/)?.[1] ?? '';
  expect(readCard(Buffer.from(inside, 'base64url'))).toMatchObject({ ok: true, value: { cid: read.cid } });
});

test('a DID document names the key in force and the sponsor; one that has ended has none', () => {
  const document = didDocument({ type: 'mesh', identity: rotated() });
  expect(document?.key).toEqual(agent.next.publicKey);
  expect(document?.didDocument).toMatchObject({
    id: agent.did,
    controller: didOf(agent.sponsor),
    verificationMethod: [{ type: 'Multikey', publicKeyMultibase: didOf(agent.next).slice('did:key:'.length) }],
  });
  expect(didDocument({ type: 'mesh', identity: ended(agent.identity) })).toBeUndefined();
});

function rotationOf(identity: Identity): Uint8Array {
  return writeRotation(identity, { from: agent.key, to: agent.next, next: stranger.publicKey, at: NOW });
}

function rotated(): Identity {
  return unwrap(learn(agent.identity, rotationOf(agent.identity)), 'a rotation');
}

function ended(identity: Identity): Identity {
  return unwrap(learn(identity, writeRevocation(identity.did, { by: agent.sponsor, reason: 'x', at: NOW })), 'an end');
}
