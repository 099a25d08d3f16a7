/** A governed kernel over any log, whose agent `clerk` is endorsed for ring 2: enough to make decisions of every kind. */
import { type Bundle, bundle } from '../../policies/bundle/bundle.ts';
import { type PolicyDocument, parsePolicy } from '../../policies/document/document.ts';
import type { JsonValue } from '../../runtime/codec/json.ts';
import { parseStreamId } from '../../runtime/codec/record.ts';
import type { Millis } from '../../runtime/core/brand.ts';
import type { Clock } from '../../runtime/core/clock.ts';
import type { Random } from '../../runtime/core/random.ts';
import { unwrap } from '../../runtime/core/result.ts';
import { ManualClock, seededRandom } from '../../runtime/core/simulation.ts';
import type { Action } from '../../runtime/kernel/action.ts';
import { Kernel } from '../../runtime/kernel/kernel.ts';
import type { Endorsement } from '../../runtime/kernel/ring.ts';
import type { EventLog } from '../../runtime/log/event-log.ts';
import { MemoryWorld } from '../../runtime/log/memory-log.ts';
import { type Governance, govern } from '../governance.ts';

export const HOUSE = `apiVersion: ringmesh.policy/v1
name: house
layer: org
tools:
  file.read: { effects: [read], reversibility: reversible }
  file.write: { effects: [write], reversibility: reversible }
  file.erase: { effects: [write], reversibility: irreversible }
  refund.issue: { effects: [money], reversibility: compensatable, parameters: { amount: { type: integer, min: 1 } } }
rules:
  - id: files
    on: { tool: file.* }
    effect: allow
  - id: refunds
    on: { tool: refund.issue }
    effect: allow
  - id: refund-cap
    on: { tool: refund.issue }
    when: args.amount > 10000 or subject.trust < 100
    effect: escalate
    because: larger refunds are agreed to by people
  - id: no-secrets
    on: { tool: file.write }
    when: args.path like "secrets/*"
    effect: deny
    because: secrets are written by nobody
  - rateLimit: { limit: 3, per: 1m, on: { tool: file.read } }
`;

export function rulesOf(...texts: readonly string[]): Bundle {
  return bundle(documentsOf(...texts));
}

function documentsOf(...texts: readonly string[]): readonly PolicyDocument[] {
  return texts.map((text, n) => unwrap(parsePolicy(text, `policy-${n}.yaml`), 'a policy'));
}

export type Office = Governance & {
  readonly log: EventLog;
  readonly act: (target: string, input?: JsonValue, agent?: string) => Promise<unknown>;
};

export function officeOver(
  log: EventLog,
  parts: { readonly clock: Clock; readonly random: Random; readonly bundle: () => Bundle | undefined },
): Office {
  const { clock, random } = parts;
  const expiresAt = (clock.now() + 3_600_000) as Millis;
  const endorsements: readonly Endorsement[] = [
    { agent: 'clerk', ring: 2, trustFloor: 650, expiresAt },
    { agent: 'chief', ring: 1, trustFloor: 850, expiresAt },
  ];
  const governance = govern({ log, ...parts, endorsements });
  const { gates, epochs } = governance;
  const executor = { run: async () => ({ type: 'ok', value: null }) as const };
  const kernel = new Kernel({ log, clock, random, gates, epochs, executorOf: () => executor });
  let acts = 0;
  const act = async (target: string, input: JsonValue = {}, agent = 'clerk') => {
    const stream = unwrap(parseStreamId(`agent/${agent}`), 'a stream');
    const action: Action = {
      key: `turn-${Math.floor(acts / 2)}/${acts++ % 2}`,
      agent,
      actor: log.did,
      stream,
      verb: 'use',
      target,
      effect: 'idempotent',
      risk: 1,
      input,
      withinMs: 1_000,
    };
    const outcome = await kernel.perform(action, new AbortController().signal);
    await log.flushed();
    return outcome;
  };
  return { ...governance, log, act };
}

/** In memory, on a clock that stands still. */
export async function office(bundleNow: () => Bundle | undefined): Promise<Office & { readonly clock: ManualClock }> {
  const clock = new ManualClock();
  const { log } = await new MemoryWorld(seededRandom(3)).open(clock);
  return { ...officeOver(log, { clock, random: seededRandom(1), bundle: bundleNow }), clock };
}
