/**
 * A folder of keys: all that one operator, node or agent signs with, a file for each key (`key-file.ts`).
 *
 *     operator  operator.key  sponsor.key
 *     node      node.key  login.key  witness.key          (the log's key is made and kept by the log)
 *     agent     agent-0.key  next-1.key  statement-0.json
 *     rotated   agent-1.key  next-2.key  statement-0.json  statement-1.json
 *
 * K4. An agent is who its statements prove that it is, folded anew each time. No file merely says so.
 * K5. The statement is the moment of change: the keys that it needs are on disk before it, the keys that it ends are removed
 *     after it. So a crash leaves the old state, from which the same call goes on where it stopped, or the new one.
 * K6. The key of the next rotation is used for nothing but that rotation (K3), in which it becomes the key in force.
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Did } from '../runtime/codec/did.ts';
import { formatDidKey } from '../runtime/codec/did-key.ts';
import { generateKeyPair, type KeyPair } from '../runtime/codec/ed25519.ts';
import { equalBytes, utf8, view } from '../runtime/core/bytes.ts';
import type { Clock } from '../runtime/core/clock.ts';
import { CodedError, hasCode } from '../runtime/core/errors.ts';
import type { Random } from '../runtime/core/random.ts';
import { unwrap } from '../runtime/core/result.ts';
import { isLine, isName } from './fields.ts';
import {
  currentKey,
  foldIdentity,
  type Identity,
  learn,
  writeInception,
  writeRevocation,
  writeRotation,
} from './identity.ts';
import { inspectKeyFile, type KeyFacts, type KeyPurpose, keyFileText, readKeyFile } from './key-file.ts';
import { ROTATIONS_MAX } from './limits.ts';
import { removeFile, writeNewFile, writeNewFolder } from './new-file.ts';

export type KeyFolderKind = 'operator' | 'node' | 'agent';

/** What may be known of a folder without opening a key. */
export type KeyFolder = {
  readonly kind: KeyFolderKind;
  readonly did: Did;
  /** By file name. */
  readonly keys: ReadonlyMap<string, KeyFacts>;
  /** Of an agent (K4). */
  readonly identity: Identity | undefined;
  /** What is wrong with how the folder lies there. */
  readonly flaws: readonly string[];
};

/** How a folder is changed: a file more, a file less. A parameter, so that a test can stop in between. */
export type KeyDisk = {
  readonly create: (path: string, text: string) => void;
  readonly remove: (path: string) => void;
};

type Ports = { readonly clock: Clock; readonly random: Random; readonly disk?: KeyDisk };

/** Makes the keys of an operator or a node, in a missing or empty folder.
 *  @throws {CodedError} `key.exists` */
export function createKeyFolder(
  directory: string,
  { kind, passphrase }: { readonly kind: 'operator' | 'node'; readonly passphrase?: string },
  random: Random,
): void {
  const files = PURPOSES[kind].map((purpose) => {
    const pair = generateKeyPair(random);
    return [`${purpose}.key`, keyFileText({ purpose, pair, ...optional(passphrase) }, random)] as const;
  });
  writeNewFolder(directory, new Map(files), random);
}

/** Makes an agent's keys and its inception, which the sponsor countersigns.
 *  @throws {CodedError} `key.exists` · `key.bad_name` */
export function createAgentFolder(
  directory: string,
  agent: { readonly name: string; readonly sponsor: KeyPair; readonly passphrase?: string },
  { clock, random }: Ports,
): void {
  const { name, sponsor, passphrase } = agent;
  if (!isName(name)) throw new CodedError('key.bad_name', 'expected a name of a-z 0-9 and inner hyphens, up to 63');
  const [key, next] = [generateKeyPair(random), generateKeyPair(random)];
  const inception = writeInception({ name, key, next: next.publicKey, sponsor, at: clock.now() });
  const files = [
    [keyName(0), keyFileText({ purpose: 'agent', pair: key, ...optional(passphrase) }, random)],
    [nextName(1), keyFileText({ purpose: 'agent-next', pair: next, ...optional(passphrase) }, random)],
    [statementName(0), line(inception)],
  ] as const;
  writeNewFolder(directory, new Map(files), random);
}

