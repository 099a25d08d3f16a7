/**
 * The decision point over HTTP: `authzen.ts` behind `node:http`, and nothing kept between two requests, so that many can
 * stand side by side.
 *
 * H1. It listens on loopback, unless whoever starts it says otherwise: there is no login here, and no TLS.
 * H2. A request names a host that this is: an address, `localhost`, or a name it was told. Otherwise a web page whose name
 *     was pointed at this machine (DNS rebinding) could ask. Nothing that a page sends across origins is answered.
 * H3. Whatever comes in, an answer goes out or the connection is closed: bodies, headers, time and connections are bounded,
 *     and no input throws.
 * H4. Ending, it takes nothing new, answers what it has taken, and closes what does not end by itself.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, isIP } from 'node:net';
import type { Bundle } from '../../policies/bundle/bundle.ts';
import type { JsonValue } from '../../runtime/codec/json.ts';
import type { Clock } from '../../runtime/core/clock.ts';
import { CodedError, hasCode, messageOf } from '../../runtime/core/errors.ts';
import type { Random } from '../../runtime/core/random.ts';
import type { Result } from '../../runtime/core/result.ts';
import { uuidv7 } from '../../runtime/core/uuid.ts';
import { type Desk, evaluate, evaluateAll } from './authzen.ts';
import { parseStrictJson } from './strict-json.ts';

export type ServerOptions = {
  /** An address, not a name (H1). Default 127.0.0.1. */
  readonly host?: string;
  /** Default: one that is free. */
  readonly port?: number;
  readonly allowRemote?: boolean;
  /** Names besides `localhost` that clients may call it by (H2). */
  readonly names?: readonly string[];
  readonly bodyBytesMax?: number;
  /** How long a request may take to arrive, and an ending to end. */
  readonly requestMsMax?: number;
};

export type ServerPorts = { readonly bundle: () => Bundle; readonly clock: Clock; readonly random: Random };

/** Far more than the arguments of a call; what is larger goes by reference. */
const BODY_BYTES_MAX = 256 * 1024;
const REQUEST_MS_MAX = 10_000;
const HEADER_BYTES_MAX = 16 * 1024;
const CONNECTIONS_MAX = 512;

const EVALUATION = '/access/v1/evaluation';
const EVALUATIONS = '/access/v1/evaluations';
const METADATA = '/.well-known/authzen-configuration';

export class DecisionServer implements AsyncDisposable {
  readonly #server: Server;
  readonly #ports: ServerPorts;
  readonly #options: ServerOptions;
  readonly #endMsMax: number;

