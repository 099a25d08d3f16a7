/**
 * Auth callout (nats-server 2.10 and newer; ADR-26 of NATS): instead of reading users from its configuration, the broker asks
 * a service of ours for each login, and the service answers with what that node may do, until when. So a node that is no
 * longer wanted is out when its login ends, without a word to the broker.
 *
 * Q1. A node that is not known gets nothing, nor does one that is known by name only: its nkey has signed the nonce of this
 *     connection, and that is verified here, since the server leaves it to whoever is asked.
 * Q2. What is granted is the narrow template of `nats-config.ts`, for this one connection: the answer names the server, and the
 *     one-time user key in its question.
 * Q3. A grant ends after `loginMs` at most.
 * Q4. The account key signs answers to the broker and nothing else.
 *
 * The question and the answer are JWTs of the broker's own kind (algorithm `ed25519-nkey`), made here by hand: did-jwt does
 * not know it. They travel inside the broker, in an account where only this service is.
 */
import { type KeyPair, type PublicKey, sign, verify } from '../runtime/codec/ed25519.ts';
import type { Millis } from '../runtime/core/brand.ts';
import { fromBase64url, toBase64url, utf8, view } from '../runtime/core/bytes.ts';
import type { Clock } from '../runtime/core/clock.ts';
import { err, ok, type Refusal, type Result } from '../runtime/core/result.ts';
import { natsPermissions, operatorPermissions } from './nats-config.ts';
import type { NatsLink } from './nats-link.ts';
import { formatAccountNkey, formatUserNkey, isNonce, parseServerNkey, parseUserNkey } from './nkey.ts';
import { type NodeToken, type Realm, subject } from './subject.ts';

/** Whose login it is, as the service knows it: a node's, or that of an operator's tools, under the operator's token. */
export type KnownNode = { readonly self: NodeToken; readonly mayControl: boolean } | { readonly operator: NodeToken };

export type Callout = {
  readonly realm: Realm;
  /** The account key (Q4). */
  readonly issuer: KeyPair;
  /** The node with this login, if it is known and wanted (Q1). */
  readonly node: (login: PublicKey) => KnownNode | undefined;
  readonly hasMailbox: boolean;
  readonly loginMs: number;
};

/** An hour, as long as a hosting certificate: then the broker asks again. */
export const LOGIN_MS = 60 * 60 * 1000;

/** The name of the account where the service is, alone. */
const SERVICE_ACCOUNT = 'ringmesh-callout';

/** What the broker's configuration says instead of users. `service` is the nkey of the service itself. */
export function natsCalloutLines(config: {
  readonly realm: Realm;
  readonly issuer: PublicKey;
  readonly service: PublicKey;
  readonly hasJetStream?: boolean;
}): string {
  const nkey = formatUserNkey(config.service);
  return [
    'accounts: {',
    `  ${JSON.stringify(config.realm)}: {${config.hasJetStream === true ? ' jetstream: enabled ' : ''}}`,
    `  ${SERVICE_ACCOUNT}: { users: [ { nkey: ${nkey} } ] }`,
    '}',
    'authorization: {',
    '  auth_callout: {',
    `    issuer: ${formatAccountNkey(config.issuer)}`,
    `    auth_users: [ ${nkey} ]`,
    `    account: ${SERVICE_ACCOUNT}`,
    '  }',
    '}',
    '',
  ].join('\n');
}

/** Answers every login over this link, for as long as it lives. */
export function serveCallout(
  link: NatsLink,
  callout: Callout,
  ports: { readonly clock: Clock; readonly onRefused: (refusal: Refusal) => void },
): void {
  link.attach({
    subscribe(connection) {
      connection.subscribe(subject.authCallout, {
        callback(error, { reply, data }) {
          if (error !== null || reply === undefined) return;
          const answer = answerLogin(view(data).toString('latin1'), ports.clock.now(), callout);
          if (answer.refusal !== undefined) ports.onRefused(answer.refusal);
          connection.publish(reply, utf8(answer.token));
        },
      });
    },
  });
}

/** The answer to one question; an empty one, which lets nobody in, where it is no question of a server. */
export function answerLogin(
  token: string,
  at: Millis,
  callout: Callout,
): { readonly token: string; readonly refusal?: Refusal } {
  const read = readQuestion(token, at, callout);
  if (!read.ok) return { token: '', refusal: read.error };
  const question = read.value;
  const granted = grant(question, at, callout);
  const nats = granted.ok ? { jwt: granted.value } : { error: granted.error.code };
  const answer = writeToken(callout.issuer, at, {
    aud: question.server,
    nats: { ...nats, type: 'authorization_response', version: 2 },
    sub: question.user,
  });
  return granted.ok ? { token: answer } : { token: answer, refusal: granted.error };
}

