/** Trust as a projection of the log: what was read, and where everybody stands. The same log gives the same bytes. */
import { type Digest, sha256 } from '../../runtime/codec/digest.ts';
import { canonicalJson, type JsonValue } from '../../runtime/codec/json.ts';
import { utf8, view } from '../../runtime/core/bytes.ts';
import { unwrap } from '../../runtime/core/result.ts';
import type { Projection } from '../../runtime/log/projection.ts';
import type { Account } from './account.ts';
import { EMPTY_ROSTER, type Hosted, type Roster, readEvidence } from './evidence.ts';
import { TRUST_FORMULA } from './rules.ts';
import { entriesOf, shelfOf } from './shelf.ts';
import { EMPTY_LEDGER, type Ledger, type Sponsor, type Standing, type Subject, witness } from './standing.ts';

export type TrustState = { readonly roster: Roster; readonly ledger: Ledger };

export const NO_TRUST: TrustState = { roster: EMPTY_ROSTER, ledger: EMPTY_LEDGER };

/** Counts with every change of this room's arithmetic or of what it reads as evidence. */
const READER = 1;

export const trustProjection: Projection<TrustState> = {
  name: 'trust',
  version: `${TRUST_FORMULA}/${READER}`,
  initial: NO_TRUST,
  evolve(state, record, log) {
    const { roster, evidence } = readEvidence(state.roster, record, log);
    if (evidence !== undefined) return { roster, ledger: witness(state.ledger, evidence) };
    return roster === state.roster ? state : { roster, ledger: state.ledger };
  },
  encode: encodeTrust,
  decode: decodeTrust,
};

/** Names the whole state: equal wherever the same log was folded. */
export function trustDigest(state: TrustState): Digest {
  return sha256(encodeTrust(state));
}

type Written = {
  readonly identities: readonly (readonly [string, Subject])[];
  readonly hosted: readonly (readonly [string, Hosted])[];
  readonly agents: readonly (readonly [string, WrittenStanding])[];
  readonly sponsors: readonly (readonly [string, Sponsor])[];
};

type WrittenAccount = Omit<Account, 'parties'> & {
  readonly parties: readonly (readonly [string, Account['parties'] extends ReadonlyMap<string, infer P> ? P : never])[];
};

type WrittenStanding = Omit<Standing, 'whole' | 'classes'> & {
  readonly whole: WrittenAccount;
  readonly classes: readonly (readonly [string, WrittenAccount])[];
};

function encodeTrust({ roster, ledger }: TrustState): Uint8Array {
  const written: Written = {
    identities: entriesOf(roster.identities),
    hosted: entriesOf(roster.hosted),
    agents: entriesOf(ledger.agents).map(([subject, standing]) => [subject, writeStanding(standing)]),
    sponsors: entriesOf(ledger.sponsors),
  };
  return utf8(unwrap(canonicalJson(written as unknown as JsonValue), 'trust is data'));
}

function writeStanding({ whole, classes, ...rest }: Standing): WrittenStanding {
  return {
    ...rest,
    whole: writeAccount(whole),
    classes: [...classes].map(([name, account]) => [name, writeAccount(account)]),
  };
}

function writeAccount({ parties, ...rest }: Account): WrittenAccount {
  return { ...rest, parties: [...parties] };
}

/** A snapshot's bytes are the ones that `encode` gave, by their digest: only another version of this code wrote others. */
function decodeTrust(bytes: Uint8Array): TrustState | undefined {
  try {
    const { identities, hosted, agents, sponsors } = JSON.parse(view(bytes).toString('utf8')) as Written;
    return {
      roster: { identities: shelfOf(identities), hosted: shelfOf(hosted) },
      ledger: {
        agents: shelfOf(agents.map(([subject, standing]) => [subject, readStanding(standing)] as const)),
        sponsors: shelfOf(sponsors),
      },
    };
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return undefined;
    throw error;
  }
}

function readStanding({ whole, classes, ...rest }: WrittenStanding): Standing {
  return {
    ...rest,
    whole: readAccount(whole),
    classes: new Map(classes.map(([name, account]) => [name, readAccount(account)])),
  };
}

function readAccount({ parties, ...rest }: WrittenAccount): Account {
  return { ...rest, parties: new Map(parties) };
}
