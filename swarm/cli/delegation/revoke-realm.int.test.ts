/** The operator takes back what an agent was given: real nodes, a real broker, the real command. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectNats } from '../../../mesh/nats-transport.ts';
import { type Order, writeOrder } from '../../../mesh/order.ts';
import { writeRevocationOf } from '../../../mesh/revocation/revocation.ts';
import { nodeToken } from '../../../mesh/subject.ts';
import { parseCid } from '../../../runtime/codec/cid.ts';
import { generateKeyPair } from '../../../runtime/codec/ed25519.ts';
import type { Millis } from '../../../runtime/core/brand.ts';
import { view } from '../../../runtime/core/bytes.ts';
import { unwrap } from '../../../runtime/core/result.ts';
import { systemClock, systemRandom } from '../../../runtime/core/system.ts';
import { newEventId } from '../../../runtime/kernel/event-id.ts';
import { scratchLog } from '../../../runtime/log/scratch-log.fixture.ts';
import { aDeskNode, type DeskNode, HOUR_MS, ports } from '../../authority/desk-node.fixture.ts';
import { Operator } from '../../authority/operator.ts';
import { RealmOfTest, recorded, until } from '../../realm/mesh-node.fixture.ts';
import { openOperatorLogin, readRoster } from '../../realm/realm-folder.ts';
import { type Desk, desk, ended, expectError, type Ran } from '../command.fixture.ts';
import { openSigner } from './signer.ts';

const UNKNOWN = unwrap(parseCid('bafkreifzjut3te7nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e'), 'a content id');

let at: Desk;
let world: RealmOfTest;
let disks: AsyncDisposableStack;
let ann: DeskNode;
let bob: DeskNode;
let operator: Operator;

beforeAll(async () => {
  at = desk();
  world = await RealmOfTest.open(['ann', 'bob', 'cid'], process.env['PATH']);
  operator = Operator.ofRealm(world.folder, ports);
  disks = new AsyncDisposableStack();
  ann = await aDeskNode(world, 'ann', disks.use(await scratchLog()));
  bob = await aDeskNode(world, 'bob', disks.use(await scratchLog()));
}, 60_000);

afterAll(async () => {
  await bob?.stop();
  await ann?.stop();
  await disks?.[Symbol.asyncDispose]();
  await world?.[Symbol.asyncDispose]();
  at?.[Symbol.dispose]();
});

/** The nodes live in this process, so it must not stand still while the command runs. */
function revoke(target: string, by: string, ...more: readonly string[]): Promise<Ran> {
  const realm = ['--server', world.broker.url, '--realm-folder', world.folder];
  return ended(at.start(['revoke', target, '--by', join(world.folder, by), '--reason', 'enough', ...realm, ...more]));
}

const ANN = 'nodes/ann/agents/clerk-ann';

/** A root of its own for Bob's clerk. */
async function given(): Promise<string> {
  const expires = (systemClock.now() + HOUR_MS) as Millis;
  const did = bob.authority.didOf('clerk/bob') as never;
  const { token, delegation } = await operator.grant(did, {
    command: '/tool/mail/send',
    expires,
    depth: 0,
    budget: {},
  });
  await bob.authority.learn([token]);
  return delegation;
}

/** An order as the operator signs it, but for what a test says; and what the node says to it. */
async function order(over: Partial<Order>): Promise<void> {
  const roster = readRoster(world.folder);
  const { did: by, pair } = await openSigner({} as never, join(world.folder, 'operator'), {});
  const now = systemClock.now();
  const to = roster.nodes[0]?.did as never;
  const said = {
    action: 'revoke',
    at: now,
    by,
    expires: (now + 10_000) as Millis,
    node: to,
    realm: roster.realm,
  } as const;
  const { bytes } = writeOrder({ ...said, id: newEventId(systemClock, systemRandom), why: 'x', ...over }, pair);
  const login = openOperatorLogin(world.folder);
  const as = { servers: [world.broker.url], realm: roster.realm, self: nodeToken(by), login, ...ports };
  await using transport = await connectNats(as, AbortSignal.timeout(10_000));
  transport.send('control', nodeToken(to), bytes);
  await transport.flush(AbortSignal.timeout(10_000));
}

