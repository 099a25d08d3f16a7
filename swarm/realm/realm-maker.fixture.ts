/**
 * A process that makes realms: `node realm-maker.fixture.ts [SIGNAL STEP]` does as each line of its input tells, and answers with
 * the roster, or with a code. It sends itself the signal just before that change of the disk, counted from 1.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
// biome-ignore lint/style/noRestrictedImports: this file is a process, and nothing but that.
import process from 'node:process';
import { createInterface } from 'node:readline';
import { hasCode } from '../../runtime/core/errors.ts';
import { systemClock, systemRandom } from '../../runtime/core/system.ts';
import { provisionRealm, type RealmPlan } from './realm-folder.ts';

/** All by which a realm's folder is changed: files are flushed and closed after that. */
const CHANGES = [
  'mkdirSync',
  'openSync',
  'writeSync',
  'writeFileSync',
  'linkSync',
  'renameSync',
  'unlinkSync',
] as const;

const [signal, last = ''] = process.argv.slice(2);
let step = 0;
for (const name of CHANGES) {
  const change = fs[name] as (...given: readonly unknown[]) => unknown;
  Reflect.set(fs, name, (...given: readonly unknown[]) => {
    if (!isReading(name, given) && ++step === Number(last)) process.kill(process.pid, signal);
    return change(...given);
  });
}
if (signal !== undefined) syncBuiltinESMExports();

for await (const line of createInterface({ input: process.stdin })) {
  const { directory, plan } = JSON.parse(line) as { directory: string; plan: RealmPlan };
  process.stdout.write(`${JSON.stringify(outcomeOf(directory, plan))}\n`);
}

function outcomeOf(directory: string, plan: RealmPlan): unknown {
  try {
    return provisionRealm(directory, plan, { clock: systemClock, random: systemRandom });
  } catch (error) {
    if (hasCode(error)) return { code: error.code };
    throw error;
  }
}

function isReading(name: string, [, flags]: readonly unknown[]): boolean {
  return name === 'openSync' && flags !== 'w' && flags !== 'wx';
}
