import { existsSync, mkdtempDisposableSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openAgentKeys, readKeyFolder } from '../../mesh/key-folder.ts';
import { formatDidKey } from '../../runtime/codec/did-key.ts';
import { systemClock, systemRandom } from '../../runtime/core/system.ts';
import { LineProcess } from './line-process.fixture.ts';
import { openOperatorLogin, openRealmNode, provisionRealm, type RealmPlan, readRoster } from './realm-folder.ts';
import { readRoots } from './roots.ts';

const MAKER = new URL('./realm-maker.fixture.ts', import.meta.url);
const PLAN: RealmPlan = { realm: 'audit', nodes: [{ name: 'one', agents: ['audit/reporter'] }] };
const ports = { clock: systemClock, random: systemRandom };
const folder = () => mkdtempDisposableSync(join(tmpdir(), 'ringmesh-race-'));

/** What a process says that makes a realm there: its roster, or a code; `undefined` if it ends before. */
async function make(maker: LineProcess, directory: string, plan = PLAN): Promise<unknown> {
  const line = await maker.ask(JSON.stringify({ directory, plan }));
  return line === undefined ? undefined : JSON.parse(line);
}

/** Who the keys on disk are, all of which can be used: a roster as it has to be. */
function rosterOnDisk(directory: string): unknown {
  const { realm, nodes } = readRoster(directory);
  return {
    realm,
    operator: readKeyFolder(join(directory, 'operator')).did,
    operatorLogin: formatDidKey(openOperatorLogin(directory).publicKey),
    nodes: nodes.map(({ name }) => {
      const { node, login, agents } = openRealmNode(directory, name);
      const told = [...agents].map(([agent, place]) => ({ name: agent, did: openAgentKeys(place).identity.did }));
      return { name, did: formatDidKey(node.publicKey), login: formatDidKey(login.publicKey), agents: told };
    }),
  };
}

test('R3: processes that make one realm at once all have the same, which is the one on disk', async () => {
  using at = folder();
  await using stack = new AsyncDisposableStack();
  const makers = [1, 2, 3].map(() => stack.use(new LineProcess(MAKER)));
  for (let round = 0; round < 20; round++) {
    const directory = join(at.path, `${round}`);
    const outcomes = await Promise.all(makers.map((maker) => make(maker, directory)));
    const roster = rosterOnDisk(directory);
    expect(outcomes).toEqual([roster, roster, roster]);
  }
});

test('R3: processes that each add a node to one realm at once lose none', async () => {
  using at = folder();
  await using stack = new AsyncDisposableStack();
  const names = ['one', 'two', 'three'];
  const makers = names.map((name) => ({ name, maker: stack.use(new LineProcess(MAKER)) }));
  for (let round = 0; round < 20; round++) {
    const directory = join(at.path, `${round}`);
    provisionRealm(directory, { realm: 'audit', nodes: [] }, ports);
    await Promise.all(
      makers.map(({ name, maker }) => make(maker, directory, { realm: 'audit', nodes: [{ name, agents: [name] }] })),
    );
    const { nodes, ...roster } = readRoster(directory);
    expect(nodes.map(({ name }) => name).toSorted()).toEqual(names.toSorted());
    expect(rosterOnDisk(directory)).toEqual({ ...roster, nodes });
  }
});

test('O4: processes that sign the roots of one realm at once sign each once, and lose none', async () => {
  using at = folder();
  await using stack = new AsyncDisposableStack();
  const signers = [1, 2, 3].map(() => stack.use(new LineProcess(new URL('./roots-maker.fixture.ts', import.meta.url))));
  for (let round = 0; round < 20; round++) {
    const directory = join(at.path, `${round}`);
    const roster = provisionRealm(directory, { realm: 'audit', nodes: [{ name: 'one', agents: ['desk'] }] }, ports);
    const signed = await Promise.all(signers.map((signer) => signer.ask(directory)));
    expect(signed.toSorted()).toEqual(['0', '0', '3']);
    expect(await readRoots({ directory, roster }, 'one')).toHaveLength(3);
  }
});

/** The files that have come to be, with what they hold. */
function filesIn(directory: string): Readonly<Record<string, string>> {
  if (!existsSync(directory)) return {};
  const names = readdirSync(directory, { recursive: true, encoding: 'utf8' });
  const whole = names.filter((name) => !/\.unfinished|\.new$/.test(name) && statSync(join(directory, name)).isFile());
  return Object.fromEntries(whole.map((name) => [name, readFileSync(join(directory, name), 'latin1')]));
}

test('R1: killed before any of its changes of the disk, it leaves what the next call completes with the keys that are there', async () => {
  using at = folder();
  /** Whether it was killed at that step, and did not end before. */
  const isKilledAt = async (step: number): Promise<boolean> => {
    const directory = join(at.path, `${step}`);
    await using maker = new LineProcess(MAKER, 'SIGKILL', `${step}`);
    const isKilled = (await make(maker, directory)) === undefined;
    const left = filesIn(directory);
    const roster = provisionRealm(directory, PLAN, ports);
    expect(rosterOnDisk(directory)).toEqual(roster);
    expect(filesIn(directory)).toMatchObject(left);
    expect(provisionRealm(directory, PLAN, ports)).toEqual(roster);
    return isKilled;
  };
  let steps = 0;
  for (let isKilled = true; isKilled; steps += 2) {
    isKilled = (await Promise.all([isKilledAt(steps + 1), isKilledAt(steps + 2)])).every(Boolean);
  }
  expect(steps).toBeGreaterThan(30); // or else the disk was changed by other ways than those that are counted
});

test('R3: who waits for one that hangs is told so after a while; and has the realm as soon as that one is killed', async () => {
  using at = folder();
  const directory = join(at.path, 'realm');
  await using stack = new AsyncDisposableStack();
  const holder = stack.use(new LineProcess(MAKER, 'SIGSTOP', '6'));
  const waiter = stack.use(new LineProcess(MAKER));
  const held = make(holder, directory);
  await expect
    .poll(() => existsSync(directory) && readdirSync(directory), { timeout: 30_000 })
    .toContainEqual(expect.stringMatching(/^\.operator\..*\.unfinished$/));
  expect(await make(waiter, directory)).toEqual({ code: 'realm.busy' });
  expect(existsSync(join(directory, 'operator'))).toBe(false);
  const waited = make(waiter, directory);
  await holder[Symbol.asyncDispose]();
  expect(await held).toBeUndefined();
  expect(await waited).toEqual(rosterOnDisk(directory));
});
