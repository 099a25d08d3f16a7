import { readKeyFolder } from '../../../mesh/key-folder.ts';
import { natsCalloutLines } from '../../../mesh/nats-callout.ts';
import { type NatsOperator, type NatsUser, natsConfig, serverLines } from '../../../mesh/nats-config.ts';
import { formatAccountNkey, formatUserNkey, parseUserNkey } from '../../../mesh/nkey.ts';
import { nodeToken, parseRealm } from '../../../mesh/subject.ts';
import { formatDidKey, parseDidKey } from '../../../runtime/codec/did-key.ts';
import type { PublicKey } from '../../../runtime/codec/ed25519.ts';
import { equalBytes } from '../../../runtime/core/bytes.ts';
import { CodedError } from '../../../runtime/core/errors.ts';
import type { Refusal, Result } from '../../../runtime/core/result.ts';
import { systemRandom } from '../../../runtime/core/system.ts';
import { provisionCallout } from '../../realm/callout.ts';
import { readRoster } from '../../realm/realm-folder.ts';
import type { Shell } from '../shell.ts';
import { type BrokerOptions, brokerSettings } from './broker-options.ts';

type Options = BrokerOptions & {
  readonly realm?: string;
  readonly node?: readonly string[];
  readonly operator?: readonly string[];
  readonly callout?: string;
  readonly controller?: readonly string[];
  readonly json?: boolean;
};

/** `nats config`: only public keys go in, so what comes out is no secret. On loopback unless `--listen` says otherwise. */
export async function config(shell: Shell, options: Options): Promise<void> {
  if (options.callout !== undefined) return configWithCallout(shell, options.callout, options);
  const { node, controller = [], operator = [] } = options;
  if (options.realm === undefined || node === undefined) {
    throw new CodedError('usage.invalid', 'expected --realm and --node, or --callout with the folder of a realm');
  }
  const realm = orThrow(parseRealm(options.realm));
  const users = [...node.map((text) => userOf(text, false)), ...controller.map((text) => userOf(text, true))];
  const operators = operator.map(operatorOf);
  checkDistinct([...users, ...operators.map(({ operator: node, login }) => ({ node, login }))]);
  const text = natsConfig({ ...(await brokerSettings(shell, options)), realm, users, operators });
  await shell.out.write(options.json === true ? jsonOf(users, text) : text);
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

/** Who may log in is asked of a service (`nats callout`) whose keys are made here, if the folder has none. */
async function configWithCallout(shell: Shell, folder: string, options: Options): Promise<void> {
  if (options.realm !== undefined || options.node !== undefined || options.controller || options.operator) {
    throw new CodedError('usage.invalid', 'expected --callout alone: the realm’s roster says who may log in');
  }
  const { realm } = readRoster(folder);
  const { issuer, service } = provisionCallout(folder, systemRandom);
  const settings = await brokerSettings(shell, options);
  const keys = { issuer: issuer.publicKey, service: service.publicKey };
  const hasJetStream = settings.jetStreamDirectory !== undefined;
  const lines = [
    '# Written by ringmesh: nats-server 2.10 or newer asks `ringmesh nats callout` who may log in.',
    ...serverLines(settings),
    natsCalloutLines({ realm, ...keys, hasJetStream }),
  ];
  const text = lines.join('\n');
  const json = { schema: 'ringmesh.nats-config/1', issuer: formatAccountNkey(keys.issuer), config: text };
  await shell.out.write(options.json === true ? `${JSON.stringify(json)}\n` : text);
}

/** An operator by his public keys: his own, and the nkey with which his tools log in. */
function operatorOf(text: string): NatsOperator {
  const [, did = '', nkey = ''] = /^(did:[^=]*)=(.*)$/.exec(text) ?? [];
  if (did === '') throw new CodedError('usage.invalid', `--operator: expected did:key:…=U…, found ${text}`);
  return { operator: orThrow(parseDidKey(did)), login: orThrow(parseUserNkey(nkey)) };
}

/** A login that two nodes share would let each speak as the other; one that is a node's message key would sign two things. */
function checkDistinct(users: readonly Pick<NatsUser, 'node' | 'login'>[]): void {
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
