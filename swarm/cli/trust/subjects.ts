/** Whom a log's trust is about, and when. */
import { subjectOfDid } from '../../../mesh/trust/evidence.ts';
import type { TrustState } from '../../../mesh/trust/projection.ts';
import { entriesOf, take } from '../../../mesh/trust/shelf.ts';
import { nameOf, type Subject } from '../../../mesh/trust/standing.ts';
import { CodedError } from '../../../runtime/core/errors.ts';
import type { EventLog } from '../../../runtime/log/event-log.ts';

export function subjectsIn({ roster, ledger }: TrustState): readonly Subject[] {
  const hosted = entriesOf(roster.hosted).map(([, { subject }]) => subject);
  const identities = entriesOf(roster.identities).map(([, subject]) => subject);
  const seen = entriesOf(ledger.agents).map(([subject]) => subject as Subject);
  return [...new Set([...seen, ...hosted, ...identities])];
}

/** The subject that a name or DID on the command line means.
 *  @throws `agent.not_found` nobody, or several agents of that name under different sponsors */
export function subjectNamed(state: TrustState, agent: string): Subject {
  if (agent.startsWith('did:')) {
    const subject = subjectOfDid(state.roster, agent);
    if (subjectsIn(state).includes(subject)) return subject;
    throw new CodedError('agent.not_found', `expected an agent ${agent}, found none`);
  }
  const hosted = take(state.roster.hosted, agent)?.subject;
  if (hosted !== undefined) return hosted;
  const named = subjectsIn(state).filter((subject) => nameOf(subject) === agent);
  const [only] = named;
  if (only !== undefined && named.length === 1) return only;
  const found = named.length === 0 ? 'found none' : `found ${named.length}: say its DID`;
  throw new CodedError('agent.not_found', `expected one agent ${agent}, ${found}`);
}

/** When the last event of the log happened; 0 for an empty one. Not "now": so the answer is the same on every machine. */
export function lastMoment(log: EventLog): number {
  const [last] = log.size === 0 ? [] : [...log.read(log.size - 1)];
  return last?.wallMs ?? 0;
}