/** What is in a folder. Opens no key and needs no passphrase.
 *  @throws {CodedError} `key.not_found`: no such folder, or none of keys · `key.malformed` · `key.not_plain` · `did.*` */
export function readKeyFolder(directory: string): KeyFolder {
  const names = namesIn(directory);
  const keys = new Map(
    names.filter((name) => name.endsWith('.key')).map((name) => [name, inspectKeyFile(join(directory, name))]),
  );
  const identity = names.includes(statementName(0)) ? readIdentity(directory) : undefined;
  const kind = identity === undefined ? (['operator', 'node'] as const).find((one) => keys.has(`${one}.key`)) : 'agent';
  const did = identity?.did ?? keys.get(`${kind}.key`)?.key;
  if (kind === undefined || did === undefined) {
    throw new CodedError('key.not_found', `expected the keys of an operator, a node or an agent in ${directory}`);
  }
  const { mode } = statSync(directory);
  const open = `expected ${directory} to be its owner's alone to change, found ${(mode & 0o777).toString(8)}`;
  const flaws = [...keys.values()].flatMap(({ flaw }) => (flaw === undefined ? [] : [flaw]));
  return { kind, did, keys, identity, flaws: (mode & 0o022) === 0 ? flaws : [...flaws, open] };
}

/** The keys that a node needs in order to run.
 *  @throws {CodedError} as `readKeyFile` */
export function openNodeKeys(
  directory: string,
  passphrase?: string,
): { readonly node: KeyPair; readonly login: KeyPair; readonly witness: KeyPair } {
  const open = (purpose: 'node' | 'login' | 'witness'): KeyPair =>
    readKeyFile(join(directory, `${purpose}.key`), purpose, passphrase);
  return { node: open('node'), login: open('login'), witness: open('witness') };
}

/** An agent's identity and its key in force, to sign hosting certificates with.
 *  @throws {CodedError} as `readKeyFile` · `did.*` · `key.malformed`: the key is not the one in force */
export function openAgentKeys(
  directory: string,
  passphrase?: string,
): { readonly identity: Identity; readonly key: KeyPair } {
  const identity = readIdentity(directory);
  return { identity, key: openAgentKey(directory, identity, passphrase) };
}

/**
 * Ends the key in force and begins the one that was kept for it; the DID stays. New keys get the same passphrase.
 * @throws {CodedError} as `openAgentKeys` · `key.no_rotation` · `key.exists`: another process was faster
 */
export function rotateAgentKeys(
  directory: string,
  { passphrase }: { readonly passphrase?: string },
  { clock, random, disk = realDisk(random) }: Ports,
): Identity {
  const { kind } = readKeyFolder(directory);
  if (kind !== 'agent') {
    throw new CodedError('key.no_rotation', `a ${kind} is its key: make a new one, and let the realm know it`);
  }
  const { identity, key: from } = openAgentKeys(directory, passphrase);
  const n = identity.keys.length;
  if (identity.revoked !== undefined || n > ROTATIONS_MAX) {
    throw new CodedError('key.no_rotation', 'the identity was revoked, or has had all the keys that it may have');
  }
  const inFolder = (name: string): string => join(directory, name);
  const to = readKeyFile(inFolder(nextName(n)), 'agent-next', passphrase);
  const next = kept(inFolder(nextName(n + 1)), 'agent-next', passphrase) ?? generateKeyPair(random);
  const begin = (name: string, purpose: KeyPurpose, pair: KeyPair): void => {
    if (kept(inFolder(name), purpose, passphrase) !== undefined) return; // a rotation was cut short (K5)
    disk.create(inFolder(name), keyFileText({ purpose, pair, ...optional(passphrase) }, random));
  };
  begin(nextName(n + 1), 'agent-next', next);
  begin(keyName(n), 'agent', to); // (K6)
  const statement = writeRotation(identity, { from, to, next: next.publicKey, at: clock.now() });
  const rotated = unwrap(learn(identity, statement), 'a rotation by the right keys');
  disk.create(inFolder(statementName(n)), line(statement));
  removeEnded(directory, rotated, disk);
  return rotated;
}

