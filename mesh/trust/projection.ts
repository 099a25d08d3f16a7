/** Trust as a projection of the log: what was read, and where everybody stands. The same log gives the same bytes. */
import { type Digest, sha256 } from '../../runtime/codec/digest.ts';
import { canonicalJson } from '../../runtime/codec/json.ts';
import type { LogRecord } from '../../runtime/codec/record.ts';
import { utf8, view } from '../../runtime/core/bytes.ts';
import { unwrap } from '../../runtime/core/result.ts';
import type { EventLog } from '../../runtime/log/event-log.ts';
import type { Projection } from '../../runtime/log/projection.ts';
import { EMPTY_ROSTER, type Hosted, type Roster, readEvidence } from './evidence.ts';
import { TRUST_FORMULA } from './rules.ts';
import { type Entries, entriesOf, shelfOf } from './shelf.ts';
import {
  EMPTY_LEDGER,
  type Evidence,
  type Ledger,
  type Sponsor,
  type Standing,
  type Subject,
  witness,
} from './standing.ts';

export type TrustState = { readonly roster: Roster; readonly ledger: Ledger };

export const NO_TRUST: TrustState = { roster: EMPTY_ROSTER, ledger: EMPTY_LEDGER };

/** Counts with every change of this room's arithmetic or of what it reads as evidence. */
const READER = 2;

export const trustProjection: Projection<TrustState> = {
  name: 'trust',
  version: `${TRUST_FORMULA}/${READER}`,
  initial: NO_TRUST,
  evolve: (state, record, log) => advance(state, record, log).state,
  encode: encodeTrust,
  decode: decodeTrust,
};

/** The state after one event, and the evidence that it was, if it was any. */
export function advance(
  state: TrustState,
  record: LogRecord,
  log: Pick<EventLog, 'blob'>,
): { readonly state: TrustState; readonly evidence?: Evidence } {
  const { roster, evidence } = readEvidence(state.roster, record, log);
  if (evidence !== undefined) return { state: { roster, ledger: witness(state.ledger, evidence) }, evidence };
  return { state: roster === state.roster ? state : { roster, ledger: state.ledger } };
}

/** Names the whole state: equal wherever the same log was folded. */
export function trustDigest(state: TrustState): Digest {
  return sha256(encodeTrust(state));
}

type Written = {
  readonly identities: Entries<Subject>;
  readonly hosted: Entries<Hosted>;
  readonly agents: Entries<Standing>;
  readonly sponsors: Entries<Sponsor>;
};

function encodeTrust({ roster, ledger }: TrustState): Uint8Array {
  const written: Written = {
    identities: entriesOf(roster.identities),
    hosted: entriesOf(roster.hosted),
    agents: entriesOf(ledger.agents),
    sponsors: entriesOf(ledger.sponsors),
  };
  return utf8(unwrap(canonicalJson(written), 'trust is data'));
}

/** A snapshot's bytes are the ones that `encode` gave, by their digest: only another version of this code wrote others. */
function decodeTrust(bytes: Uint8Array): TrustState | undefined {
  try {
    const { identities, hosted, agents, sponsors } = JSON.parse(view(bytes).toString('utf8')) as Written;
    return {
      roster: { identities: shelfOf(identities), hosted: shelfOf(hosted) },
      ledger: { agents: shelfOf(agents), sponsors: shelfOf(sponsors) },
    };
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return undefined;
    throw error;
  }
}
