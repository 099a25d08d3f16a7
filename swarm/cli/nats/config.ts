import { readKeyFolder } from '../../../mesh/key-folder.ts';
import { type NatsTls, type NatsUser, natsConfig } from '../../../mesh/nats-config.ts';
import { formatUserNkey, parseUserNkey } from '../../../mesh/nkey.ts';
import { nodeToken, parseRealm } from '../../../mesh/subject.ts';
import { formatDidKey, parseDidKey } from '../../../runtime/codec/did-key.ts';
import type { PublicKey } from '../../../runtime/codec/ed25519.ts';
import { equalBytes } from '../../../runtime/core/bytes.ts';
import { CodedError } from '../../../runtime/core/errors.ts';
import type { Refusal, Result } from '../../../runtime/core/result.ts';
import type { Shell } from '../shell.ts';

type Options = {
  readonly realm: string;
  readonly node: readonly string[];
  readonly controller?: readonly string[];
  readonly listen: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsCa?: string;
  readonly jetstream?: string;
  readonly json?: boolean;
};

/** `nats config`: only public keys go in, so what comes out is no secret. On loopback unless `--listen` says otherwise. */
export async function config(shell: Shell, options: Options): Promise<void> {
  const { node, controller = [], listen, jetstream } = options;
  const realm = orThrow(parseRealm(options.realm));
  checkListen(listen);
  const tls = tlsOf(options);
  if (jetstream !== undefined) checkPath(jetstream);
  const users = [...node.map((text) => userOf(text, false)), ...controller.map((text) => userOf(text, true))];
  checkDistinct(users);
  if (tls === undefined && !LOOPBACK.test(listen)) {
    await shell.notes.write(`ringmesh: warning: without --tls-cert everybody on the way to ${listen} can read along\n`);
  }
  const jetStream = jetstream === undefined ? {} : { jetStreamDirectory: jetstream };
  const text = natsConfig({ listen, realm, users, ...(tls === undefined ? {} : { tls }), ...jetStream });
  await shell.out.write(options.json === true ? jsonOf(users, text) : text);
}

const LOOPBACK = /^(127(\.\d{1,3}){3}|localhost|\[::1\]):\d+$/;
/** A host is a must: the server takes its absence for every address. */
const LISTEN = /^([a-z0-9][a-z0-9.-]{0,253}|\[[0-9a-f:.]{2,45}\]):\d{1,5}$/i;

function checkListen(listen: string): void {
  const port = Number(listen.slice(listen.lastIndexOf(':') + 1));
  if (LISTEN.test(listen) && port <= 65_535) return;
  throw new CodedError('usage.invalid', '--listen: expected host:port, such as 127.0.0.1:4222 or [::1]:4222');
}

function tlsOf({ tlsCert: cert, tlsKey: key, tlsCa: ca }: Options): NatsTls | undefined {
  if (cert === undefined && key === undefined && ca === undefined) return undefined;
  if (cert === undefined || key === undefined) {
    throw new CodedError('usage.invalid', 'expected --tls-cert and --tls-key together');
  }
  for (const path of [cert, key, ca ?? cert]) checkPath(path);
  return { cert, key, ...(ca === undefined ? {} : { ca }) };
}

function checkPath(path: string): void {
  if (/^[^\p{Cc}"\\]{1,4096}$/u.test(path)) return;
  throw new CodedError('usage.invalid', 'expected a path without quotes, backslashes and control characters');
}

/** A node by its folder, or by its public keys. */
function userOf(text: string, mayControl: boolean): NatsUser {
  const [, did, nkey] = /^(did:[^=]*)=(.*)$/.exec(text) ?? [];
  if (did !== undefined && nkey !== undefined) {
    return { node: orThrow(parseDidKey(did)), login: orThrow(parseUserNkey(nkey)), mayControl };
  }
  const { kind, keys } = readKeyFolder(text);
  const [node, login] = [keys.get('node.key'), keys.get('login.key')];
  if (node?.purpose !== 'node' || login?.purpose !== 'login') {
    throw new CodedError(
      'key.wrong_purpose',
      `expected a folder with the keys of a node, found one of an ${kind}: ${text}`,
    );
  }
  return { node: orThrow(parseDidKey(node.key)), login: orThrow(parseDidKey(login.key)), mayControl };
}

/** A login that two nodes share would let each speak as the other; one that is a node's message key would sign two things. */
function checkDistinct(users: readonly NatsUser[]): void {
  const keys = users.flatMap(({ node, login }): readonly PublicKey[] => [node, login]);
  for (const [n, key] of keys.entries()) {
    if (keys.findIndex((other) => equalBytes(other.bytes, key.bytes)) === n) continue;
    throw new CodedError(
      'usage.invalid',
      `expected every node and login to be named once, found ${formatDidKey(key)} twice`,
    );
  }
}

function jsonOf(users: readonly NatsUser[], text: string): string {
  const told = users.map(({ node, login, mayControl }) => {
    const did = formatDidKey(node);
    return { did, token: nodeToken(did), nkey: formatUserNkey(login), control: mayControl };
  });
  return `${JSON.stringify({ schema: 'ringmesh.nats-config/1', users: told, config: text })}\n`;
}

function orThrow<T>(result: Result<T, Refusal>): T {
  if (result.ok) return result.value;
  throw new CodedError(result.error.code, result.error.message);
}
