import {
  appendFileSync,
  mkdtempDisposableSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Delegation } from '../../mesh/delegation/delegation.ts';
import type { Cid } from '../../runtime/codec/cid.ts';
import { ManualClock, seededRandom } from '../../runtime/core/simulation.ts';
import { Operator } from '../authority/operator.ts';
import type { Roots, RootTerms } from '../file/delegations.ts';
import { provisionRealm } from './realm-folder.ts';
import { hasOperator, mintRoots, outlookOf, rootsOfNode } from './roots.ts';
import { keepRevoked, readRevoked } from './taken-back.ts';

const HOUR_MS = 3_600_000;
const ROOT: RootTerms = { command: '/tool/mail', where: [], depth: 1, ceiling: 1000, budget: {}, forMs: HOUR_MS };

class Realm implements Disposable {
  readonly clock = new ManualClock();
  readonly random = seededRandom('roots');
  readonly #folder = mkdtempDisposableSync(join(tmpdir(), 'ringmesh-roots-'));
  readonly directory = this.#folder.path;
  readonly roster = provisionRealm(
    this.directory,
    {
      realm: 'acme',
      nodes: [
        { name: 'one', agents: ['desk', 'desk/clerk'] },
        { name: 'two', agents: ['cellar'] },
      ],
    },
    this,
  );

  /** How many it signed. */
  async mint(wanted: Roots, { nodes = ['one', 'two'], revoked = [] as readonly Cid[] } = {}): Promise<number> {
    const { clock, random } = this;
    return mintRoots(this, wanted, { nodes, clock, random, isRevoked: (root) => revoked.includes(root) });
  }

  async of(node: string, wanted: Roots): Promise<readonly Delegation[]> {
    return rootsOfNode(this, node, wanted);
  }

  fileOf(node: string): string {
    return join(this.directory, 'nodes', node, 'roots');
  }

  [Symbol.dispose](): void {
    this.#folder[Symbol.dispose]();
  }
}

const wanted = (...terms: Partial<RootTerms>[]): Roots =>
  new Map([['desk', terms.map((one) => ({ ...ROOT, ...one }))]]);

