/** A process that claims a slot: `node slot-holder.fixture.ts DIRECTORY NAME…` prints its name, or the code, and holds it. */
// biome-ignore lint/style/noRestrictedImports: this file is a process, and nothing but that.
import process from 'node:process';
import { hasCode } from '../../runtime/core/errors.ts';
import { claimSlot } from './slot.ts';

const [directory = '', ...names] = process.argv.slice(2);
try {
  const slot = claimSlot(directory, names);
  process.stdout.write(`${slot.name}\n`);
  process.stdin.on('end', () => slot[Symbol.dispose]()).resume();
} catch (error) {
  process.stdout.write(`${hasCode(error) ? error.code : error}\n`);
}
