/** A log as nodes leave it: acts that were decided and settled, denials, endorsements and identities, at moments of choice. */
import type { Did } from '../../runtime/codec/did.ts';
import type { JsonValue } from '../../runtime/codec/json.ts';
import { type DigestText, type EventId, parseStreamId, type RecordedDecision } from '../../runtime/codec/record.ts';
import type { Millis } from '../../runtime/core/brand.ts';
import { unwrap } from '../../runtime/core/result.ts';
import { ManualClock, seededRandom } from '../../runtime/core/simulation.ts';
import { uuidv7 } from '../../runtime/core/uuid.ts';
import type { EventLog } from '../../runtime/log/event-log.ts';
import { MemoryWorld } from '../../runtime/log/memory-log.ts';
import { eventType } from '../../runtime/log/vocabulary.ts';
import { identityLearned } from './events.ts';

export type Act = {
  readonly verb?: 'use' | 'ask';
  readonly target?: string;
  readonly risk?: number;
  readonly effect?: string;
  readonly actor?: Did;
};

export class Trail {
  readonly clock: ManualClock;
  readonly log: EventLog;
  readonly #random = seededRandom('trail');
  #acts = 0;

  constructor(log: EventLog, clock: ManualClock) {
    this.log = log;
    this.clock = clock;
  }

  static async begin(): Promise<Trail> {
    const clock = new ManualClock(1_800_000_000_000);
    const { log } = await new MemoryWorld(seededRandom('trail world')).open(clock);
    return new Trail(log, clock);
  }

  get now(): Millis {
    return this.clock.now();
  }

  /** One event of any kind. */
  async event(
    stream: string,
    type: string,
    value: JsonValue,
    over: { readonly actor?: Did; readonly decision?: RecordedDecision; readonly envelope?: DigestText } = {},
  ): Promise<void> {
    const id = uuidv7(this.clock, this.#random) as EventId;
    const payload = { type: 'json', value } as const;
    const event = { actor: this.log.did, ...over, id, type: eventType(type), payload };
    await this.log.append([{ stream: unwrap(parseStreamId(stream), 'a stream'), expected: 'any', events: [event] }]);
  }

  /** An act that was allowed; its key. */
  async allowed(agent: string, act: Act = {}): Promise<string> {
    const key = `turn-${this.#acts++}/0`;
    await this.#decided(agent, key, act, { decision: { verdict: 'allow', code: 'policy.allowed' }, refused: null });
    return key;
  }

  async settled(
    agent: string,
    key: string,
    outcome: { readonly type: string; readonly [name: string]: JsonValue },
    actor?: Did,
  ) {
    const status = outcome.type === 'ok' ? 'ok' : outcome.type === 'unknown' ? 'unknown' : 'failed';
    const over = actor === undefined ? {} : { actor };
    await this.event(`agent/${agent}`, 'action.settled', { key, status, outcome, note: {} }, over);
  }

  /** An act that was allowed and went well, or did not. */
  async did(
    agent: string,
    act: Act = {},
    outcome: { readonly type: string; readonly [name: string]: JsonValue } = { type: 'ok' },
  ) {
    await this.settled(agent, await this.allowed(agent, act), outcome, act.actor);
  }

  /** An act that a gate denied. */
  async denied(agent: string, gate: string, act: Act = {}, code = `${gate}.denied`): Promise<void> {
    const refused = { gate, outcome: { type: 'denied', code, message: 'no' } };
    await this.#decided(agent, `turn-${this.#acts++}/0`, act, { decision: { verdict: 'deny', code }, refused });
  }

  async endorsed(agent: string, floor: number, forMs = 90 * 86_400_000): Promise<void> {
    const payload = { agent, ring: 2, trust_floor: floor, expires_at: this.now + forMs };
    await this.event(`ring/${agent}`, 'agent.endorsed', payload);
  }

  async learned(inception: Uint8Array): Promise<void> {
    await this.event('identities', 'identity.learned', identityLearned(inception));
  }

  /** So many good acts with three tools, a minute apart. */
  async worked(agent: string, acts: number, act: Act = {}): Promise<void> {
    for (let n = 0; n < acts; n++) {
      await this.did(agent, { target: `file.${['read', 'write', 'list'][n % 3]}`, ...act });
      this.clock.advance(60_000);
    }
  }

  async #decided(agent: string, key: string, act: Act, gave: { decision: RecordedDecision; refused: JsonValue }) {
    const { verb = 'use', target = 'file.write', risk = 1, effect = 'idempotent', actor } = act;
    const what = { key, verb, target, effect, risk, scope: null, digest: 'x' };
    const value = { ...what, input: {}, attempt: 1, refused: gave.refused, note: {} };
    const over = { decision: gave.decision, ...(actor === undefined ? {} : { actor }) };
    await this.event(`agent/${agent}`, 'action.decided', value, over);
  }
}