test('the next act under what was revoked is denied on the other node, whom the push has told', async () => {
  const target = await given();
  expect(await bob.ask.write({ name: 'eve' })).toMatchObject({ value: { type: 'ok' } });
  const told = await revoke(target, 'operator', '--json');
  expect(told).toMatchObject({ status: 0, stderr: '' });
  expect(JSON.parse(told.stdout)).toMatchObject({ target, by: [operator.did], nodes: [{ node: 'ann', epoch: 1 }] });
  expect(recorded(ann.log, 'authority.revoked')).toMatchObject([{ target, reason: 'enough' }]);
  expect(recorded(ann.log, 'order.settled')).toMatchObject([{ outcome: 'done', code: null }]);

  await until('bob to hear of it', () => bob.authority.revocations.epoch === 1);
  expect(await bob.ask.write({ name: 'eve' })).toMatchObject({ value: { type: 'denied', code: 'delegation.revoked' } });
  expect(bob.sent).toEqual(['eve']);
  expect(bob.authority.revocations.head()).toEqual(ann.authority.revocations.head());

  const again = await revoke(target, 'operator');
  expect(again.stdout).toMatch(/^ann: revoked before: \w+, on record and in force, epoch 1; /);
  expect(recorded(ann.log, 'authority.revoked')).toHaveLength(1);
  expect(readdirSync(join(world.folder, 'revoked'))).toHaveLength(1);
}, 60_000);

test('a node that misses the push hears of it by heartbeats, once it is back', async () => {
  const target = await given();
  const disk = disks.use(await scratchLog());
  await bob.stop();
  const told = await revoke(target, 'operator');
  expect(told.stdout).toMatch(/^ann: revoked: \w+, .* epoch 2; nothing of that name is known here yet\n$/);
  bob = await aDeskNode(world, 'bob', disk);
  await until('bob to hear of it', () => bob.authority.revocations.epoch === 2);
  await until('bob to be fresh', () => systemClock.now() - bob.authority.revocations.heardAt < 5_000);
}, 60_000);

test('attack: an agent with no part in it, a stranger, another realm, what is none: refused, on record, without effect', async () => {
  const before = ann.authority.revocations.epoch;
  const expires = (systemClock.now() + HOUR_MS) as Millis;
  const root = { command: '/tool/mail', expires, depth: 0, budget: {} } as const;
  const { token, delegation } = await operator.grant(ann.authority.didOf('clerk/ann') as never, root);
  await ann.authority.learn([token]);
  expectError(await revoke(delegation, 'nodes/bob/agents/clerk-bob'), 4, 'revocation.not_entitled');
  const whose = { at: systemClock.now(), reason: 'spite', target: delegation };
  const statement = view(writeRevocationOf(whose, generateKeyPair(systemRandom))).toString('utf8');
  await order({ body: statement });
  await order({ body: statement.replace('"payload":"', '"payload":"AAAA') });
  await order({ body: statement, realm: 'other' });
  await order({});
  const codes = (type: string) => recorded(ann.log, type).map((payload) => (payload as { code: string }).code);
  await until(
    'all to be refused',
    () => codes('order.refused').length >= 2 && codes('authority.revocation_refused').length >= 3,
  );
  expect(codes('order.refused')).toEqual(['order.other_realm', 'order.no_statement']);
  expect(codes('authority.revocation_refused')).toEqual([
    'revocation.not_entitled',
    'revocation.not_entitled',
    'statement.bad_signature',
  ]);
  expect(ann.authority.revocations.epoch).toBe(before);
  expect((await revoke(delegation, ANN)).stdout).toMatch(/^ann: revoked: /); // its own party may
  expect((await revoke(UNKNOWN, 'operator', '--node', 'bob')).stdout).toMatch(/^bob: revoked: .* known here yet\n$/);
}, 60_000);

test('half of the way is none, and a node that is away leaves it open', async () => {
  const half = ['revoke', UNKNOWN, '--by', join(world.folder, 'operator'), '--reason', 'x'];
  expectError(at.run([...half, '--server', world.broker.url]), 2, 'usage.invalid');
  expectError(at.run([...half, '--of', 'x', '--realm-folder', world.folder]), 2, 'usage.invalid');
  expectError(at.run([...half, '--node', 'ann']), 2, 'usage.invalid');
  expectError(await revoke(UNKNOWN, 'operator', '--node', 'cid', '--wait', '700'), 8, 'order.unanswered');
  expect(existsSync(join(world.folder, 'revoked'))).toBe(true);
}, 60_000);
