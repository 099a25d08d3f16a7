/**
 * Several test nodes and a wire between them that fails as its seed says: a message is lost before it arrives, or its answer
 * on the way back, or both are late. What the wire carries it vouches for; what proves it on a real one is `ringmesh/mesh`.
 */
import { type Did, parseDid } from '../codec/did.ts';
import { sha256 } from '../codec/digest.ts';
import { digestText } from '../codec/record.ts';
import { utf8 } from '../core/bytes.ts';
import type { Random } from '../core/random.ts';
import { unwrap } from '../core/result.ts';
import { seededRandom } from '../core/simulation.ts';
import type { Outcome } from '../kernel/outcome.ts';
import { type Duration, toMillis } from './duration.ts';
import type { Incoming, Outgoing, Remote } from './remote.ts';
import { TestNode, type TestNodeOptions } from './test-kit.ts';

/** How often, in hundredths, a message or its answer is lost, and by how much, in virtual milliseconds, either may be late. */
export type WireFaults = { readonly lost: number; readonly replyLost: number; readonly lateMs: number };

const NO_FAULTS: WireFaults = { lost: 0, replyLost: 0, lateMs: 0 };

/** What a sender is told when the wire has eaten something: it cannot know what. */
const NOTHING_HEARD: Outcome = { type: 'busy', retryAfterMs: 100 };

export class TestMesh implements AsyncDisposable {
  readonly nodes: readonly TestNode[];
  faults: WireFaults;
  readonly #random: Random;
  /** Messages and answers that were lost. */
  lost = 0;

  constructor(options: TestNodeOptions & { readonly nodes: number; readonly faults?: WireFaults }) {
    const { nodes, faults = NO_FAULTS, seed = 1, ...rest } = options;
    this.faults = faults;
    this.#random = seededRandom(`wire ${seed}`);
    this.nodes = Array.from({ length: nodes }, (_, n) => {
      const remote = this.#remoteOf(n);
      return new TestNode({ ...rest, seed: seed * 1_000 + n, didOf, remote });
    });
  }

  async open(): Promise<void> {
    for (const node of this.nodes) await node.open();
  }

  /** Lets virtual time pass everywhere, in steps of a second, so that answers and retries find one another. */
  async advance(by: Duration): Promise<void> {
    for (let leftMs = toMillis(by); leftMs > 0; leftMs -= STEP_MS) {
      for (const node of this.nodes) if (node.isOpen) await node.advance(Math.min(leftMs, STEP_MS));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const node of this.nodes) await node.crash();
  }

  #remoteOf(from: number): Remote {
    const to = (agent: string): TestNode | undefined =>
      this.nodes.find((node, n) => n !== from && node.isOpen && node.node.hosts(agent));
    const carry = async (message: Outgoing, hand: (to: TestNode, arriving: Incoming) => Promise<Outcome>) => {
      const node = to(message.to);
      if (node === undefined || this.#happens(this.faults.lost)) return this.#lose();
      await this.#late(node);
      if (!node.isOpen) return this.#lose();
      const answer = await hand(node, arrivingOf(message));
      return this.#happens(this.faults.replyLost) ? this.#lose() : answer;
    };
    return {
      find: (agent) => {
        const contract = to(agent)?.contractOf(agent);
        return contract === undefined ? undefined : { contract, did: didOf(agent) };
      },
      ask: (message) => carry(message, (node, arriving) => node.node.answer(arriving)),
      tell: (message) => carry(message, (node, arriving) => node.node.accept(arriving)),
    };
  }

  #happens(hundredths: number): boolean {
    return this.#random.below(100) < hundredths;
  }

  #lose(): Outcome {
    this.lost += 1;
    return NOTHING_HEARD;
  }

  async #late({ clock }: TestNode): Promise<void> {
    if (this.faults.lateMs === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    clock.after(this.#random.below(this.faults.lateMs + 1), resolve);
    await promise;
  }
}

const STEP_MS = 1_000;

function didOf(agent: string): Did {
  return unwrap(parseDid(`did:example:${agent.replaceAll('/', ':')}`), 'an agent name makes a DID');
}

function arrivingOf({ contract: _contract, ...message }: Outgoing): Incoming {
  return { ...message, envelope: digestText(sha256(utf8(message.message))), delegation: [] };
}
