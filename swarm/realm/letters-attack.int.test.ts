/** Letters between nodes with real keys, through mailboxes in memory: what is taken, put off and refused. */
import { mkdtempDisposableSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { Directory } from '../../mesh/directory.ts';
import type { Epoch } from '../../mesh/head.ts';
import type { Letter, Mailbox } from '../../mesh/mailbox.ts';
import { MemoryMailboxes } from '../../mesh/mailbox-memory.ts';
import { type NodeToken, nodeToken } from '../../mesh/subject.ts';
import { contract } from '../../runtime/actor/contract.ts';
import type { Incoming, Outgoing } from '../../runtime/actor/remote.ts';
import { tool } from '../../runtime/actor/tool.ts';
import { ManualClock, seededRandom } from '../../runtime/core/simulation.ts';
import { newEventId } from '../../runtime/kernel/event-id.ts';
import type { Outcome } from '../../runtime/kernel/outcome.ts';
import type { EventLog } from '../../runtime/log/event-log.ts';
import { MemoryWorld } from '../../runtime/log/memory-log.ts';
import { FolderIdentities } from './identities.ts';
import { Letters, type LettersParts } from './letters.ts';
import { recorded } from './mesh-node.fixture.ts';
import { openRealmNode, provisionRealm, type RealmNode } from './realm-folder.ts';
import { RosterRule } from './roster-rule.ts';

const forever = new AbortController().signal;
const messages = { put: { in: z.object({ n: z.int() }) } };
const Tame = contract('tame', { messages });
const pay = tool('money.pay', { in: z.object({ n: z.int() }), out: z.null(), effect: 'unsafe', risk: 3 });
const Risky = contract('risky', { messages, uses: { pay } });
const contractOf = (agent: string) => (agent.startsWith('risky') ? Risky : Tame);
const clock = new ManualClock();
const random = seededRandom('letters');

/** `keys`: another node's, whose agents' keys it uses instead of its own. */
type Over = { readonly keys?: RealmNode; readonly parts?: Partial<LettersParts> };

/** A node that reads and writes letters and does nothing else. */
class Correspondent {
  readonly realm: RealmNode;
  readonly letters: Letters;
  readonly log: EventLog;
  readonly accepted: Incoming[] = [];
  says: Outcome<null> = { type: 'ok', value: null };
  isThere = true;

  private constructor(realm: RealmNode, mailbox: Mailbox, log: EventLog, over: Over) {
    this.realm = realm;
    this.log = log;
    this.letters = new Letters({
      ...{ mailbox, realm, contractOf, log, clock, random, directory: new Directory() },
      node: { pair: realm.node, epoch: random.bytes(8) as Epoch },
      identities: new FolderIdentities((over.keys ?? realm).agents, contractOf, clock),
      checks: [new RosterRule(realm.roster).check],
      ...over.parts,
      receiver: {
        hosts: () => this.isThere,
        accept: (message) => {
          this.accepted.push(message);
          return Promise.resolve(this.says);
        },
      },
    });
  }

  static async open({ folder, boxes }: World, name: string, over: Over = {}): Promise<Correspondent> {
    const realm = openRealmNode(folder, name);
    const self = nodeToken(realm.did);
    boxes.provision(self);
    const { log } = await new MemoryWorld(random).open(clock);
    return new Correspondent(realm, boxes.mailbox(self), log, over);
  }

  get self(): NodeToken {
    return nodeToken(this.realm.did);
  }

  tells(from: string, to: string, over: Partial<Outgoing> = {}): Outgoing {
    const did = this.realm.roster.nodes.flatMap(({ agents }) => agents).find(({ name }) => name === from)?.did;
    const ids = { message: newEventId(clock, random), correlation: newEventId(clock, random) };
    return {
      ...{ ...ids, kind: 'tell', from: { agent: from, did: did ?? this.realm.did }, to, contract: 'tame', name: 'put' },
      ...{ body: { n: 1 }, chain: [], deadline: clock.now() + 3_600_000, ...over },
    };
  }

  get refusals(): readonly string[] {
    return recorded(this.log, 'message.refused').map((value) => (value as { readonly code: string }).code);
  }
}

type World = Disposable & { readonly folder: string; readonly boxes: MemoryMailboxes };

const AGENTS = { ann: ['tame/ann'], bob: ['tame/bob', 'risky/bob'], cid: ['tame/cid'] };

function world(): World {
  const directory = mkdtempDisposableSync(join(tmpdir(), 'ringmesh-letters-'));
  const nodes = Object.entries(AGENTS).map(([name, agents]) => ({ name, agents }));
  provisionRealm(directory.path, { realm: 'acme', nodes }, { clock, random });
  const boxes = new MemoryMailboxes(clock);
  return { folder: directory.path, boxes, [Symbol.dispose]: () => directory[Symbol.dispose]() };
}

test('a letter is taken with what it says, once it is accepted, and not before', async () => {
  using at = world();
  const [ann, bob] = [await Correspondent.open(at, 'ann'), await Correspondent.open(at, 'bob')];
  const message = ann.tells('tame/ann', 'tame/bob');
  expect(await ann.letters.leave(message, forever)).toBe('left');
  expect(await ann.letters.leave(message, forever)).toBe('known');
  clock.advance(60_000);
  bob.says = { type: 'busy', retryAfterMs: 5 };
  expect(await bob.letters.collect(forever)).toEqual({ accepted: 0, later: 1, refused: 0 });
  clock.advance(60_000);
  bob.says = { type: 'ok', value: null };
  expect(await bob.letters.collect(forever)).toEqual({ accepted: 1, later: 0, refused: 0 });
  const { message: id, correlation, body } = message;
  const told = { message: id, kind: 'tell', to: 'tame-bob', name: 'put', body, correlation, chain: [] };
  expect(bob.accepted.at(-1)).toMatchObject({ ...told, from: { agent: 'tame-ann', did: message.from.did } });
  expect(await bob.letters.collect(forever)).toEqual({ accepted: 0, later: 0, refused: 0 });
});

test('a letter for an agent that is not started yet waits; one that never will be accepted does not', async () => {
  using at = world();
  const [ann, bob] = [await Correspondent.open(at, 'ann'), await Correspondent.open(at, 'bob')];
  await ann.letters.leave(ann.tells('tame/ann', 'tame/bob'), forever);
  bob.isThere = false;
  expect(await bob.letters.collect(forever)).toMatchObject({ later: 1 });
  clock.advance(60_000);
  bob.isThere = true;
  bob.says = { type: 'denied', code: 'policy.denied', message: 'no' };
  expect(await bob.letters.collect(forever)).toMatchObject({ refused: 1 });
});

test.each<[string, Partial<Outgoing>, boolean]>([
  ['a tell', {}, true],
  ['an ask', { kind: 'ask' }, false],
  ['one to an agent that uses risky tools', { to: 'risky/bob' }, false],
  ['one to an agent of this node', { to: 'tame/ann' }, false],
  ['one to an agent that nobody knows', { to: 'tame/nobody' }, false],
  ['one that names a delegation', { delegations: ['bafk'] }, false],
  ['one within a call', { chain: ['tame/ann'] }, false],
  ['one whose name no command spells', { name: 'P'.repeat(60) }, false],
])('%s may be left: %s (L2)', async (_, over, expected) => {
  using at = world();
  const ann = await Correspondent.open(at, 'ann');
  expect(ann.letters.mayLeave(ann.tells('tame/ann', 'tame/bob', over))).toBe(expected);
});

/** What lies in a node's mailbox, as it lies there. */
async function lying(at: World, node: Correspondent): Promise<readonly Letter[]> {
  const letters: Letter[] = [];
  await at.boxes.mailbox(node.self).collect((letter) => {
    letters.push(letter);
    return Promise.resolve('refused');
  }, forever);
  return letters;
}

const idOf = (n: number) => `${n}`.padEnd(43, 'A') as Parameters<Mailbox['leave']>[1]['id'];

test('attack: garbage, a letter cut short, and another node’s letter left again are counted, and blame nobody', async () => {
  using at = world();
  const [ann, bob, cid] = [
    await Correspondent.open(at, 'ann'),
    await Correspondent.open(at, 'bob'),
    await Correspondent.open(at, 'cid'),
  ];
  await ann.letters.leave(ann.tells('tame/ann', 'tame/bob'), forever);
  const [stolen] = await lying(at, bob);
  const bytes = stolen?.bytes ?? new Uint8Array();
  const flipped = Uint8Array.from(bytes);
  flipped[flipped.length - 1] = (flipped.at(-1) ?? 0) ^ 1;
  const mailbox = at.boxes.mailbox(cid.self);
  const forged = [new Uint8Array(0), Uint8Array.of(1, 2, 3), bytes.subarray(0, bytes.length - 9), bytes, flipped];
  for (const [n, letter] of forged.entries()) await mailbox.leave(bob.self, { id: idOf(n), bytes: letter }, forever);
  expect(await bob.letters.collect(forever)).toEqual({ accepted: 0, later: 0, refused: forged.length });
  expect(Object.values(bob.letters.refused).reduce((sum, count) => sum + count, 0)).toBe(forged.length);
  expect(bob.letters.refused['envelope.wrong_carrier']).toBe(2);
  expect([bob.accepted, bob.refusals]).toEqual([[], []]);
});

test('attack: a body that was changed, left again by its own node, is refused and on record', async () => {
  using at = world();
  const [ann, bob] = [await Correspondent.open(at, 'ann'), await Correspondent.open(at, 'bob')];
  await ann.letters.leave(ann.tells('tame/ann', 'tame/bob'), forever);
  const [own] = await lying(at, bob);
  const flipped = Uint8Array.from(own?.bytes ?? []);
  flipped[flipped.length - 1] = (flipped.at(-1) ?? 0) ^ 1;
  await at.boxes.mailbox(ann.self).leave(bob.self, { id: idOf(1), bytes: flipped }, forever);
  expect(await bob.letters.collect(forever)).toMatchObject({ refused: 1 });
  expect(bob.refusals).toEqual(['body.wrong_digest']);
  expect(bob.accepted).toEqual([]);
});

test.each<[string, Partial<LettersParts>, string]>([
  ['by the roster’s rule', {}, 'realm.not_its_place'],
  ['by its name, where there is no rule', { checks: [] }, 'name.taken'],
])(
  'attack: an agent of the realm’s name with keys of its own is refused %s, on record (L3)',
  async (_, parts, code) => {
    using at = world();
    using other = world(); // another operator, another sponsor, the same names
    const bob = await Correspondent.open(at, 'bob', { parts });
    const theirs = openRealmNode(other.folder, 'ann');
    const fake = theirs.roster.nodes[0]?.agents[0]?.did ?? theirs.did;
    const cid = await Correspondent.open(at, 'cid', { keys: theirs });
    await cid.letters.leave(cid.tells('tame/ann', 'tame/bob', { from: { agent: 'tame/ann', did: fake } }), forever);
    expect(await bob.letters.collect(forever)).toMatchObject({ refused: 1 });
    expect(bob.refusals).toEqual([code]);
    expect(bob.accepted).toEqual([]);
  },
);

test('attack: stolen keys of an agent are good for nothing on another node of the realm', async () => {
  using at = world();
  const bob = await Correspondent.open(at, 'bob');
  const cid = await Correspondent.open(at, 'cid', { keys: openRealmNode(at.folder, 'ann') });
  await cid.letters.leave(cid.tells('tame/ann', 'tame/bob'), forever);
  expect(await bob.letters.collect(forever)).toMatchObject({ refused: 1 });
  expect(bob.refusals).toEqual(['realm.not_its_place']);
});

test('attack: a sender for whom nothing is risky does not decide that (L2)', async () => {
  using at = world();
  const bob = await Correspondent.open(at, 'bob');
  const ann = await Correspondent.open(at, 'ann', { parts: { contractOf: () => Tame } });
  await ann.letters.leave(ann.tells('tame/ann', 'risky/bob'), forever);
  expect(await bob.letters.collect(forever)).toMatchObject({ refused: 1 });
  expect(bob.refusals).toEqual(['letter.too_risky']);
});

test('attack: what is old is refused, whoever has the keys today', async () => {
  using at = world();
  const [ann, bob] = [await Correspondent.open(at, 'ann'), await Correspondent.open(at, 'bob')];
  await ann.letters.leave(ann.tells('tame/ann', 'tame/bob', { deadline: clock.now() + 10_000 }), forever);
  clock.advance(20_000);
  expect(await bob.letters.collect(forever)).toMatchObject({ refused: 1 });
  expect(bob.refusals).toEqual(['envelope.past_deadline']);
});
