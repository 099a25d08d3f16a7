/**
 * A configuration for `nats-server`, for the nodes of one realm: one nkey user per node, and for each the narrowest
 * permissions under which a node can work.
 *
 * P1. A node publishes under its own token only; so the broker vouches for the sender of everything.
 * P2. A node listens to what is sent to it, to what is sent to all, and to its own inbox: nobody reads another's mail.
 * P3. The control lane needs a grant of its own.
 * P4. What is not allowed is refused: JetStream's and the system's subjects, other realms, listening at `_INBOX`.
 * P5. A node is found by service discovery, and answers to `_INBOX`, where only operators listen.
 * P6. Where there are mailboxes, a node leaves letters under its own token, takes its own, and makes no stream or consumer:
 *     who makes those can have everybody's subjects kept, or delivered where he likes.
 * P7. Operators' tools find nodes, make mailboxes, hear what is said to all, and give orders on the control lane, under the
 *     operator's own token; they say nothing else in the realm.
 */
import { formatDidKey } from '../runtime/codec/did-key.ts';
import type { PublicKey } from '../runtime/codec/ed25519.ts';
import { assert } from '../runtime/core/assert.ts';
import { VERBS } from './discovery.ts';
import { formatUserNkey } from './nkey.ts';
import { ALL, LANES, type NodeToken, nodeToken, type Realm, subject } from './subject.ts';

/** One node as its broker knows it. */
export type NatsUser = {
  /** The node's message key: its did:key gives the token. */
  readonly node: PublicKey;
  /** The key with which it logs in, and which does nothing else. */
  readonly login: PublicKey;
  /** Whether it may use the control lane (P3). */
  readonly mayControl: boolean;
};

export type NatsPermissions = { readonly publish: readonly string[]; readonly subscribe: readonly string[] };

/** What one node may do (P1–P6). */
export function natsPermissions(
  realm: Realm,
  self: NodeToken,
  { mayControl, hasMailbox = false }: { readonly mayControl: boolean; readonly hasMailbox?: boolean },
): NatsPermissions {
  const lanes = LANES.filter((lane) => mayControl || lane !== 'control');
  const mailbox = [subject.leaveLetters(realm, self), subject.pull(self), subject.acknowledge(self)];
  return {
    publish: [
      ...lanes.map((lane) => subject.leaving(realm, lane, self)),
      subject.operatorInboxes,
      ...(hasMailbox ? mailbox : []),
    ],
    subscribe: [
      subject.arriving(realm, self),
      subject.arriving(realm, ALL),
      subject.inbox(self),
      ...VERBS.flatMap((verb) => subject.discovery(verb, self)),
    ],
  };
}

/** An operator as his broker knows him. */
export type NatsOperator = {
  /** His key: its did:key gives the token under which he gives orders. */
  readonly operator: PublicKey;
  /** With which his tools log in. */
  readonly login: PublicKey;
};

/** What an operator's tools may do (P7). */
export function operatorPermissions(realm: Realm, self: NodeToken): NatsPermissions {
  return {
    publish: [subject.discoveryAll, subject.jetStream('>'), subject.leaving(realm, 'control', self)],
    subscribe: [
      subject.operatorInboxes,
      subject.arriving(realm, self),
      subject.arriving(realm, ALL),
      subject.inbox(self),
    ],
  };
}

/** Files in PEM. With `ca`, a client must show a certificate of that authority. */
export type NatsTls = { readonly cert: string; readonly key: string; readonly ca?: string };

/** The text of the configuration. `listen` is `host:port`; port -1 lets the server choose one. JetStream is on where it has a
 *  folder to itself. */
export function natsConfig(config: {
  readonly listen: string;
  readonly realm: Realm;
  readonly users: readonly NatsUser[];
  readonly operators?: readonly NatsOperator[];
  readonly tls?: NatsTls;
  readonly jetStreamDirectory?: string;
}): string {
  const { listen, realm, users, operators = [], tls, jetStreamDirectory } = config;
  const hasMailbox = jetStreamDirectory !== undefined;
  return [
    '# Written by ringmesh: one user per node of the realm.',
    ...serverLines({ listen, ...(tls && { tls }), ...(hasMailbox && { jetStreamDirectory }) }),
    'accounts: {',
    `  ${JSON.stringify(realm)}: {`,
    ...(jetStreamDirectory === undefined ? [] : ['    jetstream: enabled']),
    '    users: [',
    ...users.flatMap(({ node, login, mayControl }) => {
      const did = formatDidKey(node);
      return userLines(did, login, natsPermissions(realm, nodeToken(did), { mayControl, hasMailbox }));
    }),
    ...operators.flatMap(({ operator, login }) => {
      const did = formatDidKey(operator);
      return userLines(`the operator ${did}`, login, operatorPermissions(realm, nodeToken(did)));
    }),
    '    ]',
    '  }',
    '}',
    '',
  ].join('\n');
}

/** How a broker listens, whoever says who may log in. */
export function serverLines(server: {
  readonly listen: string;
  readonly tls?: NatsTls;
  readonly jetStreamDirectory?: string;
}): readonly string[] {
  const { listen, tls, jetStreamDirectory } = server;
  assert(/^[a-z0-9.:[\]-]{1,255}$/i.test(listen), 'natsConfig: host:port');
  return [
    `listen: ${JSON.stringify(listen)}`,
    'max_payload: 1MB',
    'ping_interval: "10s"',
    'ping_max: 2',
    'write_deadline: "10s"',
    ...tlsLines(tls),
    ...(jetStreamDirectory === undefined ? [] : [`jetstream: { store_dir: ${quoted(jetStreamDirectory)} }`]),
  ];
}

function tlsLines(tls: NatsTls | undefined): readonly string[] {
  if (tls === undefined)
    return ['# tls: { cert_file: "server.pem", key_file: "server.key", ca_file: "ca.pem", verify: true }'];
  const { cert, key, ca } = tls;
  const lines = ['tls: {', `  cert_file: ${quoted(cert)}`, `  key_file: ${quoted(key)}`];
  return [...lines, ...(ca === undefined ? [] : [`  ca_file: ${quoted(ca)}`, '  verify: true']), '}'];
}

/** A path as the server reads it. What would need an escape is refused: escapes are not the same as JSON's. */
function quoted(path: string): string {
  assert(/^[^\p{Cc}"\\]{1,4096}$/u.test(path), 'natsConfig: a path without quotes, backslashes and controls');
  return `"${path}"`;
}

function userLines(who: string, login: PublicKey, { publish, subscribe }: NatsPermissions): readonly string[] {
  return [
    `      # ${who}`,
    '      {',
    `        nkey: ${formatUserNkey(login)}`,
    '        permissions: {',
    `          publish: { allow: ${JSON.stringify(publish)} }`,
    `          subscribe: { allow: ${JSON.stringify(subscribe)} }`,
    '        }',
    '      }',
  ];
}
