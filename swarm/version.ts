/** Of this software, as its package says: `major.minor.patch`. */
import { readFileSync } from 'node:fs';

export function version(): string {
  const path = new URL(import.meta.resolve('ringmesh/package.json'));
  return (JSON.parse(readFileSync(path, 'utf8')) as { readonly version: string }).version;
}
