/**
 * Fetches package documents from the registries of npm's configuration.
 *
 * G1. No other origin is ever asked: a redirect is followed within the origin only, and at most three times.
 * G2. No answer is held beyond `documentBytesMax`, packed or unpacked: reading stops there.
 * G3. Only a GET is sent, without credentials, so repeating one is harmless: what may pass is tried again, with pauses.
 * G4. After several packages in a row could not be reached at all, the next ones fail at once for a while: an hour of
 *     time-outs tells nobody more than five.
 *
 * Names are parsed before they come here; a path is built from a name by one function.
 */
import { Buffer } from 'node:buffer';
import { readFileSync } from 'node:fs';
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { type Clock, CodedError, hasCode, type Random } from 'ringmesh/runtime';
import { type NpmConfig, registryOf } from './npm-config.ts';
import { Pace, pause } from './pace.ts';
import type { PackageName } from './package-name.ts';

export type RegistryLimits = {
  /** The largest known documents have 30 MiB; one in memory costs about four times its size while it is read. */
  readonly documentBytesMax: number;
  /** Time for one request, from the connection to the last byte. */
  readonly requestMs: number;
  readonly attemptsMax: number;
  readonly backoffMs: number;
  readonly perSecond: number;
  readonly burst: number;
  /** G4. */
  readonly unreachableMax: number;
  readonly coolMs: number;
};

export const REGISTRY_LIMITS: RegistryLimits = {
  documentBytesMax: 64 * 1024 * 1024,
  requestMs: 30_000,
  attemptsMax: 3,
  backoffMs: 250,
  perSecond: 40,
  burst: 8,
  unreachableMax: 5,
  coolMs: 15_000,
};

const REDIRECTS_MAX = 3;
/** As many as npm opens to one host. */
const SOCKETS_MAX = 15;
const RETRY_AFTER_MS_MAX = 20_000;

export type RegistryPorts = {
  readonly config: NpmConfig;
  readonly clock: Clock;
  readonly random: Random;
  /** Where HTTP_PROXY, HTTPS_PROXY and NO_PROXY are looked up that npm's configuration does not set. */
  readonly environment: Readonly<Record<string, string | undefined>>;
};

/** The document's bytes, or that the registry knows no such package. */
export type Fetched = { readonly type: 'document'; readonly bytes: Uint8Array } | { readonly type: 'absent' };

/** What one request brought: an answer, or where to ask instead. */
type Answer = Fetched | { readonly type: 'elsewhere'; readonly url: URL };

export class Registry implements Disposable {
  readonly #ports: RegistryPorts;
  readonly #limits: RegistryLimits;
  readonly #pace: Pace;
  readonly #agents: { readonly 'http:': HttpAgent; readonly 'https:': HttpsAgent };
  #unreachableInRow = 0;
  #coolUntilMs = Number.NEGATIVE_INFINITY;

