/** `ps`: the agents of a swarm, one line each. */
import { createColors } from 'picocolors';
import { systemClock, thisProcess } from '../../../runtime/core/system.ts';
import type { Shell } from '../shell.ts';
import { Table } from '../table.ts';
import { type Counted, censusOf, type NodeCensus } from './census.ts';
import { logsOf } from './logs-of.ts';

type Options = { readonly all?: boolean; readonly json?: boolean };

/** @throws what `logsOf` and `censusOf` do */
export async function ps(
  shell: Shell,
  paths: readonly string[],
  { all = false, json = false }: Options,
): Promise<void> {
  const self = thisProcess();
  const nodes: NodeCensus[] = [];
  for (const path of paths) {
    for (const log of await logsOf(shell, path)) {
      const { agents, ...node } = await censusOf(log, systemClock, self);
      nodes.push({ ...node, agents: all ? agents : agents.filter(({ state }) => state !== 'ended') });
    }
  }
  if (json) {
    await shell.out.write(`${JSON.stringify({ schema: 'ringmesh.ps/1', nodes })}\n`);
    return;
  }
  const table = new Table(COLUMNS, shell.out.columns, createColors(shell.out.hasColour).bold);
  await shell.out.write(table.format(nodes.flatMap(({ agents }) => agents.map(rowOf))));
  for (const { log, origin, state, pid, events } of nodes) {
    const where = pid === undefined ? state : `${state}, process ${pid}`;
    await shell.notes.write(`${log}: ${where}, ${events} events of ${origin}\n`);
  }
}

const right = { align: 'right' } as const;
const COLUMNS = [
  { title: 'AGENT' },
  { title: 'CONTRACT' },
  { title: 'RING', ...right },
  { title: 'TRUST', ...right },
  { title: 'MAILBOX', ...right },
  { title: 'OLDEST', ...right },
  { title: 'RESTARTS', ...right },
  { title: 'STATE' },
] as const;

function rowOf({ agent, contract, ring, trust, mailbox, oldestMs, restarts, state }: Counted): readonly string[] {
  const age = oldestMs === undefined ? '-' : `${(oldestMs / 1000).toFixed(1)} s`;
  return [agent, contract, String(ring), String(trust), String(mailbox), age, String(restarts), state];
}
