/**
 * A registry that has what one lock file names, as a process: `node registry.fixture.ts LOCK PORT DELAY_MS`. It listens on
 * every address of its container, and takes its time over every answer.
 */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
// biome-ignore lint/style/noRestrictedImports: this file is a process, and nothing but that.
import process from 'node:process';

type Locked = { readonly version?: string; readonly integrity?: string; readonly license?: string };

const [lock = '', port = '4873', delayMs = '0'] = process.argv.slice(2);
const { packages } = JSON.parse(readFileSync(lock, 'utf8')) as { readonly packages: Record<string, Locked> };
const documents = new Map<string, Record<string, object>>();
for (const [path, { version, integrity, license }] of Object.entries(packages)) {
  const name = path.split('node_modules/').at(-1) ?? '';
  if (name === '' || version === undefined) continue;
  const dist = integrity === undefined ? {} : { integrity };
  documents.set(name, { ...documents.get(name), [version]: { version, license, dist } });
}

createServer((request, response) => {
  const name = decodeURIComponent((request.url ?? '/').slice(1));
  process.stdout.write(`asked ${name}\n`);
  const versions = documents.get(name);
  const body = { name, 'dist-tags': { latest: Object.keys(versions ?? {}).at(-1) }, versions };
  // biome-ignore lint/style/noRestrictedGlobals: a registry on another machine has a clock of its own.
  setTimeout(() => {
    response.writeHead(versions === undefined ? 404 : 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body));
  }, Number(delayMs));
}).listen(Number(port), '0.0.0.0', () => process.stdout.write(`${documents.size} packages\n`));
