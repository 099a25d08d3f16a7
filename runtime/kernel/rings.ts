/**
 * The ring of every agent of a node, as a fold of what it did, and the gate that holds agents to it.
 *
 * N5. A ring follows from the agent's own events and the endorsements; nothing else, so a replay gives the same rings.
 * N6. The first violation voids an endorsement. A violation is a denial by policy, ring or kill latch, or of what nobody
 *     delegated to the agent: an act outside its bounds, attempted. Being too fast is refused and is none, nor is acting on a
 *     delegation that has ended.
 * N7. Every demotion moves the trust epoch, so that no permit survives it. A promotion withdraws nothing.
 * N8. An elevation opens a ring until its moment, never further in than the parent's, and no longer than the first violation.
 *     Its end is a demotion. It earns nothing: the machine of `ring.machine.ts` does not know of it.
 * N9. Guests, who only send messages here, are as many as they like to be: of those whom nothing speaks for, no endorsement,
 *     elevation or child, the last `GUESTS_MAX` are remembered. Who is forgotten begins again where everybody does.
 */
import type { Millis } from '../core/brand.ts';
import { type MachineSnapshot, startMachine, stepMachine } from '../core/machine.ts';
import { err, ok, type Result } from '../core/result.ts';
import type { Action } from './action.ts';
import type { Gate, GateAnswer, GateName } from './gate.ts';
import { type RingEvent, type RingFacts, ringMachine } from './ring.machine.ts';
import {
  ELEVATION_MS_MAX,
  type Elevation,
  type Endorsement,
  effectiveScore,
  inner,
  outer,
  RING_LINES,
  RING_RULES,
  type Ring,
  type RingRules,
  type Score,
} from './ring.ts';

/** What an act means for a ring: may it be taken back, and does it change anything at all? Unknown is `irreversible`. */
export type ActKind = 'pure' | 'read' | 'reversible' | 'irreversible';

/** A change of ring, for whoever records it and moves the agent's host. */
export type RingChange = {
  readonly agent: string;
  readonly from: Ring;
  readonly to: Ring;
  readonly score: Score;
  readonly at: Millis;
  /** `demoted` and `promoted` as events call them. */
  readonly direction: 'demoted' | 'promoted';
};

export type RingParts = {
  readonly rules?: RingRules;
  readonly endorsements?: readonly Endorsement[];
  /** The folded trust score; new agents stand at 20. */
  readonly scoreOf?: (agent: string, at: Millis) => Score;
  /** What whoever answers for the agent leaves of its score, an endorsement's floor included; default: all of it. */
  readonly limitOf?: (agent: string, at: Millis) => Score;
  /** Whether the operators' quorum has attested the agent for ring 0; default: it has not. */
  readonly isAttested?: (agent: string) => boolean;
  readonly kindOf: (action: Action) => ActKind;
  readonly onChange?: (change: RingChange) => void;
};

/** Where a new agent stands before anybody knows it (event-log-identity 4.9). */
export const NEWCOMER_SCORE: Score = 20;

type Standing = {
  snapshot: MachineSnapshot<typeof ringMachine.logic>;
  isVoided: boolean;
  parent: string | undefined;
  elevation: Elevation | undefined;
  /** The ring that was last told (`onChange`). */
  told: Ring;
};

/** Who would be lifted, and why not. */
type ElevationRefused = { readonly code: 'ring.elevation_refused'; readonly message: string };

/** N9. Some hundred bytes each. */
export const GUESTS_MAX = 4_096;

/** Ancestors looked at; past them an agent stands in ring 3. */
const ANCESTORS_MAX = 64;

export class Rings {
  readonly #parts: RingParts;
  readonly #endorsements: ReadonlyMap<string, Endorsement>;
  readonly #standings = new Map<string, Standing>();
  /** Who holds an elevation: few, and looked through whenever anybody is assessed. */
  readonly #elevated = new Set<string>();
  /** Who was only seen as the sender of a message from elsewhere, the latest last (N9). */
  readonly #guests = new Set<string>();
  #epoch = 0;

  constructor(parts: RingParts) {
    this.#parts = parts;
    this.#endorsements = new Map(parts.endorsements?.map((endorsement) => [endorsement.agent, endorsement]));
  }

  /** N7: goes up with every demotion. */
  get epoch(): number {
    return this.#epoch;
  }

