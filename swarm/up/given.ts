/**
 * What a swarm's file gives to the agents of a node: learned at its start, and kept in force while it runs.
 *
 * G1. What has no budget is given again in the second half of its time: signed here where the operator's key is in reach, else
 *     taken in when somebody who has it has put it beside the node's keys (`ringmesh keys realm`).
 * G2. A running node signs no budget anew: what was meant once would be given again and again. A start does; and what the
 *     operator signs meanwhile is taken in as in G1.
 * G3. What goes wrong is told once, and tried again a minute later. What stands goes on until it ends, and what others have signed
 *     is taken in though nothing can be signed here.
 */
import type { Delegation } from '../../mesh/delegation/delegation.ts';
import type { Cid } from '../../runtime/codec/cid.ts';
import type { Millis } from '../../runtime/core/brand.ts';
import type { Clock } from '../../runtime/core/clock.ts';
import { hasCode, messageOf } from '../../runtime/core/errors.ts';
import type { Random } from '../../runtime/core/random.ts';
import type { NodeAuthority } from '../authority/node-authority.ts';
import type { Roots } from '../file/delegations.ts';
import type { RealmRoster } from '../realm/realm-folder.ts';
import { hasOperator, mintRoots, type Outlook, outlookOf, rootsOfNode, rootsText } from '../realm/roots.ts';

/** How often a running node looks whether something is to be given again, or was. */
const LOOK_MS = 60_000;

export type GivenParts = {
  readonly authority: NodeAuthority;
  readonly realm: { readonly directory: string; readonly roster: RealmRoster };
  /** The nodes that this process is. */
  readonly nodes: readonly string[];
  readonly wanted: Roots;
  readonly clock: Clock;
  readonly random: Random;
  /** G3. */
  readonly trouble: (text: string) => void;
};

export class Given implements AsyncDisposable {
  /** How much was given at the start, in words. */
  readonly detail: string;
  readonly #parts: GivenParts;
  #outlook: Outlook;
  /** The tokens as they lay there when they were last read. */
  #text: string;
  /** What went wrong at the last look. */
  #troubles: ReadonlySet<string> = new Set();
  #timer: Disposable | undefined;
  #looking: Promise<void> = Promise.resolve();
  #isOver = false;

  private constructor(
    parts: GivenParts,
    { detail, outlook, text }: { detail: string; outlook: Outlook; text: string },
  ) {
    this.#parts = parts;
    this.detail = detail;
    this.#outlook = outlook;
    this.#text = text;
    this.#lookLater();
  }

  /** Signs what is due where the key is, and learns what is there.
   *  @throws {CodedError} `realm.root_missing` · `key.*` · `jwt.*` · `delegation.*` */
  static async open(parts: GivenParts): Promise<Given> {
    const signed = await mint(parts, 'at its start');
    const text = textOf(parts);
    const { live, over, outlook } = await learn(parts);
    const ended = over === 0 ? '' : `, ${over} ended`;
    const detail = `${live} delegated${signed === 0 ? '' : `, ${signed} of them now`}${ended}`;
    return new Given(parts, { detail, outlook, text });
  }

  /** When the first of it ends, or has ended. */
  get until(): Millis | undefined {
    return this.#outlook.endsAt;
  }

  /** Resolves when no look is under way. */
  get idle(): Promise<void> {
    return this.#looking;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    this.#timer?.[Symbol.dispose]();
    await this.#looking;
  }

  #lookLater(): void {
    this.#timer = this.#parts.clock.after(LOOK_MS, () => {
      this.#looking = this.#look().finally(() => {
        if (!this.#isOver) this.#lookLater();
      });
    });
  }

  async #look(): Promise<void> {
    const { realm, clock, trouble } = this.#parts;
    const troubles = new Set<string>();
    const attempt = async (work: () => Promise<unknown>): Promise<void> => {
      try {
        await work();
      } catch (error) {
        troubles.add(`${hasCode(error) ? `${error.code}: ` : ''}${messageOf(error)}`);
      }
    };
    const isDue = hasOperator(realm.directory) && clock.now() >= (this.#outlook.renewAt ?? Number.POSITIVE_INFINITY);
    if (isDue) await attempt(() => mint(this.#parts, 'running'));
    await attempt(async () => {
      const text = textOf(this.#parts);
      if (!isDue && text === this.#text) return;
      this.#outlook = (await learn(this.#parts)).outlook;
      this.#text = text;
    });
    for (const one of troubles) if (!this.#troubles.has(one)) trouble(`what the file gives was not renewed: ${one}`);
    this.#troubles = troubles;
  }
}

/** How many it signed: none without the key. */
async function mint(
  { realm, nodes, wanted, clock, random, authority }: GivenParts,
  when: 'at its start' | 'running',
): Promise<number> {
  if (!hasOperator(realm.directory)) return 0;
  const isRevoked = (root: Cid): boolean => authority.isTakenBack(root);
  return mintRoots(realm, wanted, { nodes, clock, random, isRevoked, isRunning: when === 'running' });
}

type Learned = { readonly live: number; readonly over: number; readonly outlook: Outlook };

async function learn({ authority, realm, nodes, wanted, clock }: GivenParts): Promise<Learned> {
  const roots: Delegation[] = [];
  for (const node of nodes) roots.push(...(await rootsOfNode(realm, node, wanted)));
  let live = 0;
  for (const { token } of roots) if (await isLearned(authority, token)) live += 1;
  const standing = roots.filter(({ cid }) => !authority.isTakenBack(cid));
  return { live, over: roots.length - live, outlook: outlookOf(standing, clock.now()) };
}

/** What has ended or was taken back is no fault of the node's: its agents are denied what they were given by it. */
async function isLearned(authority: NodeAuthority, token: string): Promise<boolean> {
  try {
    await authority.learn([token]);
    return true;
  } catch (error) {
    if (hasCode(error, 'delegation.expired') || hasCode(error, 'delegation.revoked')) return false;
    throw error;
  }
}

function textOf({ realm, nodes }: GivenParts): string {
  return nodes.map((node) => rootsText(realm.directory, node)).join('\n');
}
