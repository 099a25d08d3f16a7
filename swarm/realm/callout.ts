/**
 * Who may log in to a realm's broker, as its roster says at that moment: for the service that a broker asks. Its keys are
 * in the realm's folder, under `callout/`; no node needs them.
 */
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { readKeyFile, writeKeyFile } from '../../mesh/key-file.ts';
import type { KnownNode } from '../../mesh/nats-callout.ts';
import { nodeToken } from '../../mesh/subject.ts';
import { formatDidKey } from '../../runtime/codec/did-key.ts';
import { generateKeyPair, type KeyPair, type PublicKey } from '../../runtime/codec/ed25519.ts';
import { CodedError } from '../../runtime/core/errors.ts';
import type { Random } from '../../runtime/core/random.ts';
import { readRoster } from './realm-folder.ts';

/** `issuer` signs what is granted; with `service` the service itself logs in. */
export type CalloutKeys = { readonly issuer: KeyPair; readonly service: KeyPair };

/** The keys of the service; made, where the folder has none.
 *  @throws {CodedError} `key.*` */
export function provisionCallout(folder: string, random: Random): CalloutKeys {
  mkdirSync(join(folder, FOLDER), { recursive: true, mode: 0o700 });
  for (const purpose of ['account', 'login'] as const) {
    const path = join(folder, FOLDER, `${purpose}.key`);
    if (!existsSync(path)) writeKeyFile(path, { purpose, pair: generateKeyPair(random) }, random);
  }
  return openCallout(folder);
}

/** @throws {CodedError} `callout.no_keys` · `key.*` */
export function openCallout(folder: string): CalloutKeys {
  const [account, login] = [join(folder, FOLDER, 'account.key'), join(folder, FOLDER, 'login.key')];
  if (!existsSync(account) || !existsSync(login)) {
    throw new CodedError(
      'callout.no_keys',
      `expected the keys of a callout in ${folder}: nats config --callout makes them`,
    );
  }
  return { issuer: readKeyFile(account, 'account'), service: readKeyFile(login, 'login') };
}

/** Whose login it is, by the roster as it is now: whoever has left it is nobody.
 *  @throws {CodedError} `realm.*` */
export function whoLogsIn(folder: string, login: PublicKey): KnownNode | undefined {
  const { nodes, operator, operatorLogin } = readRoster(folder);
  const did = formatDidKey(login);
  if (did === operatorLogin) return { operator: nodeToken(operator) };
  const node = nodes.find((one) => one.login === did);
  return node === undefined ? undefined : { self: nodeToken(node.did), mayControl: false };
}

const FOLDER = 'callout';
