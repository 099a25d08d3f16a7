/**
 * Agents that behave badly on purpose, under any rule of trust: chance after chance, each seen and recorded.
 *
 * The reference rules are written anew from their descriptions (agt-features.md 1.2.2 and 1.2.3): the three that differ most.
 */
import type { Random } from '../../runtime/core/random.ts';
import { seededRandom } from '../../runtime/core/simulation.ts';
import { score } from './score.ts';
import { EMPTY_LEDGER, type Risk, subjectOf, witness } from './standing.ts';

/** What a rule of trust makes of acts. `gate` is the score from which it admits to work that matters. */
export type Rule = {
  readonly name: string;
  readonly gate: number;
  /** A world in which nobody has done anything yet. */
  readonly begin: () => World;
};

export type World = {
  score(agent: string, at: number): number;
  /** `party` is who was dealt with; `sponsor` who answers for the agent. */
  act(act: Deed): void;
};

export type Deed = {
  readonly agent: string;
  readonly sponsor: string;
  readonly party: string;
  /** A violation; or work that came to nothing though it was honest; or good work. */
  readonly is: 'good' | 'failed' | 'bad';
  readonly risk: Risk;
  readonly at: number;
};

export const OURS: Rule = {
  name: 'Ringmesh',
  gate: 700,
  begin() {
    let ledger = EMPTY_LEDGER;
    const sponsors = new Map<string, string>();
    const subject = (agent: string) => subjectOf(agent, sponsors.get(agent) ?? 'did:key:sponsor');
    return {
      score: (agent, at) => score(ledger, { subject: subject(agent), at }).score,
      act({ agent, sponsor, party, is, risk, at }) {
        sponsors.set(agent, sponsor);
        const seen = { subject: subject(agent), capability: 'work', risk, at };
        const evidence =
          is === 'bad'
            ? ({ ...seen, type: 'policy' } as const)
            : ({ ...seen, type: is, party, isVerified: true } as const);
        ledger = witness(ledger, evidence);
      },
    };
  },
};

/** A rule that keeps one number per agent and knows no time, stake, party or sponsor. */
function simple(name: string, gate: number, first: number, next: (score: number, isGood: boolean) => number): Rule {
  return {
    name,
    gate,
    begin() {
      const scores = new Map<string, number>();
      return {
        score: (agent) => scores.get(agent) ?? first,
        act: ({ agent, is }) => void scores.set(agent, next(scores.get(agent) ?? first, is === 'good')),
      };
    },
  };
}

export const REFERENCE: readonly Rule[] = [
  simple('AGT TypeScript, +0.05 / -0.1', 600, 500, (score, isGood) =>
    isGood ? Math.min(1000, score + 50) : Math.max(0, score - 100),
  ),
  simple('AGT specification, EMA 0.1', 700, 500, (score, isGood) => (score * 9 + (isGood ? 1000 : 0)) / 10),
  simple('IATP-001, +0.1 / -1', 600, 500, (score, isGood) =>
    isGood ? Math.min(1000, score + 10) : Math.max(0, score - 100),
  ),
];

export const RULES: readonly Rule[] = [...REFERENCE, OURS];

/** As in the reference table: 2,000 chances, half an hour apart, are 42 days. */
const CHANCES = 2_000;
const EVERY_MS = 30 * 60_000;
const BEGIN = 1_800_000_000_000;
const party = (n: number): string => `did:key:party${n % 4}`;

/** Works until it is admitted, and does harm whenever it is: how often can it? */
export function onOff({ gate, begin }: Rule): number {
  const world = begin();
  let bad = 0;
  for (let n = 0; n < CHANCES; n++) {
    const at = BEGIN + n * EVERY_MS;
    const isAdmitted = world.score('agent', at) >= gate;
    if (isAdmitted) bad += 1;
    world.act({ agent: 'agent', sponsor: 'did:key:s', party: party(n), is: isAdmitted ? 'bad' : 'good', risk: 1, at });
  }
  return bad;
}

/** The same, under a new name after each harm, all names of one sponsor. */
export function whitewash({ gate, begin }: Rule): number {
  const world = begin();
  let bad = 0;
  for (let n = 0; n < CHANCES; n++) {
    const at = BEGIN + n * EVERY_MS;
    const agent = `agent${bad}`;
    const isAdmitted = world.score(agent, at) >= gate;
    world.act({ agent, sponsor: 'did:key:s', party: party(n), is: isAdmitted ? 'bad' : 'good', risk: 1, at });
    if (isAdmitted) bad += 1;
  }
  return bad;
}

/** Many names of one sponsor at once, that praise one another: the best score among them. */
export function sybil({ begin }: Rule, names = 50): number {
  const world = begin();
  const sponsor = 'did:key:s';
  const agents = Array.from({ length: names }, (_, n) => `agent${n}`);
  for (let n = 0; n < CHANCES; n++) {
    const agent = agents[n % names] ?? '';
    world.act({ agent, sponsor, party: sponsor, is: 'good', risk: 1, at: BEGIN + n * EVERY_MS });
  }
  const end = BEGIN + CHANCES * EVERY_MS;
  return Math.max(...agents.map((agent) => world.score(agent, end)));
}

/** Two sponsors whose agents praise one another as fast as they can: the best score. */
export function collude({ begin }: Rule): number {
  const world = begin();
  const at = (n: number): number => BEGIN + n * 60_000;
  for (let n = 0; n < CHANCES; n++) {
    world.act({ agent: 'a', sponsor: 'did:key:s', party: 'did:key:t', is: 'good', risk: 4, at: at(n) });
    world.act({ agent: 'b', sponsor: 'did:key:t', party: 'did:key:s', is: 'good', risk: 4, at: at(n) });
  }
  return Math.max(world.score('a', at(CHANCES)), world.score('b', at(CHANCES)));
}

/** Earns with what hardly matters (stake 1) and does harm where it matters most (stake 8): harm for each unit earned. */
export function imbalance({ gate, begin }: Rule): { readonly bad: number; readonly perHundredEarned: number } {
  const world = begin();
  let [bad, earned] = [0, 0];
  for (let n = 0; n < CHANCES; n++) {
    const at = BEGIN + n * EVERY_MS;
    const isAdmitted = world.score('agent', at) >= gate;
    const risk = isAdmitted ? 4 : 1;
    world.act({ agent: 'agent', sponsor: 'did:key:s', party: party(n), is: isAdmitted ? 'bad' : 'good', risk, at });
    if (isAdmitted) bad += 1;
    else earned += 1;
  }
  return { bad, perHundredEarned: Math.floor((bad * 8 * 100) / earned) };
}

/** Does its work, of which 2 in 100 come to nothing: how often is it admitted, in hundredths of a percent? Of 100 such agents,
 *  from first act to last: the mean, and the unluckiest one. */
export function honest(rule: Rule): { readonly mean: number; readonly worst: number } {
  const runs = Array.from({ length: 100 }, (_, n) => honestRun(rule, seededRandom(`honest ${n}`)));
  return { mean: Math.floor(runs.reduce((sum, one) => sum + one, 0) / runs.length), worst: Math.min(...runs) };
}

function honestRun({ gate, begin }: Rule, random: Random): number {
  const world = begin();
  let admitted = 0;
  for (let n = 0; n < CHANCES; n++) {
    const at = BEGIN + n * EVERY_MS;
    if (world.score('agent', at) >= gate) admitted += 1;
    const is = random.below(50) === 0 ? 'failed' : 'good';
    world.act({ agent: 'agent', sponsor: 'did:key:s', party: party(n), is, risk: 1, at });
  }
  return Math.floor((admitted * 10_000) / CHANCES);
}
