/**
 * Whether the logs of several nodes agree with one another. Each log proves that it was not changed since it was signed;
 * what its node never wrote, or wrote anew before it signed, only the others can tell.
 *
 * K1. What one log knows of another was on disk there before it was sent. So each log's words are held against what the
 *     others have *later*: `now` was opened after every `said`, and logs that are being written cannot seem to contradict.
 * K2. A message that was sent and not accepted is in flight, which is no fault; one that its sender has on record as accepted,
 *     and that its receiver has not, is one.
 * K3. Words about logs that were not given are counted, and believed nothing.
 */
import type { Did } from '../../runtime/codec/did.ts';
import { type DigestText, digestText, type EventId } from '../../runtime/codec/record.ts';
import { equalBytes } from '../../runtime/core/bytes.ts';
import { eventIdOf } from '../../runtime/kernel/event-id.ts';
import { type Accepted, type Claims, claimsOf, type History, originDigest, type SeenHead } from './claims.ts';

/** A log to be checked, opened twice (K1). The same twice, if nobody writes. */
export type Witness = { readonly said: History; readonly now: History };

/** Two logs that cannot both be true. */
export type Disagreement = {
  readonly code: string;
  /** Who says it, in which event. */
  readonly by: { readonly log: string; readonly index: number };
  /** About what: an event, or a size. */
  readonly about: { readonly log: string; readonly index?: number; readonly size?: number };
  readonly message: string;
};

export type CrossReport = {
  readonly logs: number;
  /** What was compared, and agrees. */
  readonly agreed: { readonly messages: number; readonly causes: number; readonly heads: number };
  /** Messages that were sent and are not accepted yet. */
  readonly inFlight: number;
  /** Words about logs that were not given. */
  readonly elsewhere: number;
  /** At most 100; those that name an event first. */
  readonly faults: readonly Disagreement[];
  readonly faultCount: number;
};

const FAULTS_MAX = 100;

/** @throws as `jsonOf`: a log that does not pass `verifyLog` */
export function crossCheck(witnesses: readonly Witness[]): CrossReport {
  const check = new CrossCheck(witnesses);
  check.run();
  return check.report;
}

type Party = { readonly log: string; readonly now: History; readonly said: Claims; readonly knows: Claims };

class CrossCheck {
  readonly #witnesses: readonly Witness[];
  readonly #faults: Disagreement[] = [];
  readonly #agreed = { messages: 0, causes: 0, heads: 0 };
  #faultCount = 0;
  #inFlight = 0;
  #elsewhere = 0;
  #parties: ReadonlyMap<DigestText, Party> = new Map();
  #byDid: ReadonlyMap<Did, Party> = new Map();

  constructor(witnesses: readonly Witness[]) {
    this.#witnesses = witnesses;
  }

