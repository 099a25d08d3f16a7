/** A process that signs roots: `node roots-maker.fixture.ts` signs, for each folder that a line names, and says how many, or a code. */
// biome-ignore lint/style/noRestrictedImports: this file is a process, and nothing but that.
import process from 'node:process';
import { createInterface } from 'node:readline';
import { hasCode } from '../../runtime/core/errors.ts';
import { systemClock, systemRandom } from '../../runtime/core/system.ts';
import type { Roots } from '../file/delegations.ts';
import { readRoster } from './realm-folder.ts';
import { mintRoots } from './roots.ts';

const TERMS = { where: [], depth: 0, ceiling: 1000, budget: {}, forMs: 3_600_000 } as const;
const WANTED: Roots = new Map([
  ['desk', ['/tool/mail', '/tool/post', '/tool/read'].map((command) => ({ ...TERMS, command }))],
]);

for await (const directory of createInterface({ input: process.stdin })) {
  process.stdout.write(`${await signedIn(directory)}\n`);
}

async function signedIn(directory: string): Promise<number | string> {
  const roster = readRoster(directory);
  const ports = { nodes: roster.nodes.map(({ name }) => name), clock: systemClock, random: systemRandom };
  try {
    return await mintRoots({ directory, roster }, WANTED, ports);
  } catch (error) {
    return hasCode(error) ? error.code : `${error}`;
  }
}
