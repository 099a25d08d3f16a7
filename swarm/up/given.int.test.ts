/** What a swarm's file gives, over keys on disk, while a node runs and time passes. */
import { mkdtempDisposableSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Cid } from '../../runtime/codec/cid.ts';
import { ManualClock, seededRandom } from '../../runtime/core/simulation.ts';
import { MemoryWorld } from '../../runtime/log/memory-log.ts';
import type { NodeAuthority } from '../authority/node-authority.ts';
import { openAuthority } from '../authority/open-authority.ts';
import { Operator } from '../authority/operator.ts';
import type { Roots, RootTerms } from '../file/delegations.ts';
import { openWholeRealm, provisionRealm } from '../realm/realm-folder.ts';
import { mintRoots } from '../realm/roots.ts';
import { Given } from './given.ts';

const HOUR_MS = 3_600_000;
const MAIL: RootTerms = { command: '/tool/mail', where: [], depth: 1, ceiling: 1000, budget: {}, forMs: HOUR_MS };
const PAY: RootTerms = { ...MAIL, command: '/tool/pay', budget: { cents: 500 } };

function unwrapped<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('expected a desk that has started');
  return value;
}

/** A node that is all of its realm, and what it was given; the clock moves when told. */
class Desk implements AsyncDisposable {
  readonly clock = new ManualClock();
  readonly random = seededRandom('given');
  readonly #folder = mkdtempDisposableSync(join(tmpdir(), 'ringmesh-given-'));
  readonly directory = this.#folder.path;
  readonly #ports = { clock: this.clock, random: this.random };
  readonly roster = provisionRealm(
    this.directory,
    { realm: 'acme', nodes: [{ name: 'one', agents: ['desk'] }] },
    this.#ports,
  );
  readonly troubles: string[] = [];
  readonly file = join(this.directory, 'nodes/one/roots');
  readonly #wanted: Roots;
  #authority: NodeAuthority | undefined;
  #given: Given | undefined;

  constructor(...terms: readonly RootTerms[]) {
    this.#wanted = new Map([['desk', terms]]);
  }