/**
 * Ends an agent's identity for good, by its own key in force or by its sponsor's. Its keys stay: they are good for nothing.
 * @throws {CodedError} as `openAgentKeys` · `key.no_revocation` · `key.bad_reason` · `did.unauthorised`: by somebody else
 */
export function revokeAgent(
  directory: string,
  revocation: { readonly reason: string; readonly passphrase?: string; readonly sponsor?: KeyPair },
  { clock, random, disk = realDisk(random) }: Ports,
): Identity {
  const { reason, passphrase, sponsor } = revocation;
  if (reason === '' || !isLine(reason)) {
    throw new CodedError('key.bad_reason', 'expected one line of 1 to 500 characters as the reason');
  }
  const { kind } = readKeyFolder(directory);
  if (kind !== 'agent') throw new CodedError('key.no_revocation', `a ${kind} is ended by removing it from the realm`);
  const identity = readIdentity(directory);
  if (identity.revoked !== undefined) throw new CodedError('key.no_revocation', 'the identity was revoked before');
  const by = sponsor ?? openAgentKey(directory, identity, passphrase);
  const statement = writeRevocation(identity.did, { by, reason, at: clock.now() });
  const revoked = learn(identity, statement);
  if (!revoked.ok) throw new CodedError(revoked.error.code, revoked.error.message);
  disk.create(join(directory, statementName(identity.history.length)), line(statement));
  return revoked.value;
}

const PURPOSES = { operator: ['operator', 'sponsor'], node: ['node', 'login', 'witness'] } as const;

const keyName = (n: number): string => `agent-${n}.key`;
const nextName = (n: number): string => `next-${n}.key`;
const statementName = (n: number): string => `statement-${n}.json`;

/** Folds the statements of a folder, from 0 to the first that is missing (K4). */
function readIdentity(directory: string): Identity {
  const history: Uint8Array[] = [];
  for (let n = 0; existsSync(join(directory, statementName(n))); n++) {
    history.push(utf8(readFileSync(join(directory, statementName(n)), 'utf8').replace(/\n$/, '')));
  }
  const identity = foldIdentity(history);
  if (identity.ok) return identity.value;
  throw new CodedError(identity.error.code, `${directory}: ${identity.error.message}`);
}

function openAgentKey(directory: string, identity: Identity, passphrase: string | undefined): KeyPair {
  const path = join(directory, keyName(identity.keys.length - 1));
  const key = readKeyFile(path, 'agent', passphrase);
  if (equalBytes(key.publicKey.bytes, currentKey(identity).bytes)) return key;
  throw new CodedError('key.malformed', `expected the key in force, ${formatDidKey(currentKey(identity))}: ${path}`);
}

/** A key that a rotation which was cut short has left. */
function kept(path: string, purpose: KeyPurpose, passphrase: string | undefined): KeyPair | undefined {
  return existsSync(path) ? readKeyFile(path, purpose, passphrase) : undefined;
}

/** Removes the keys that a rotation has ended: what is in force is `agent-n` and `next-n+1`, in which nothing is lost. */
function removeEnded(directory: string, { keys }: Identity, disk: KeyDisk): void {
  const inForce = [keyName(keys.length - 1), nextName(keys.length)];
  const ended = namesIn(directory).filter((name) => /^(agent|next)-\d+\.key$/.test(name) && !inForce.includes(name));
  for (const name of ended.sort()) disk.remove(join(directory, name));
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory).sort();
  } catch (error) {
    if (!hasCode(error, 'ENOENT') && !hasCode(error, 'ENOTDIR')) throw error;
    // biome-ignore lint/style/useErrorCause: the cause is there, as the third argument.
    throw new CodedError('key.not_found', `expected a folder of keys at ${directory}, found none`, { cause: error });
  }
}

function realDisk(random: Random): KeyDisk {
  return { create: (path, text) => writeNewFile(path, text, random), remove: removeFile };
}

function line(statement: Uint8Array): string {
  return `${view(statement).toString('utf8')}\n`;
}

function optional(passphrase: string | undefined): { readonly passphrase?: string } {
  return passphrase === undefined ? {} : { passphrase };
}
