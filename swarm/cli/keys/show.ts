/** What the `keys` commands say of a folder, in lines or as one JSON object of schema `ringmesh.keys/1`. */

import type { KeyPurpose } from '../../../mesh/key-file.ts';
import { type KeyFolder, readKeyFolder } from '../../../mesh/key-folder.ts';
import { formatUserNkey } from '../../../mesh/nkey.ts';
import { nodeToken } from '../../../mesh/subject.ts';
import type { Did } from '../../../runtime/codec/did.ts';
import { parseDidKey } from '../../../runtime/codec/did-key.ts';
import { sha256 } from '../../../runtime/codec/digest.ts';
import { toHex, utf8 } from '../../../runtime/core/bytes.ts';
import { unwrap } from '../../../runtime/core/result.ts';
import { type Fact, formatFacts } from '../facts.ts';
import { oneLine } from '../report.ts';
import type { Shell } from '../shell.ts';

/** `keys show`, and the end of the other commands: facts on stdout, what is wrong with the folder on stderr. Opens no key. */
export async function showKeys(shell: Shell, directory: string, options: { readonly json?: boolean }): Promise<void> {
  const folder = readKeyFolder(directory);
  for (const flaw of folder.flaws) await shell.notes.write(`ringmesh: warning: ${oneLine(flaw)}\n`);
  const isJson = options.json === true;
  const facts = isJson ? { schema: SCHEMA, ...factsOf(folder), warnings: folder.flaws } : factsOf(folder);
  await shell.out.write(formatFacts(facts, isJson));
}

const SCHEMA = 'ringmesh.keys/1';

function factsOf({ kind, did, keys, identity }: KeyFolder): { readonly [name: string]: Fact } {
  return {
    kind,
    did,
    fingerprint: identity === undefined ? fingerprintOf(did) : did.slice(did.lastIndexOf(':') + 1),
    ...(kind === 'node' ? nodeFacts(did, keys) : {}),
    ...(identity === undefined
      ? {}
      : {
          name: identity.name,
          sponsor: identity.sponsor ?? null,
          rotations: identity.keys.length - 1,
          revoked: identity.revoked ?? null,
        }),
    keys: Object.fromEntries(
      [...keys].map(([name, { key, purpose, isEncrypted, mode }]) => [
        name,
        { purpose, ...publicFacts(purpose, key), encrypted: isEncrypted, mode },
      ]),
    ),
  };
}

/** How the broker knows the node. */
function nodeFacts(did: Did, keys: KeyFolder['keys']): { readonly [name: string]: Fact } {
  const login = keys.get('login.key');
  const token = nodeToken(did);
  if (login === undefined) return { token };
  return { token, nkey: formatUserNkey(unwrap(parseDidKey(login.key), 'the key of a key file')) };
}

/** The key of the next rotation is not told: until then, only its hash is known. */
function publicFacts(purpose: KeyPurpose, key: Did): { readonly [name: string]: Fact } {
  return purpose === 'agent-next' ? {} : { key, fingerprint: fingerprintOf(key) };
}

/** Of a did:key, to read out over a telephone: the first half of the SHA-256 of the DID, in hex. */
function fingerprintOf(did: string): string {
  return toHex(sha256(utf8(did)).subarray(0, 16));
}