  constructor(ports: RegistryPorts, limits: RegistryLimits = REGISTRY_LIMITS) {
    this.#ports = ports;
    this.#limits = limits;
    this.#pace = new Pace(ports.clock, limits);
    const proxyEnv = proxiesOf(ports);
    const { cafile } = ports.config;
    const ca = cafile === undefined ? {} : { ca: readFileSync(cafile) };
    this.#agents = {
      'http:': new HttpAgent({ keepAlive: true, maxSockets: SOCKETS_MAX, proxyEnv }),
      'https:': new HttpsAgent({ keepAlive: true, maxSockets: SOCKETS_MAX, proxyEnv, ...ca }),
    };
  }

  /**
   * The document of a package.
   * @throws {CodedError} `registry.unreachable` and `registry.busy`, both retryable · `registry.refused` ·
   *   `registry.redirected` · `registry.too_large` · `registry.not_json`
   */
  async fetch(name: PackageName, signal: AbortSignal): Promise<Fetched> {
    if (this.#ports.clock.monotonicMs() < this.#coolUntilMs) throw unreachable('it could not be reached just now'); // G4
    for (let attempt = 1; ; attempt += 1) {
      try {
        const fetched = await this.#follow(documentUrl(registryOf(this.#ports.config, name), name), signal);
        this.#unreachableInRow = 0;
        return fetched;
      } catch (error) {
        signal.throwIfAborted();
        const mayPass = error instanceof CodedError && error.retryable;
        if (!mayPass || attempt >= this.#limits.attemptsMax) {
          this.#note(error);
          throw error;
        }
        await pause(this.#ports.clock, this.#delayMs(error, attempt), signal);
      }
    }
  }

  [Symbol.dispose](): void {
    this.#agents['http:'].destroy();
    this.#agents['https:'].destroy();
  }

  async #follow(first: URL, signal: AbortSignal): Promise<Fetched> {
    let url = first;
    for (let hops = 0; hops <= REDIRECTS_MAX; hops += 1) {
      await this.#pace.turn(signal);
      const answer = await this.#ask(url, signal);
      if (answer.type !== 'elsewhere') return answer;
      if (answer.url.origin !== first.origin) {
        throw new CodedError(
          'registry.redirected',
          `expected an answer of ${first.host}, found a redirect to another host`,
        ); // G1
      }
      url = answer.url;
    }
    throw new CodedError('registry.redirected', `expected at most ${REDIRECTS_MAX} redirects, found more`);
  }

  /** One request, bounded as a whole: a server that sends a byte a second ends, too. */
  async #ask(url: URL, signal: AbortSignal): Promise<Answer> {
    const late = new AbortController();
    using _timer = this.#ports.clock.after(this.#limits.requestMs, () =>
      late.abort(unreachable(`no answer within ${this.#limits.requestMs} ms`)),
    );
    const bounded = AbortSignal.any([signal, late.signal]);
    try {
      const response = await this.#send(url, bounded);
      try {
        return await this.#read(url, response);
      } finally {
        response.destroy();
      }
    } catch (error) {
      signal.throwIfAborted();
      late.signal.throwIfAborted();
      throw error instanceof CodedError ? error : unreachable(errorText(error), error);
    }
  }

  async #send(url: URL, signal: AbortSignal): Promise<IncomingMessage> {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const headers = {
      accept: 'application/json',
      'accept-encoding': 'gzip',
      'user-agent': 'ringmesh-dependency-audit',
    };
    const sent =
      url.protocol === 'https:'
        ? httpsRequest(url, { headers, signal, agent: this.#agents['https:'] })
        : httpRequest(url, { headers, signal, agent: this.#agents['http:'] });
    sent.on('response', resolve).on('error', reject).end();
    return promise;
  }

  async #read(url: URL, response: IncomingMessage): Promise<Answer> {
    const { statusCode: status = 0, headers } = response;
    if (status === 404) return { type: 'absent' };
    const { location } = headers;
    const target = status >= 300 && status < 400 && location !== undefined ? URL.parse(location, url) : null;
    if (target !== null) return { type: 'elsewhere', url: target };
    if (status === 429 || status === 408 || status >= 500) throw new BusyError(status, headers['retry-after']);
    if (status !== 200) throw new CodedError('registry.refused', `expected status 200, found ${status}`);
    const media = headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase();
    if (media !== undefined && !/^application\/([a-z0-9.+-]+\+)?json$/.test(media)) {
      throw new CodedError('registry.not_json', `expected a JSON document, found ${media.slice(0, 60)}`);
    }
    if (Number(headers['content-length'] ?? 0) > this.#limits.documentBytesMax) throw this.#tooLarge();
    return { type: 'document', bytes: await this.#collect(unpacked(response)) };
  }

  /** G2. */
  async #collect(body: Readable): Promise<Uint8Array> {
    const chunks: Uint8Array[] = [];
    let length = 0;
    for await (const chunk of body as AsyncIterable<Uint8Array>) {
      length += chunk.length;
      if (length > this.#limits.documentBytesMax) throw this.#tooLarge();
      chunks.push(chunk);
    }
    return Buffer.concat(chunks, length);
  }

  #tooLarge(): CodedError {
    return new CodedError(
      'registry.too_large',
      `expected a document of at most ${this.#limits.documentBytesMax} bytes, found more`,
    );
  }

  #note(error: unknown): void {
    if (!hasCode(error, 'registry.unreachable')) {
      this.#unreachableInRow = 0; // an answer, if not a good one
      return;
    }
    this.#unreachableInRow += 1;
    if (this.#unreachableInRow >= this.#limits.unreachableMax) {
      this.#coolUntilMs = this.#ports.clock.monotonicMs() + this.#limits.coolMs;
    }
  }

  /** Twice as long each time, half of it by chance; at least what the registry asks for. */
  #delayMs(error: CodedError, attempt: number): number {
    const base = this.#limits.backoffMs * 2 ** (attempt - 1);
    const jittered = Math.ceil(base / 2) + this.#ports.random.below(Math.max(1, Math.floor(base / 2)));
    return Math.max(jittered, error instanceof BusyError ? error.retryAfterMs : 0);
  }
}

/** The registry answered, and asks to be left alone for a while. */
class BusyError extends CodedError {
  override readonly name = 'BusyError';
  readonly retryAfterMs: number;

  constructor(status: number, retryAfter: string | undefined) {
    super('registry.busy', `expected status 200, found ${status}`, { retryable: true });
    const seconds = /^\d{1,5}$/.test(retryAfter ?? '') ? Number(retryAfter) : 0;
    this.retryAfterMs = Math.min(RETRY_AFTER_MS_MAX, seconds * 1_000);
  }
}

/** `@scope/name` is one segment of the path: `@scope%2fname`. */
function documentUrl(base: URL, name: PackageName): URL {
  return new URL(name.replace('/', '%2f'), base);
}

function unpacked(response: IncomingMessage): Readable {
  const encoding = response.headers['content-encoding'] ?? 'identity';
  if (encoding === 'identity') return response;
  if (encoding !== 'gzip' && encoding !== 'x-gzip') {
    throw new CodedError('registry.not_json', `expected gzip or no encoding, found ${encoding.slice(0, 60)}`);
  }
  const unzip = createGunzip();
  response.on('error', (error) => unzip.destroy(error));
  return response.pipe(unzip);
}

function proxiesOf({ config, environment }: RegistryPorts): Record<string, string | undefined> {
  const either = (name: string): string | undefined => environment[name.toLowerCase()] ?? environment[name];
  return {
    HTTP_PROXY: config.proxy ?? either('HTTP_PROXY'),
    HTTPS_PROXY: config.httpsProxy ?? either('HTTPS_PROXY'),
    NO_PROXY: config.noProxy ?? either('NO_PROXY'),
  };
}

function unreachable(message: string, cause?: unknown): CodedError {
  return new CodedError('registry.unreachable', `expected the registry to answer, found: ${message}`, {
    retryable: true,
    ...(cause === undefined ? {} : { cause }),
  });
}

/** Node puts the reason of a failed connection into `errors` where it tried several addresses. */
function errorText(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(errorText).join('; ');
  return error instanceof Error ? error.message : String(error);
}