describe('mintRoots', () => {
  test('signs what is wanted for the agents of each node, beside that node’s keys and for its owner alone', async () => {
    using realm = new Realm();
    const roots: Roots = new Map([
      ['desk', [{ ...ROOT, where: [{ arg: 'to', is: 'eq', value: 'ann' }], budget: { calls: 2 }, ceiling: 500 }]],
      ['cellar', [ROOT]],
      ['nobody', [ROOT]],
    ]);

    expect(await realm.mint(roots)).toBe(2);

    const [desk] = await realm.of('one', roots);
    expect(desk?.claims).toMatchObject({
      ...{ iss: realm.roster.operator, sub: realm.roster.operator, aud: realm.roster.nodes[0]?.agents[0]?.did },
      ...{ cmd: '/tool/mail', dep: 1, tcl: 500, bud: { calls: 2 }, pol: [{ arg: 'to', is: 'eq', value: 'ann' }] },
    });
    expect((desk?.claims.exp ?? 0) - (desk?.claims.nbf ?? 0)).toBe(3_600);
    expect((await realm.of('two', roots)).map(({ claims }) => claims.aud)).toEqual([
      realm.roster.nodes[1]?.agents[0]?.did,
    ]);
    expect(statSync(realm.fileOf('one')).mode & 0o077).toBe(0);
  });

  test('O1: again it signs nothing, and changes no file', async () => {
    using realm = new Realm();
    await realm.mint(wanted({}));
    const before = readFileSync(realm.fileOf('one'), 'utf8');
    realm.clock.advance(HOUR_MS / 2 - 1_000);

    expect(await realm.mint(wanted({}))).toBe(0);
    expect(readFileSync(realm.fileOf('one'), 'utf8')).toBe(before);
  });

  test('O1: in the second half of its time a new one stands beside the old; when that has ended, alone', async () => {
    using realm = new Realm();
    await realm.mint(wanted({}));
    const [old] = await realm.of('one', wanted({}));
    realm.clock.advance(HOUR_MS / 2 + 1_000);

    expect(await realm.mint(wanted({}))).toBe(1);
    expect(await realm.of('one', wanted({}))).toHaveLength(2);
    realm.clock.advance(HOUR_MS / 2 - 1_000);
    expect(await realm.mint(wanted({}))).toBe(0);
    const [fresh, ...more] = await realm.of('one', wanted({}));
    expect([fresh?.cid === old?.cid, more]).toEqual([false, []]);
  });

  test('O2: what the realm’s folder says was revoked is not signed again, when its time is over neither', async () => {
    using realm = new Realm();
    const roots = wanted({}, { command: '/tool/post' });
    await realm.mint(roots);
    const [mail] = await realm.of('one', wanted({}));
    const operator = Operator.ofRealm(realm.directory, realm);
    const statement = operator.revocation(mail?.cid as Cid, 'enough');
    for (let n = 0; n < 2; n++) await keepRevoked(realm.directory, statement);
    expect(readRevoked(realm.directory)).toHaveLength(1);
    realm.clock.advance(2 * HOUR_MS);

    expect(await realm.mint(roots)).toBe(1);
    expect((await realm.of('one', roots)).map(({ claims }) => claims.cmd)).toEqual(['/tool/mail', '/tool/post']);
  });

  test('attack: a revocation in the realm’s folder that was changed is refused, and nothing is signed', async () => {
    using realm = new Realm();
    await realm.mint(wanted({}));
    const [root] = await realm.of('one', wanted({}));
    await keepRevoked(realm.directory, Operator.ofRealm(realm.directory, realm).revocation(root?.cid as Cid, 'enough'));
    const folder = join(realm.directory, 'revoked');
    const [name = ''] = readdirSync(folder);
    writeFileSync(join(folder, 'half-written.next'), 'x');
    expect(readRevoked(realm.directory)).toHaveLength(1);
    const text = readFileSync(join(folder, name), 'utf8');
    writeFileSync(join(folder, name), text.replace('payload":"', 'payload":"AAAA'));

    await expect(realm.mint(wanted({}, { command: '/tool/post' }))).rejects.toMatchObject({
      code: 'statement.bad_signature',
    });
  });

  test('O1: a budget is not given twice: its root is signed anew only when it has ended', async () => {
    using realm = new Realm();
    const roots = wanted({ budget: { calls: 5 } });
    await realm.mint(roots);
    realm.clock.advance(HOUR_MS - 1_000);
    expect(await realm.mint(roots)).toBe(0);
    realm.clock.advance(1_000);

    expect(await realm.mint(roots)).toBe(1);
    expect(await realm.of('one', roots)).toHaveLength(1);
  });

  test('O2: what was revoked is not given again, not even when it would have ended', async () => {
    using realm = new Realm();
    await realm.mint(wanted({}));
    const [{ cid } = { cid: undefined as never }] = await realm.of('one', wanted({}));

    for (const later of [0, HOUR_MS / 2 + 1_000, HOUR_MS]) {
      realm.clock.advance(later);
      expect(await realm.mint(wanted({}), { revoked: [cid] })).toBe(0);
    }
    expect(await realm.mint(wanted({ depth: 0 }), { revoked: [cid] })).toBe(1); // the file gives something else
  });

  test('what the file no longer names is dropped, and what it names besides is added', async () => {
    using realm = new Realm();
    await realm.mint(wanted({}, { command: '/a' }));

    expect(await realm.mint(wanted({ command: '/a' }, { command: '/b' }))).toBe(1);
    const commands = (await realm.of('one', wanted({ command: '/a' }, { command: '/b' }))).map((one) => one.claims.cmd);
    expect(commands).toEqual(['/a', '/b']);
    expect(readFileSync(realm.fileOf('one'), 'utf8').trim().split('\n')).toHaveLength(2);
  });

  test('O3: a node alone signs for itself, and without the operator’s key for nobody', async () => {
    using realm = new Realm();
    const roots: Roots = new Map([...wanted({}), ['cellar', [ROOT]]]);
    expect(await realm.mint(roots, { nodes: ['two'] })).toBe(1);
    await expect(realm.of('one', roots)).rejects.toMatchObject({ code: 'realm.root_missing' });
    expect(hasOperator(realm.directory)).toBe(true);
    rmSync(join(realm.directory, 'operator'), { recursive: true });

    expect(hasOperator(realm.directory)).toBe(false);
    await expect(realm.mint(roots)).rejects.toMatchObject({ code: 'key.not_found' });
    expect(await realm.of('two', roots)).toHaveLength(1);
  });
});

