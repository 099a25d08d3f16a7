/** A process that locks files: each line of its input names one, for which it lets go of the one before; it says `got` or `busy`. */
// biome-ignore lint/style/noRestrictedImports: this file is a process, and nothing but that.
import process from 'node:process';
import { createInterface } from 'node:readline';
import { lockFile } from './file-lock.ts';

let held: Disposable | undefined;
for await (const path of createInterface({ input: process.stdin })) {
  held?.[Symbol.dispose]();
  held = lockFile(path, 0, 'realm.slot_unusable');
  process.stdout.write(held === undefined ? 'busy\n' : 'got\n');
}
