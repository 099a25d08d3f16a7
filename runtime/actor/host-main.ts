/**
 * What a child host runs: `node host-main.ts MODULE NAME`, with an IPC channel. It imports the author's implementation and
 * takes turns until the channel closes; then it ends, so that no host outlives its node.
 */
// biome-ignore lint/style/noRestrictedImports: this file is a process, and nothing but that.
import process from 'node:process';
import { assert } from '../core/assert.ts';
import { watchCode } from './code-digest.ts';
import { Host } from './host.ts';
import type { Implementation } from './implement.ts';
import type { ToHost } from './protocol.ts';
import { installStrictMode } from './strict.ts';

const [module = '', name = ''] = process.argv.slice(2);
const early: ToHost[] = [];
const limited = Promise.withResolvers<void>();
let host: Host | undefined;

process.on('disconnect', () => process.exit(0));
process.on('message', (message: ToHost | { readonly type: 'begin' }) => {
  if (message.type === 'begin') limited.resolve();
  else if (host === undefined) early.push(message);
  else host.receive(message);
});

const codeOf = watchCode();
installStrictMode();
await limited.promise; // K1: until then nothing of an author's runs
const imported = (await import(module)) as Readonly<Record<string, unknown>>;
const implementation = imported[name] as Implementation | undefined;
assert(implementation?.contract !== undefined, `expected an implementation called ${name} in ${module}`);
host = new Host([implementation], (message) => void process.send?.(message), codeOf());
host.announce();
for (const message of early) host.receive(message);