describe('outlookOf', () => {
  test('tells when the first ends and what is to be renewed; a new one beside the old is what counts (O1)', async () => {
    using realm = new Realm();
    const roots = wanted({}, { command: '/a', forMs: 3 * HOUR_MS }, { command: '/b', budget: { calls: 5 } });
    await realm.mint(roots);
    const look = async () => outlookOf(await realm.of('one', roots), realm.clock.now());
    const end = realm.clock.now() + HOUR_MS;
    const half = end - HOUR_MS / 2;
    expect(await look()).toEqual({ count: 3, ended: 0, due: 0, endsAt: end, renewAt: half });
    realm.clock.advance(HOUR_MS / 2);
    expect(await look()).toEqual({ count: 3, ended: 0, due: 1, endsAt: end, renewAt: half });
    realm.clock.advance(HOUR_MS / 2);
    expect(await look()).toEqual({ count: 3, ended: 2, due: 2, endsAt: end, renewAt: half });
    await realm.mint(roots);
    expect(await look()).toEqual({ count: 3, ended: 0, due: 0, endsAt: end + HOUR_MS, renewAt: half + HOUR_MS });
    const none = { count: 0, ended: 0, due: 0, endsAt: undefined, renewAt: undefined };
    expect(outlookOf([], realm.clock.now())).toEqual(none);
  });
});

describe('what lies in a node’s folder', () => {
  test('of another agent, or by another operator, is no root of this one', async () => {
    using realm = new Realm();
    using other = new Realm();
    await realm.mint(new Map([['desk/clerk', [ROOT]]]));
    other.random.bytes(1);
    rmSync(join(other.directory, 'operator'), { recursive: true });
    rmSync(join(other.directory, 'realm.json'));
    const stranger = { ...other, roster: provisionRealm(other.directory, { realm: 'acme', nodes: [] }, other) };
    const held = { directory: realm.directory, roster: { ...realm.roster, operator: stranger.roster.operator } };

    await expect(realm.of('one', wanted({}))).rejects.toMatchObject({ code: 'realm.root_missing' });
    await expect(rootsOfNode(held, 'one', new Map([['desk/clerk', [ROOT]]]))).rejects.toMatchObject({
      code: 'realm.root_missing',
    });
  });

  test('and was changed, is told with its place, and nothing is signed over it', async () => {
    using realm = new Realm();
    await realm.mint(wanted({}));
    const text = readFileSync(realm.fileOf('one'), 'utf8');
    writeFileSync(realm.fileOf('one'), text.replace(/\.[^.]*$/, `.${'A'.repeat(86)}\n`));

    await expect(realm.of('one', wanted({}))).rejects.toMatchObject({
      code: expect.stringMatching(/^jwt\./),
      message: expect.stringContaining(realm.fileOf('one')),
    });
    await expect(realm.mint(wanted({}))).rejects.toMatchObject({ code: expect.stringMatching(/^jwt\./) });
    writeFileSync(realm.fileOf('one'), text);
    appendFileSync(realm.fileOf('one'), 'no token\n');
    await expect(realm.of('one', wanted({}))).rejects.toMatchObject({ code: expect.stringMatching(/^jwt\./) });
  });
});