  /** Everybody who has entered. */
  get agents(): readonly string[] {
    return [...this.#standings.keys()];
  }

  /** An agent begins, or is known again after a restart: in ring 3, or where its endorsement opens. */
  enter(agent: string, at: Millis, parent?: string): void {
    this.#guests.delete(agent);
    this.#enter(agent, at, parent);
  }

  /** A message of this agent arrives, or did: it lives elsewhere, unless it has entered (N9). */
  welcome(agent: string, at: Millis): void {
    const isGuest = this.#guests.delete(agent) || !this.#standings.has(agent);
    this.#enter(agent, at);
    if (!isGuest || this.#endorsements.has(agent)) return;
    this.#guests.add(agent);
    if (this.#guests.size > GUESTS_MAX) this.#forgetGuest();
  }

  #enter(agent: string, at: Millis, parent?: string): void {
    const known = this.#standings.get(agent);
    if (known !== undefined) {
      if (parent !== undefined && known.parent === undefined) {
        known.parent = parent;
        this.assess(agent, at); // N3
      }
      return;
    }
    const { snapshot } = startMachine(ringMachine);
    this.#standings.set(agent, { snapshot, isVoided: false, parent, elevation: undefined, told: 3 });
    this.#step(agent, { type: 'entered', at });
    const endorsement = this.#endorsements.get(agent);
    if (endorsement === undefined || at >= endorsement.expiresAt) return;
    const facts = this.#facts(agent, at);
    this.#step(agent, { type: 'endorsed', at, ...facts, parentRing: outer(facts.parentRing, endorsement.ring) });
  }

  /** As of the last event, or assessment of anybody. */
  ringOf(agent: string): Ring {
    return this.#ringOf(agent, ANCESTORS_MAX);
  }

  /** Lifts an agent for a while (N8), or says why not. Whoever calls this has made sure that an operator grants it, and
   *  records `ring.elevated`; a later grant replaces an earlier one. */
  elevate(elevation: Elevation, at: Millis): Result<Elevation, ElevationRefused> {
    const { agent, ring, until } = elevation;
    const refuse = (message: string) => err({ code: 'ring.elevation_refused', message } as const);
    this.assess(agent, at);
    const standing = this.#standings.get(agent);
    if (standing === undefined) return refuse(`expected an agent of this node, found ${agent}`);
    if (until <= at || until > at + ELEVATION_MS_MAX) {
      return refuse(`expected an end within ${ELEVATION_MS_MAX / 60_000} minutes, found ${until - at} ms`);
    }
    const { isAttested, parentRing } = this.#facts(agent, at);
    if (ring === 0 && !isAttested)
      return refuse(`expected the quorum's attestation of ${agent} for ring 0, found none`);
    if (ring < parentRing)
      return refuse(`expected ring ${parentRing} or outer, as ${standing.parent} stands, found ${ring}`);
    if (ring >= this.ringOf(agent))
      return refuse(`expected a ring further in than ${this.ringOf(agent)}, found ${ring}`);
    standing.elevation = elevation;
    this.#elevated.add(agent);
    this.#tell(agent, at);
    return ok(elevation);
  }

  scoreOf(agent: string, at: Millis): Score {
    const folded = this.#parts.scoreOf?.(agent, at) ?? NEWCOMER_SCORE;
    const isVoided = this.#standings.get(agent)?.isVoided === true;
    const endorsed = effectiveScore(folded, this.#endorsements.get(agent), isVoided, at);
    return Math.min(endorsed, this.#parts.limitOf?.(agent, at) ?? endorsed);
  }

  /** The score that an operator's elevation stands for while it holds: the line of the ring that it opens. */
  vouchedFor(agent: string, at: Millis): Score {
    const elevation = this.#standings.get(agent)?.elevation;
    return elevation === undefined || at >= elevation.until ? 0 : RING_LINES[this.ringOf(agent)];
  }

  /** What an act came to, once that is on disk (N5). */
  observe(agent: string, ending: 'clean' | 'violated' | 'failed', at: Millis): void {
    const standing = this.#standings.get(agent);
    if (standing === undefined) return;
    if (ending === 'violated') {
      standing.isVoided = true;
      this.#lower(agent); // N8
      this.#step(agent, { type: 'action.violated', at });
    }
    if (ending === 'clean') this.#step(agent, { type: 'action.clean', at });
    this.assess(agent, at);
  }

  /** Looks at the agent's facts as they are at `at`, and moves it if they say so. */
  assess(agent: string, at: Millis): void {
    for (const lifted of this.#elevated) {
      if (at < (this.#standings.get(lifted)?.elevation?.until ?? 0)) continue;
      this.#lower(lifted); // N8
      this.#tell(lifted, at);
    }
    if (this.#standings.has(agent)) this.#step(agent, { type: 'assess', at, ...this.#facts(agent, at) });
  }

  /** The gate: what an act needs of its agent's ring. */
  gate(): Gate {
    return {
      check: ({ action, at }) => {
        if (action.isArrival === true) this.welcome(action.agent, at);
        else this.enter(action.agent, at);
        this.assess(action.agent, at); // an endorsement may have run out since the last event
        return answerFor(this.ringOf(action.agent), this.#parts.kindOf(action), action);
      },
      observe: ({ action, at }, ending) => {
        if (action.verb === 'spawn' && ending.type === 'settled') this.enter(childOf(action), at, action.agent);
        if (ending.type === 'settled') this.observe(action.agent, ending.status === 'ok' ? 'clean' : 'failed', at);
        else if (ending.type === 'refused' && isViolation(ending)) this.observe(action.agent, 'violated', at);
      },
    };
  }

  #forgetGuest(): void {
    for (const guest of this.#guests) {
      if (this.#elevated.has(guest) || this.ringOf(guest) !== 3) continue; // its ring is on record
      this.#guests.delete(guest);
      this.#standings.delete(guest);
      return;
    }
  }

  #facts(agent: string, at: Millis): RingFacts {
    const parent = this.#standings.get(agent)?.parent;
    return {
      score: this.scoreOf(agent, at),
      isAttested: this.#parts.isAttested?.(agent) === true,
      parentRing: parent === undefined ? 0 : this.ringOf(parent),
      rules: this.#parts.rules ?? RING_RULES,
    };
  }

  #ringOf(agent: string, ancestors: number): Ring {
    const standing = this.#standings.get(agent);
    if (standing === undefined || ancestors === 0) return 3;
    const earned = Number(String(standing.snapshot.value).slice('ring_'.length)) as Ring;
    if (standing.elevation === undefined) return earned;
    const parentRing = standing.parent === undefined ? 0 : this.#ringOf(standing.parent, ancestors - 1);
    return outer(inner(earned, standing.elevation.ring), parentRing);
  }

  #lower(agent: string): void {
    const standing = this.#standings.get(agent);
    if (standing !== undefined) standing.elevation = undefined;
    this.#elevated.delete(agent);
  }

  #step(agent: string, event: RingEvent): void {
    const standing = this.#standings.get(agent);
    if (standing === undefined) return;
    standing.snapshot = stepMachine(ringMachine, standing.snapshot, event).snapshot;
    this.#tell(agent, event.at as Millis);
  }

  /** Tells of a change of ring, and lets it reach the children. */
  #tell(agent: string, at: Millis): void {
    const standing = this.#standings.get(agent);
    const to = this.ringOf(agent);
    if (standing === undefined || standing.told === to) return;
    const from = standing.told;
    standing.told = to;
    const direction = to > from ? 'demoted' : 'promoted';
    if (direction === 'demoted') this.#epoch += 1;
    this.#parts.onChange?.({ agent, from, to, score: this.scoreOf(agent, at), at, direction });
    for (const [child, { parent }] of this.#standings) if (parent === agent) this.assess(child, at); // N3
  }
}

/** Whether a refusal is a violation (N6). */
export function isViolation(refused: {
  readonly verdict: 'allow' | 'deny' | 'escalate';
  readonly gate: GateName;
  readonly code: string;
}): boolean {
  const { verdict, gate, code } = refused;
  if (verdict !== 'deny') return false;
  return gate === 'policy' || gate === 'ring' || gate === 'kill' || (gate === 'delegation' && UNDELEGATED.has(code));
}

/** What the delegation gate says of acts that were never given to the agent, in whatever it has. */
const UNDELEGATED: ReadonlySet<string> = new Set(
  ['args_denied', 'missing_field', 'none', 'other_command', 'other_context'].map((what) => `delegation.${what}`),
);

/** The table of DESIGN section 6: from which ring an act of this kind may be tried, and where a human must agree. */
function answerFor(ring: Ring, kind: ActKind, action: Action): GateAnswer {
  const needed = inner(OUTERMOST[action.verb === 'use' ? kind : 'pure'], wantedOf(action));
  const isInside = ring <= needed; // what is no ring is further in than anybody stands
  if (!isInside) {
    const message = `expected an agent of ring ${needed} or inner for ${action.target}, found one of ring ${ring}`;
    return { verdict: 'deny', code: 'ring.too_far_out', message };
  }
  if (kind !== 'irreversible' || action.verb !== 'use' || ring === 0) return { verdict: 'allow' };
  const message = `expected an approval for ${action.target}, which cannot be undone`;
  return { verdict: 'escalate', code: 'ring.needs_approval', message };
}

/** What whoever is addressed wants. */
function wantedOf({ needs }: Action): Ring {
  return Math.min(3, needs?.ring ?? 3) as Ring;
}

/** A spawn's target is `<contract>@<agent>`. */
function childOf({ target }: Action): string {
  return target.slice(target.indexOf('@') + 1);
}

const OUTERMOST: Readonly<Record<ActKind, Ring>> = { pure: 3, read: 2, reversible: 2, irreversible: 1 };