  get report(): CrossReport {
    const counts = { inFlight: this.#inFlight, elsewhere: this.#elsewhere, faultCount: this.#faultCount };
    return { logs: this.#witnesses.length, agreed: this.#agreed, ...counts, faults: this.#faults.slice(0, FAULTS_MAX) };
  }

  run(): void {
    const longest = this.#compareCopies();
    this.#parties = new Map(longest.map((witness) => [originDigest(witness.said), partyOf(witness)]));
    const parties = [...this.#parties.values()];
    this.#byDid = new Map(
      parties.flatMap((party) => [...party.knows.agents.values()].map((did) => [did, party] as const)),
    );
    for (const party of parties) this.#checkSent(party);
    for (const party of parties) this.#checkAccepted(party);
    this.#checkOnce(parties);
    for (const party of parties) this.#checkCauses(party);
    for (const party of parties) this.#checkHeads(party);
    this.#checkHeadsAmong(parties);
  }

  /** Two copies of one log: the shorter must be how the longer began. The longest of each log. */
  #compareCopies(): readonly Witness[] {
    const byOrigin = Map.groupBy(this.#witnesses, ({ said }) => said.origin);
    return [...byOrigin.values()].map((copies) => {
      const [longest, ...others] = copies.toSorted((a, b) => b.now.size - a.now.size) as [Witness, ...Witness[]];
      for (const { now } of others) this.#compareCopy(now, longest.now);
      return longest;
    });
  }

  #compareCopy(copy: History, longest: History): void {
    if (equalBytes(copy.root(), longest.root(copy.size))) {
      this.#agreed.heads += 1;
      return;
    }
    const index = firstDifference(copy, longest);
    const [one, other] = [describe(copy, index), describe(longest, index)];
    const message = `expected two copies of one history, found that they part at event ${index}: ${one} in one, ${other} in the other`;
    this.#fault({
      code: 'logs.split_view',
      by: { log: copy.origin, index },
      about: { log: copy.origin, index },
      message,
    });
  }

  /** What a log has on record as accepted by another is accepted there (K2). */
  #checkSent({ log, said }: Party): void {
    for (const { remote, to, kind, name, from, index } of said.sent.values()) {
      if (said.agents.has(to)) continue;
      const hosts = this.#hostsOf(to);
      if (hosts.length === 0) {
        this.#elsewhere += 1;
        continue;
      }
      const event = eventIdOf('accepted', to, remote);
      if (hosts.some(({ now }) => now.find(event) !== undefined)) {
        this.#agreed.messages += 1;
        continue;
      }
      const confirmed = said.confirmed.get(remote);
      if (confirmed === undefined) {
        if (!said.over.has(remote)) this.#inFlight += 1;
        continue;
      }
      const what = `${kind} "${name}" of ${from} to ${to}`;
      const message = `expected the acceptance of the ${what}, which event ${index} sent and event ${confirmed} has as accepted, found none`;
      const about = { log: hosts.map((host) => host.log).join(' or ') };
      this.#fault({ code: 'logs.not_accepted', by: { log, index: confirmed }, about, message });
    }
  }

  /** What a log has accepted was sent, by the agent that it names, in that agent's order. */
  #checkAccepted({ log, said }: Party): void {
    const last = new Map<string, number>();
    for (const accepted of said.accepted) {
      const { did, index, to } = accepted;
      const sender = this.#byDid.get(did);
      if (sender === undefined) {
        this.#elsewhere += 1;
        continue;
      }
      const sent = sender.knows.sent.get(accepted.remote);
      if (sent === undefined || sent.kind !== accepted.kind || sent.to !== to) {
        const message = `expected to find who sent the ${wordsOf(accepted)}, found no such message of ${did}`;
        this.#fault({ code: 'logs.not_sent', by: { log, index }, about: { log: sender.log }, message });
        continue;
      }
      if (sent.kind === 'ask') continue;
      const pair = `${did} ${to}`;
      const before = last.get(pair) ?? -1;
      if (sent.index < before) {
        const message = `expected the ${wordsOf(accepted)} before what was sent after it as event ${before}, found it after`;
        const about = { log: sender.log, index: sent.index };
        this.#fault({ code: 'logs.out_of_order', by: { log, index }, about, message });
      }
      last.set(pair, Math.max(before, sent.index));
    }
  }

  /** No message is accepted at two places. */
  #checkOnce(parties: readonly Party[]): void {
    const first = new Map<EventId, { readonly log: string; readonly index: number }>();
    for (const { log, said } of parties) {
      for (const accepted of said.accepted) {
        const { index, remote } = accepted;
        const other = first.get(remote);
        if (other === undefined) {
          first.set(remote, { log, index });
          continue;
        }
        const message = `expected the ${wordsOf(accepted)} to be accepted once, found that it was accepted twice`;
        this.#fault({ code: 'logs.accepted_twice', by: { log, index }, about: other, message });
      }
    }
  }

  /** An event that another log names as a cause is there, and is that one. */
  #checkCauses({ log, said }: Party): void {
    for (const { index, type, cause } of said.causes) {
      const party = this.#parties.get(cause.origin);
      if (party === undefined) {
        this.#elsewhere += 1;
        continue;
      }
      const place = { by: { log, index }, about: { log: party.log, index: cause.index } };
      if (cause.index >= party.now.size) {
        const message = `expected the cause of a ${type}, found a log of ${party.now.size} events`;
        this.#fault({ code: 'logs.event_missing', ...place, message });
      } else if (digestText(party.now.leaf(cause.index)) !== cause.leaf) {
        const found = describe(party.now, cause.index);
        this.#fault({
          code: 'logs.event_differs',
          ...place,
          message: `expected the cause of a ${type}, found another event: ${found}`,
        });
      } else {
        this.#agreed.causes += 1;
      }
    }
  }

  /** What a node stated of its log is so. */
  #checkHeads({ log, said }: Party): void {
    for (const { index, heard, said: later } of said.contradictions) {
      const message = `expected one history of ${heard.node}, found that it stated ${headWords(heard)}, and then ${headWords(later)}`;
      const about = { log: this.#nameOf(heard.origin), size: later.size };
      this.#fault({ code: 'logs.split_view', by: { log, index }, about, message });
    }
    for (const head of said.heads) {
      const party = this.#parties.get(head.origin as DigestText);
      if (party === undefined) {
        this.#elsewhere += 1;
        continue;
      }
      const place = { by: { log, index: head.index }, about: { log: party.log, size: head.size } };
      if (head.size > party.now.size) {
        const message = `expected at least the ${head.size} events that its node stated, found ${party.now.size}: what came last is gone`;
        this.#fault({ code: 'logs.head_beyond', ...place, message });
      } else if (digestText(party.now.root(head.size)) !== head.root) {
        const message = `expected the root that its node stated, ${head.root}, found ${digestText(party.now.root(head.size))}`;
        this.#fault({ code: 'logs.split_view', ...place, message });
      } else {
        this.#agreed.heads += 1;
      }
    }
  }

  /** A node that told two others different things, where its own log was not given. */
  #checkHeadsAmong(parties: readonly Party[]): void {
    const first = new Map<string, { readonly log: string; readonly head: SeenHead }>();
    for (const { log, said } of parties) {
      for (const head of said.heads) {
        if (this.#parties.has(head.origin as DigestText)) continue;
        const key = `${head.node} ${head.origin} ${head.size}`;
        const other = first.get(key);
        if (other === undefined) first.set(key, { log, head });
        else if (other.head.root !== head.root) {
          const message = `expected one history of ${head.node}, found that it stated ${headWords(head)} here, and ${headWords(other.head)} to ${other.log} (event ${other.head.index})`;
          const about = { log: this.#nameOf(head.origin), size: head.size };
          this.#fault({ code: 'logs.split_view', by: { log, index: head.index }, about, message });
        }
      }
    }
  }

  #hostsOf(agent: string): readonly Party[] {
    return [...this.#parties.values()].filter(({ knows }) => knows.agents.has(agent));
  }

  #nameOf(origin: string): string {
    return this.#parties.get(origin as DigestText)?.log ?? `the log of digest ${origin}`;
  }

  #fault(fault: Disagreement): void {
    this.#faultCount += 1;
    if (this.#faults.length < FAULTS_MAX) this.#faults.push(fault);
  }
}

/** What it said, and what it knows by now (K1). */
function partyOf({ said: first, now }: Witness): Party {
  const said = claimsOf(first);
  const knows = now.size === first.size ? said : claimsOf(now);
  return { log: first.origin, now, said, knows };
}

/** The first event that is another in one than in the other, of two logs of which neither is how the other began. */
function firstDifference(one: History, other: History): number {
  let [same, differs] = [0, Math.min(one.size, other.size)];
  while (differs - same > 1) {
    const middle = Math.floor((same + differs) / 2);
    if (equalBytes(one.root(middle), other.root(middle))) same = middle;
    else differs = middle;
  }
  return same;
}

function describe(log: History, index: number): string {
  for (const { type, stream } of log.read(index, index + 1)) return `${type} in ${stream}`;
  return 'nothing';
}

function wordsOf({ kind, name, to }: Accepted): string {
  return `${kind} "${name}" to ${to}`;
}

function headWords({ size, root }: SeenHead): string {
  return `${root} at ${size} events`;
}
