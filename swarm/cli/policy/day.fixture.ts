/** A log of an office's day at a desk, called `log`: allowed, escalated, denied by policy, denied by ring, too many at once. */
import { join } from 'node:path';
import { systemClock, systemRandom, thisProcess } from '../../../runtime/core/system.ts';
import type { EventLog } from '../../../runtime/log/event-log.ts';
import { createLog, openLog } from '../../../runtime/log/log-directory.ts';
import { HOUSE, officeOver, rulesOf } from '../../policy/office.fixture.ts';
import type { Desk } from '../command.fixture.ts';

export async function aDay(at: Desk): Promise<void> {
  await createLog(join(at.path, 'log'), { anchors: anchorsOf(at) }, systemRandom);
  await using log = await openDay(at);
  const house = rulesOf(HOUSE);
  const { act, recorded } = officeOver(log, { clock: systemClock, random: systemRandom, bundle: () => house });
  await recorded();
  await act('refund.issue', { amount: 500 });
  await act('refund.issue', { amount: 20_000 });
  await act('file.write', { path: 'secrets/key' }, 'chief');
  await act('file.write', { path: 'a' }, 'stranger');
  await Promise.all(Array.from({ length: 9 }, () => act('refund.issue', { amount: 1 })));
  await recorded();
}

export async function openDay(at: Desk): Promise<EventLog> {
  const ports = { clock: systemClock, random: systemRandom, identity: thisProcess() };
  return openLog(join(at.path, 'log'), { anchors: anchorsOf(at), reserveBytes: 0 }, ports);
}

function anchorsOf(at: Desk): string {
  return join(at.path, 'state/ringmesh/anchors');
}