/** What a server asks. */
type Question = {
  /** Its own nkey, and the one-time nkey that the answer must be about (Q2). */
  readonly server: string;
  readonly user: string;
  readonly login: string;
  readonly nonce: string;
  readonly signature: string;
};

function readQuestion(token: string, at: Millis, { issuer }: Callout): Result<Question, Refusal> {
  const [header = '', payload = '', signature = '', ...more] =
    token.length > TOKEN_CHARACTERS_MAX ? [] : token.split('.');
  const claims = readObject(payload);
  const { alg, typ } = readObject(header);
  const nats = objectIn(claims, 'nats');
  const server = textIn(objectIn(nats, 'server_id'), 'id');
  const key = parseServerNkey(server);
  if (more.length > 0 || alg !== 'ed25519-nkey' || typ !== 'JWT' || !key.ok || claims['iss'] !== server) {
    return refuse('callout.malformed', 'expected the question of a server');
  }
  if (!verify(key.value, utf8(`${header}.${payload}`), fromBase64url(signature) ?? EMPTY)) {
    return refuse('callout.bad_signature', 'expected the server to have signed its question');
  }
  const isForUs =
    claims['aud'] === 'nats-authorization-request' && claims['sub'] === formatAccountNkey(issuer.publicKey);
  if (!isForUs) return refuse('callout.misdirected', 'expected a question to this account');
  if (!(Number(claims['exp']) * 1000 >= at)) return refuse('callout.stale', `expected a question of ${at}`);
  const user = textIn(nats, 'user_nkey');
  if (!parseUserNkey(user).ok) return refuse('callout.malformed', 'expected a one-time nkey');
  const options = objectIn(nats, 'connect_opts');
  const nonce = textIn(objectIn(nats, 'client_info'), 'nonce');
  return ok({ server, user, login: textIn(options, 'nkey'), nonce, signature: textIn(options, 'sig') });
}

/** The user's JWT (Q1-Q3). */
function grant({ user, login, nonce, signature }: Question, at: Millis, callout: Callout): Result<string, Refusal> {
  const key = parseUserNkey(login);
  if (!key.ok) return refuse('callout.unknown_login', 'expected the login of a node');
  if (!isNonce(nonce) || !verify(key.value, utf8(nonce), fromBase64url(signature) ?? EMPTY)) {
    return refuse('callout.bad_login', `expected ${login} to have signed the nonce`);
  }
  const node = callout.node(key.value);
  if (node === undefined) return refuse('callout.unknown_login', `expected the login of a node, found ${login}`);
  const { realm, hasMailbox, loginMs } = callout;
  const self = 'operator' in node ? node.operator : node.self;
  const { publish, subscribe } =
    'operator' in node
      ? operatorPermissions(realm, self)
      : natsPermissions(realm, self, { mayControl: node.mayControl, hasMailbox });
  return ok(
    writeToken(callout.issuer, at, {
      aud: realm,
      exp: Math.floor((at + loginMs) / 1000),
      name: self,
      nats: {
        ...{ data: -1, payload: -1, pub: { allow: publish }, sub: { allow: subscribe }, subs: -1 },
        type: 'user',
        version: 2,
      },
      sub: user,
    }),
  );
}

const HEADER = toBase64url(utf8(JSON.stringify({ typ: 'JWT', alg: 'ed25519-nkey' })));
/** A question carries two keys, a signature and at most a few client certificates. */
const TOKEN_CHARACTERS_MAX = 64 * 1024;
const EMPTY = new Uint8Array(0);

function writeToken(issuer: KeyPair, at: Millis, claims: object): string {
  const iss = formatAccountNkey(issuer.publicKey);
  const payload = toBase64url(utf8(JSON.stringify({ ...claims, iat: Math.floor(at / 1000), iss })));
  return `${HEADER}.${payload}.${toBase64url(sign(issuer, utf8(`${HEADER}.${payload}`)))}`;
}

type Members = { readonly [name: string]: unknown };

/** Servers do not write canonical JSON, so what is not looked at is let pass. */
function readObject(part: string): Members {
  try {
    return asObject(JSON.parse(view(fromBase64url(part) ?? EMPTY).toString()));
  } catch (error) {
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}

function objectIn(members: Members, name: string): Members {
  return asObject(members[name]);
}

function textIn(members: Members, name: string): string {
  const value = members[name];
  return typeof value === 'string' ? value : '';
}

function asObject(value: unknown): Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Members) : {};
}

function refuse(code: string, message: string): Result<never, Refusal> {
  return err({ code, message });
}
