/** Who may do what in an audit. All else is denied: a researcher cannot write a file, nobody but the reporter can. */
import { allowList } from 'ringmesh/runtime';
import {
  COORDINATOR,
  Coordinator,
  fetchFacts,
  REPORTER,
  RESEARCHERS_MAX,
  Reporter,
  Researcher,
  readLock,
  researcherName,
  writeReport,
} from './contracts.ts';

export function auditPolicy() {
  const toCoordinator = (message: string): string => `${Coordinator.name}.${message}@${COORDINATOR}`;
  const researchers = Array.from({ length: RESEARCHERS_MAX }, (_, n) => researcherName(n + 1));
  return {
    policy: allowList({
      [COORDINATOR]: [
        readLock.name,
        ...researchers.flatMap((agent) => [`${Researcher.name}@${agent}`, `${Researcher.name}.research@${agent}`]),
        `${Reporter.name}@${REPORTER}`,
        `${Reporter.name}.report@${REPORTER}`,
      ],
      [REPORTER]: [writeReport.name, toCoordinator('page'), toCoordinator('written')],
      ...Object.fromEntries(researchers.map((agent) => [agent, [fetchFacts.name, toCoordinator('judged')]])),
    }),
  };
}