  get given(): Given {
    return unwrapped(this.#given);
  }

  get authority(): NodeAuthority {
    return unwrapped(this.#authority);
  }

  async start(): Promise<this> {
    const { log } = await new MemoryWorld(this.random).open(this.clock);
    this.#authority = await openAuthority(openWholeRealm(this.directory), { log, ...this.#ports });
    this.#given = await Given.open({
      ...{ authority: this.authority, realm: this, nodes: ['one'], wanted: this.#wanted },
      ...{ ...this.#ports, trouble: (text) => this.troubles.push(text) },
    });
    return this;
  }

  /** What the operator's own command does, wherever that is. */
  async signElsewhere(): Promise<number> {
    return mintRoots(this, this.#wanted, { nodes: ['one'], ...this.#ports });
  }

  /** Minute by minute. */
  async pass(ms: number): Promise<void> {
    for (const end = this.clock.now() + ms; this.clock.now() < end; ) {
      this.clock.advance(Math.min(60_000, end - this.clock.now()));
      await this.given.idle;
    }
  }

  get roots(): readonly Cid[] {
    return this.authority.delegations.to(unwrapped(this.authority.didOf('desk')));
  }

  /** The commands that its agent may still give, each once. */
  get standing(): readonly string[] {
    const { authority, clock } = this;
    const links = this.roots.map((cid) => authority.delegations.chain(cid)?.[0]);
    const live = links.filter((link) => link !== undefined && link.claims.exp * 1000 > clock.now());
    return [...new Set(live.map((link) => link?.claims.cmd ?? ''))].sort();
  }

  get onFile(): number {
    return readFileSync(this.file, 'utf8').trim().split('\n').length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#given?.[Symbol.asyncDispose]();
    this.#folder[Symbol.dispose]();
  }
}

test('G1: where the operator’s key is, what has no budget is given again in its second half, again and again', async () => {
  await using desk = await new Desk(MAIL).start();
  const first = desk.given.until ?? 0;
  await desk.pass(HOUR_MS / 2 - 60_000);
  expect(desk.onFile).toBe(1);

  await desk.pass(120_000);
  expect(desk.onFile).toBe(2);
  expect(desk.given.until).toBeGreaterThan(first);

  for (let hour = 0; hour < 3; hour++) {
    await desk.pass(HOUR_MS);
    expect(desk.standing).toEqual(['/tool/mail']);
    expect(desk.given.until).toBeGreaterThan(desk.clock.now());
  }
  expect(desk.troubles).toEqual([]);
});

test('G1: without the key, what the operator signed elsewhere is taken in within a minute', async () => {
  await using desk = await new Desk(MAIL).start();
  const operator = join(desk.directory, 'operator');
  renameSync(operator, `${operator}.away`);
  await desk.pass(HOUR_MS - 120_000);
  expect(desk.onFile).toBe(1);

  renameSync(`${operator}.away`, operator);
  expect(await desk.signElsewhere()).toBe(1);
  renameSync(operator, `${operator}.away`);
  await desk.pass(60_000);
  expect(desk.given.until).toBeGreaterThan(desk.clock.now() + HOUR_MS / 2);

  await desk.pass(HOUR_MS / 4);
  expect(desk.standing).toEqual(['/tool/mail']);
  expect(desk.given.until).toBeGreaterThan(desk.clock.now());
});

test('without the key and without the operator it ends, and the number that says when stays in the past', async () => {
  await using desk = await new Desk(MAIL).start();
  rmSync(join(desk.directory, 'operator'), { recursive: true });
  await desk.pass(2 * HOUR_MS);
  expect(desk.standing).toEqual([]);
  expect(desk.given.until).toBeLessThan(desk.clock.now());
});

test('G2: a budget is not given again while the node runs, whatever else is; the next start gives it', async () => {
  await using desk = await new Desk(MAIL, PAY).start();
  expect(desk.standing).toEqual(['/tool/mail', '/tool/pay']);
  await desk.pass(3 * HOUR_MS);
  expect(desk.standing).toEqual(['/tool/mail']);

  await desk.given[Symbol.asyncDispose]();
  await desk.start();
  expect(desk.standing).toEqual(['/tool/mail', '/tool/pay']);
  expect(desk.troubles).toEqual([]);
});

test('G2: a budget that the operator signs anew is taken in by the node that runs', async () => {
  await using desk = await new Desk(PAY).start();
  await desk.pass(HOUR_MS + 60_000);
  expect(desk.standing).toEqual([]);
  expect(await desk.signElsewhere()).toBe(1);
  await desk.pass(60_000);
  expect(desk.standing).toEqual(['/tool/pay']);
});

test('what the operator took back is not given again', async () => {
  await using desk = await new Desk(MAIL).start();
  const root = unwrapped(desk.roots[0]);
  const operator = Operator.ofRealm(desk.directory, { clock: desk.clock, random: desk.random });
  expect(desk.authority.revoke(operator.revocation(root, 'no longer')).ok).toBe(true);
  await desk.pass(3 * HOUR_MS);
  expect(desk.onFile).toBe(1);
});

test('G3: what goes wrong is told once, and what was mended is taken in', async () => {
  await using desk = await new Desk(MAIL).start();
  await desk.signElsewhere();
  const good = readFileSync(desk.file, 'utf8');
  writeFileSync(desk.file, 'no token\n');
  await desk.pass(HOUR_MS * 0.75);
  expect(desk.troubles).toEqual([expect.stringMatching(/^what the file gives was not renewed: jwt\.\S+: .*roots/)]);
  expect(desk.standing).toEqual(['/tool/mail']);

  writeFileSync(desk.file, good);
  await desk.pass(HOUR_MS);
  expect(desk.standing).toEqual(['/tool/mail']);
  expect(desk.troubles).toHaveLength(1);
});

test('G3: where nothing can be signed, what the operator signed elsewhere is taken in all the same', async () => {
  await using desk = await new Desk(MAIL).start();
  const key = join(desk.directory, 'operator/operator.key');
  const good = readFileSync(key);
  await desk.pass(HOUR_MS / 2 - 60_000);
  writeFileSync(key, 'no key\n');
  await desk.pass(HOUR_MS / 4);
  expect(desk.troubles).toEqual([expect.stringMatching(/^what the file gives was not renewed: key\.malformed: /)]);

  writeFileSync(key, good);
  expect(await desk.signElsewhere()).toBe(1);
  writeFileSync(key, 'no key\n');
  await desk.pass(HOUR_MS / 2);

  expect(desk.standing).toEqual(['/tool/mail']);
});

test('after its end it looks no more', async () => {
  await using desk = await new Desk(MAIL).start();
  await desk.given[Symbol.asyncDispose]();
  await desk.pass(2 * HOUR_MS);
  expect(desk.onFile).toBe(1);
});