  private constructor(ports: ServerPorts, options: ServerOptions) {
    const { requestMsMax = REQUEST_MS_MAX } = options;
    this.#ports = ports;
    this.#options = options;
    this.#endMsMax = requestMsMax;
    this.#server = createServer(
      {
        requestTimeout: requestMsMax,
        headersTimeout: requestMsMax,
        keepAliveTimeout: requestMsMax,
        connectionsCheckingInterval: Math.max(50, Math.min(1_000, requestMsMax / 4)),
        maxHeaderSize: HEADER_BYTES_MAX,
        requireHostHeader: true,
      },
      (request, response) => void this.#answer(request, response),
    );
    this.#server.maxConnections = CONNECTIONS_MAX;
  }

  /** @throws `usage.invalid` a host that is no address, or not loopback (H1) · `server.unavailable` the port is taken */
  static async open(ports: ServerPorts, options: ServerOptions = {}): Promise<DecisionServer> {
    const { host = '127.0.0.1', port = 0, allowRemote = false } = options;
    if (isIP(host) === 0) throw new CodedError('usage.invalid', `--host: expected an address, found ${host}`);
    if (!isLoopback(host) && !allowRemote) {
      const message = `--host: expected an address of loopback, found ${host}; --allow-remote if you mean it`;
      throw new CodedError('usage.invalid', message);
    }
    if (port > 65_535) throw new CodedError('usage.invalid', `--port: expected at most 65535, found ${port}`);
    const opened = new DecisionServer(ports, options);
    await opened.#listen(host, port);
    return opened;
  }

  /** Where it is: `http://127.0.0.1:8181`. */
  get url(): string {
    const { address, port, family } = this.#server.address() as AddressInfo;
    return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
  }

  /** H4. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    using _deadline = this.#ports.clock.after(this.#endMsMax, () => this.#server.closeAllConnections());
    this.#server.close(() => resolve());
    this.#server.closeIdleConnections();
    await promise;
  }

  async #listen(host: string, port: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#server.once('error', (cause) => {
      const message = `expected to listen on ${host}:${port}, found: ${messageOf(cause)}`;
      reject(new CodedError('server.unavailable', message, { cause }));
    });
    this.#server.listen({ host, port, exclusive: true }, resolve);
    await promise;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on('error', () => undefined); // whoever asked has gone away
    const id = request.headers['x-request-id'];
    if (typeof id === 'string' && HEADER_TEXT.test(id)) response.setHeader('x-request-id', id);
    response.setHeader('cache-control', 'no-store');
    try {
      const told = await this.#respond(request);
      send(request, response, told);
    } catch (error) {
      if (hasCode(error, 'ECONNRESET')) return void response.destroy();
      send(request, response, { status: 500, body: 'the request could not be answered' }); // H3
    }
  }

  async #respond(request: IncomingMessage): Promise<Told> {
    const fault = this.#faultIn(request);
    if (fault !== undefined) return fault;
    const path = pathOf(request);
    if (path === METADATA) return { status: 200, body: this.#metadata(request) };
    const body = await readBody(request, this.#options.bodyBytesMax ?? BODY_BYTES_MAX);
    if (body === undefined) return { status: 413, body: 'expected a shorter body' };
    const parsed = parseStrictJson(body);
    if (!parsed.ok) return { status: 400, body: parsed.error };
    const { bundle, clock, random } = this.#ports;
    const desk: Desk = { bundle: bundle(), at: clock.now(), id: uuidv7(clock, random) };
    const answer: Result<unknown, string> = (path === EVALUATION ? evaluate : evaluateAll)(desk, parsed.value);
    return answer.ok ? { status: 200, body: answer.value as JsonValue } : { status: 400, body: answer.error };
  }

  /** Everything that can be known before the body is read. */
  #faultIn(request: IncomingMessage): Told | undefined {
    const { method, headers } = request;
    if (!this.#isForUs(headers.host)) return { status: 403, body: 'expected a host that this is' }; // H2
    if (headers.origin !== undefined || isFromAnotherSite(headers['sec-fetch-site'])) {
      return { status: 403, body: 'expected no request of a web page' };
    }
    const path = pathOf(request);
    const allowed = path === METADATA ? 'GET' : path === EVALUATION || path === EVALUATIONS ? 'POST' : undefined;
    if (allowed === undefined) return { status: 404, body: `expected ${EVALUATION}, ${EVALUATIONS} or ${METADATA}` };
    if (method !== allowed) return { status: 405, body: `expected ${allowed}`, allow: allowed };
    if (allowed === 'GET') return undefined;
    if (!isJson(headers['content-type'])) return { status: 415, body: 'expected application/json' };
    const encoding = headers['content-encoding'];
    if (encoding !== undefined && encoding !== 'identity') return { status: 415, body: 'expected no content-encoding' };
    const length = Number(headers['content-length'] ?? 0);
    if (length > (this.#options.bodyBytesMax ?? BODY_BYTES_MAX))
      return { status: 413, body: 'expected a shorter body' };
    return undefined;
  }

  /** An address cannot be pointed elsewhere; a name can, so it has to be known. */
  #isForUs(host: string | undefined): boolean {
    const [, name = ''] = /^(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::\d{1,5})?$/i.exec(host ?? '') ?? [];
    if (isIP(name.replace(/^\[|\]$/g, '')) !== 0) return true;
    return ['localhost', ...(this.#options.names ?? [])].includes(name.toLowerCase());
  }

  #metadata({ headers }: IncomingMessage): JsonValue {
    const point = `http://${headers.host}`; // the very name it was asked by, which the specification wants to be equal
    return {
      policy_decision_point: point,
      access_evaluation_endpoint: point + EVALUATION,
      access_evaluations_endpoint: point + EVALUATIONS,
    };
  }
}

type Told = { readonly status: number; readonly body: JsonValue; readonly allow?: string };

/** An error's body is text, as section 10.1.7 of the specification has it; an answer's is JSON. */
function send(request: IncomingMessage, response: ServerResponse, { status, body, allow }: Told): void {
  if (response.headersSent || response.destroyed) return;
  if (allow !== undefined) response.setHeader('allow', allow);
  // Of a request that is refused unread, the rest must not be taken for the next one.
  if (!request.complete) response.setHeader('connection', 'close');
  const isText = typeof body === 'string';
  response.writeHead(status, { 'content-type': isText ? 'text/plain; charset=utf-8' : 'application/json' });
  response.end(isText ? `${body}\n` : `${JSON.stringify(body)}\n`);
}

/** The whole body, or `undefined` for one that is too long. */
async function readBody(request: IncomingMessage, bytesMax: number): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    length += (chunk as Uint8Array).length;
    if (length > bytesMax) return undefined;
    chunks.push(chunk as Uint8Array);
  }
  return Buffer.concat(chunks);
}

function pathOf({ url = '' }: IncomingMessage): string {
  return url.split('?', 1)[0] ?? '';
}

function isJson(type: string | undefined): boolean {
  return /^application\/json\s*(;\s*charset=utf-8\s*)?$/i.test(type ?? '');
}

function isFromAnotherSite(site: string | readonly string[] | undefined): boolean {
  return site !== undefined && site !== 'none';
}

function isLoopback(host: string): boolean {
  return host === '::1' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);
}

/** What may be sent back in a header. */
const HEADER_TEXT = /^[\x20-\x7e]{1,200}$/;
