/**
 * The socket through which the operator of this machine asks the agents of a running node, and hands it what is taken back.
 *
 * K1. Only the user who runs the node can reach it: it lies in a folder of his alone, beside the log.
 * K2. What comes through it is decided like every message from elsewhere: by the gates of this node, as what `guest/operator`
 *     does, and on record. It is no way around the policy.
 * K3. A request that is sent again under its id, while this node runs, is answered from the record, and done once.
 * K4. A revocation counts by the signature of whoever takes something back, not by who brings it. It is on record when it is
 *     answered, and one that is brought again changes nothing.
 *
 * Whoever asks is named by a did:key of this run of the node: the socket's folder says who he is, no signature does. So his
 * messages stand in one log, and a comparison of logs counts them as from elsewhere.
 */
import { Buffer } from 'node:buffer';
import { chmodSync, lstatSync, mkdirSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { dirname } from 'node:path';
import { z } from 'zod';
import type { Receiver } from '../../runtime/actor/remote.ts';
import type { Did } from '../../runtime/codec/did.ts';
import { formatDidKey } from '../../runtime/codec/did-key.ts';
import { sha256 } from '../../runtime/codec/digest.ts';
import { generateKeyPair } from '../../runtime/codec/ed25519.ts';
import type { JsonValue } from '../../runtime/codec/json.ts';
import { digestText, parseEventId } from '../../runtime/codec/record.ts';
import type { Clock } from '../../runtime/core/clock.ts';
import { CodedError, hasCode, messageOf } from '../../runtime/core/errors.ts';
import type { Random } from '../../runtime/core/random.ts';
import { err, unwrap } from '../../runtime/core/result.ts';
import type { Outcome } from '../../runtime/kernel/outcome.ts';
import type { NodeAuthority } from '../authority/node-authority.ts';
import { NO_AUTHORITY } from '../authority/taken-back.ts';
import { parseStrictJson } from '../policy/strict-json.ts';
import { controlAddress, controlFolder, OPERATOR, REQUEST_BYTES_MAX } from './control-socket.ts';

const CONNECTIONS_MAX = 32;
const BODY_MS_MAX = 10_000;
/** A day: who waits longer should be told. */
export const WITHIN_MS_MAX = 86_400_000;

const AskShape = z.strictObject({
  id: z.string().refine((text) => parseEventId(text).ok, 'expected an id as a UUID in lower case'),
  agent: z.string().max(100),
  message: z.string().max(60),
  body: z.json() as z.ZodType<JsonValue>,
  withinMs: z.int().min(1).max(WITHIN_MS_MAX),
});
export type ControlAsk = z.infer<typeof AskShape>;

export type ControlParts = {
  /** The directory of the node's log. */
  readonly log: string;
  readonly cwd: string;
  /** Takes a signed revocation; absent: nobody here asks for delegations. */
  readonly takeBack?: NodeAuthority['takeBack'];
  /** The agents that live here. */
  readonly agents: Pick<Receiver, 'answer' | 'hosts'>;
  readonly clock: Clock;
  readonly random: Random;
};

type Told = { readonly status: number; readonly body: { readonly [name: string]: unknown } };

export class ControlServer implements AsyncDisposable {
  readonly #parts: ControlParts;
  readonly #server: Server;
  readonly #operator: Did;

  private constructor(parts: ControlParts) {
    this.#parts = parts;
    this.#operator = formatDidKey(generateKeyPair(parts.random).publicKey); // it signs nothing: the other half is dropped
    this.#server = createServer({ requestTimeout: BODY_MS_MAX, headersTimeout: BODY_MS_MAX }, (request, response) => {
      response.on('error', () => undefined); // whoever asked has gone away
      this.#respond(request).then(
        ({ status, body }) => response.writeHead(status, JSON_TYPE).end(JSON.stringify(body)),
        (error: unknown) => response.writeHead(400, JSON_TYPE).end(JSON.stringify({ message: messageOf(error) })),
      );
    });
    this.#server.maxConnections = CONNECTIONS_MAX;
  }

  /** For whoever has the log open for writing: nobody else may. What a dead node left is replaced.
   *  @throws {CodedError} `control.path_too_long` · `control.not_ours` · `server.unavailable` */
  static async open(parts: ControlParts): Promise<ControlServer> {
    const address = controlAddress(parts.log, parts.cwd);
    makeFolder(controlFolder(parts.log)); // K1
    rmSync(address, { force: true });
    const opened = new ControlServer(parts);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    opened.#server.once('error', (cause) => {
      const message = `expected to listen on ${address}, found: ${messageOf(cause)}`;
      reject(new CodedError('server.unavailable', message, { cause }));
    });
    opened.#server.listen({ path: address, readableAll: false, writableAll: false }, resolve);
    await promise;
    return opened;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    this.#server.closeAllConnections(); // what was accepted is answered on record (K3)
    await promise;
  }

  async #respond(request: IncomingMessage): Promise<Told> {
    const { method, url } = request;
    const isRevocation = url === '/revoke';
    if (method !== 'POST' || !(isRevocation || url === '/ask')) {
      return { status: 404, body: { message: 'expected POST /ask or /revoke' } };
    }
    const bytes = await bodyOf(request);
    if (bytes === undefined) return { status: 413, body: { message: `expected at most ${REQUEST_BYTES_MAX} bytes` } };
    if (isRevocation) return this.#takeBack(bytes);
    const json = parseStrictJson(bytes);
    if (!json.ok) return { status: 400, body: { message: json.error } };
    const ask = AskShape.safeParse(json.value);
    if (!ask.success) return { status: 400, body: { message: ask.error.issues[0]?.message ?? 'expected an ask' } };
    if (this.#parts.agents.hosts(OPERATOR)) {
      return { status: 409, body: { message: `expected nobody else to be called ${OPERATOR}` } }; // K2: rules could not tell
    }
    if (!this.#parts.agents.hosts(ask.data.agent)) return { status: 404, body: { message: 'no such agent here' } };
    return { status: 200, body: { outcome: await this.#ask(ask.data, bytes) } };
  }

  /** K4. */
  async #takeBack(statement: Uint8Array): Promise<Told> {
    const { takeBack } = this.#parts;
    const taken = takeBack === undefined ? err(NO_AUTHORITY) : await takeBack(statement);
    return { status: 200, body: taken.ok ? { taken: taken.value } : { refused: taken.error } };
  }

  /** K2, K3. */
  #ask({ id, agent: to, message: name, body, withinMs }: ControlAsk, bytes: Uint8Array): Promise<Outcome> {
    const message = unwrap(parseEventId(id), 'a UUID is an event id');
    return this.#parts.agents.answer({
      ...{ message, kind: 'ask', to, name, chain: [], correlation: message, delegation: [] },
      from: { agent: OPERATOR, did: this.#operator },
      body,
      deadline: this.#parts.clock.now() + withinMs,
      envelope: digestText(sha256(bytes)),
    });
  }
}

const JSON_TYPE = { 'content-type': 'application/json' } as const;

/** K1. @throws {CodedError} `control.not_ours` */
function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
  }
  const found = lstatSync(folder);
  if (!found.isDirectory() || found.uid !== lstatSync(dirname(folder)).uid) {
    throw new CodedError('control.not_ours', `expected ${folder} to be a folder of the user who runs the node`);
  }
  chmodSync(folder, 0o700);
}

/** `undefined`: too long. */
async function bodyOf(request: IncomingMessage): Promise<Uint8Array | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length <= REQUEST_BYTES_MAX) chunks.push(chunk); // the rest is heard, and forgotten: who still talks hears no answer
  }
  return length > REQUEST_BYTES_MAX ? undefined : Buffer.concat(chunks);
}
