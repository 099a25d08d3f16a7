/** A node with identities, an operator who delegates, and a kernel that all of it stands before. Opening it again is a restart. */
import { foldIdentity, writeInception } from '../../mesh/identity.ts';
import { bundle } from '../../policies/bundle/bundle.ts';
import { policy } from '../../policies/document/document.ts';
import type { Did } from '../../runtime/codec/did.ts';
import { generateKeyPair } from '../../runtime/codec/ed25519.ts';
import type { JsonValue } from '../../runtime/codec/json.ts';
import { parseStreamId } from '../../runtime/codec/record.ts';
import type { Millis } from '../../runtime/core/brand.ts';
import { unwrap } from '../../runtime/core/result.ts';
import { ManualClock, seededRandom } from '../../runtime/core/simulation.ts';
import type { Action } from '../../runtime/kernel/action.ts';
import { newEventId } from '../../runtime/kernel/event-id.ts';
import { type Executor, Kernel } from '../../runtime/kernel/kernel.ts';
import type { Outcome } from '../../runtime/kernel/outcome.ts';
import type { Endorsement } from '../../runtime/kernel/ring.ts';
import type { EventLog, Write } from '../../runtime/log/event-log.ts';
import { MemoryWorld } from '../../runtime/log/memory-log.ts';
import { jsonOf } from '../../runtime/log/upcast.ts';
import { eventType } from '../../runtime/log/vocabulary.ts';
import { govern } from '../governance.ts';
import type { Signer } from './mint-from.ts';
import { NodeAuthority } from './node-authority.ts';
import { Operator, type RootGrant } from './operator.ts';

const NAMES = ['chief', 'clerk', 'rogue'] as const;
export type Name = (typeof NAMES)[number];

const HOUR_MS = 3_600_000;
const live = new AbortController().signal;

const rules = bundle([
  policy({
    name: 'house',
    layer: 'org',
    tools: {
      'mail.send': { effects: ['write'], reversibility: 'reversible' },
      'authority.delegate': { effects: ['write'], reversibility: 'reversible' },
    },
    rules: [{ id: 'all', on: { verb: 'use' }, effect: 'allow' }],
  }),
]);

export class House {
  readonly clock = new ManualClock();
  readonly operator: Operator;
  readonly signers: ReadonlyMap<string, Signer>;
  readonly ran: JsonValue[] = [];
  /** What happens in the tick in which an effect starts. */
  onStart: () => void = () => undefined;
  readonly #world: MemoryWorld;
  #starts = 0;

  constructor(seed: string) {
    const random = seededRandom(seed);
    this.#world = new MemoryWorld(random);
    this.operator = new Operator(generateKeyPair(random), { clock: this.clock, random });
    const sponsor = generateKeyPair(random);
    this.signers = new Map(
      NAMES.map((name) => {
        const [key, next] = [generateKeyPair(random), generateKeyPair(random)];
        const inception = writeInception({ name, key, next: next.publicKey, sponsor, at: this.clock.now() });
        return [name, { key, identity: unwrap(foldIdentity([inception]), 'an identity') }];
      }),
    );
  }

  didOf(name: Name): Did {
    const signer = this.signers.get(name);
    if (signer === undefined) throw new Error(`expected one of ${NAMES.join()}, found ${name}`);
    return signer.identity.did;
  }

  /** What a node's authority is made of, but for the node. */
  get parts() {
    const members = new Map(NAMES.map((name) => [name, this.didOf(name)]));
    return { signers: this.signers, members, operator: this.operator.did };
  }

  later(ms: number): Millis {
    return (this.clock.now() + ms) as Millis;
  }

  /** Everything for an hour, with two links to follow, but for what a test says. */
  async grant(to: Name, over: Partial<RootGrant> = {}) {
    const given = { command: '/', expires: this.later(HOUR_MS), depth: 2, ...over };
    return this.operator.grant(this.didOf(to), given);
  }

  async open() {
    const { clock } = this;
    const { log } = await this.#world.open(clock);
    const random = seededRandom(`start ${++this.#starts}`);
    const authority = await NodeAuthority.open({ ...this.parts, log, clock, random, node: log.did });
    const endorsements = NAMES.map(
      (agent): Endorsement => ({ agent, ring: 2, trustFloor: 650, expiresAt: this.later(HOUR_MS) }),
    );
    const governance = govern({ log, clock, random, bundle: () => rules, endorsements, authority });
    await governance.recorded();
    const started = (agent: Name): Write => {
      const payload = { type: 'json', value: { contract: 'clerk', parent: null } } as const;
      const event = {
        id: newEventId(clock, random),
        type: eventType('agent.started'),
        actor: this.didOf(agent),
        payload,
      };
      return { stream: unwrap(parseStreamId(`agent/${agent}`), 'a stream'), expected: 'any', events: [event] };
    };
    await log.append(NAMES.map(started));
    const send: Executor = {
      run: async (input) => {
        this.onStart();
        this.ran.push(input);
        return { type: 'ok', value: null };
      },
    };
    const { gates, epochs } = governance;
    const executorOf = ({ target }: Action) => (target === 'mail.send' ? send : authority.tool.executor);
    const kernel = new Kernel({ log, clock, random, gates, epochs, executorOf });
    let acts = 0;
    const act = (name: Name, input: JsonValue, target = 'mail.send'): Promise<Outcome> => {
      const action: Action = {
        ...{ key: `${this.#starts}/${acts++}`, agent: name, actor: this.didOf(name), target, input },
        stream: unwrap(parseStreamId(`agent/${name}`), 'a stream'),
        ...{ verb: 'use', effect: 'idempotent', risk: 1, withinMs: 1_000 },
      };
      return kernel.perform(action, live);
    };
    return {
      ...{ log, authority, governance, act },
      /** Asks for a part of what it has to be given to another. */
      delegate: (by: Name, to: string, grant: { readonly [name: string]: JsonValue }) =>
        act(by, { to, forMs: HOUR_MS, ...grant }, 'authority.delegate'),
      close: async () => {
        await governance.recorded();
        await log[Symbol.asyncDispose]();
      },
    };
  }
}

export function eventsOf(log: EventLog, type: string): readonly JsonValue[] {
  return [...log.read()].filter((record) => record.type === type).map((record) => jsonOf(record, log));
}
