/**
 * `/healthz`, `/readyz` and `/metrics`, for whoever watches this machine.
 *
 * T1. It listens on loopback, and elsewhere only where an address is told: whoever reaches that one can read it.
 * T2. A web page cannot read it by a name that it points here: the host asked for has to be this one, or an address.
 * T3. It answers from before the first step to after the last: until all have started, and once one is being stopped, the
 *     swarm is not ready.
 */
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { CodedError, messageOf } from '../../runtime/core/errors.ts';
import { Metrics, type Watched } from './metrics.ts';

const REQUEST_MS_MAX = 5_000;
const CONNECTIONS_MAX = 32;
const HEADER_BYTES_MAX = 8 * 1024;
const LOOPBACK = '127.0.0.1'; // T1
const LOCAL_HOST = /^(127\.0\.0\.1|localhost)(:\d{1,5})?$/i;
const ADDRESS_HOST = /^(localhost|(\d{1,3}\.){3}\d{1,3}|\[[0-9a-f:.]{2,45}\])(:\d{1,5})?$/i;

type Told = { readonly status: number; readonly body: string };

export class HealthServer implements AsyncDisposable {
  readonly #server: Server;
  readonly #host: string;
  #swarm: Watched | undefined;
  #metrics: Metrics | undefined;

  private constructor(host: string) {
    this.#host = host;
    const limits = { requestTimeout: REQUEST_MS_MAX, headersTimeout: REQUEST_MS_MAX, keepAliveTimeout: REQUEST_MS_MAX };
    this.#server = createServer(
      { ...limits, maxHeaderSize: HEADER_BYTES_MAX, requireHostHeader: true },
      (request, response) => {
        response.on('error', () => undefined); // whoever asked has gone away
        const { status, body } = this.#respond(request);
        const isMetrics = status === 200 && pathOf(request) === '/metrics';
        const type = isMetrics ? 'text/plain; version=0.0.4; charset=utf-8' : 'text/plain; charset=utf-8';
        response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' });
        response.end(body);
      },
    );
    this.#server.maxConnections = CONNECTIONS_MAX;
  }

  /** A port of loopback, 0 for one that is free; or `address:port`. @throws {CodedError} `server.unavailable` it is taken */
  static async open(at: number | string): Promise<HealthServer> {
    const [host, port] = typeof at === 'number' ? [LOOPBACK, at] : addressOf(at);
    const opened = new HealthServer(host);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    opened.#server.once('error', (cause) => {
      const message = `expected to listen on ${host}:${port}, found: ${messageOf(cause)}`;
      reject(new CodedError('server.unavailable', message, { cause }));
    });
    opened.#server.listen({ host: host.replace(/[[\]]/g, ''), port, exclusive: true }, resolve);
    await promise;
    return opened;
  }

  /** `http://127.0.0.1:9464` */
  get url(): string {
    return `http://${this.#host}:${(this.#server.address() as AddressInfo).port}`;
  }

  /** From now on it is ready; with nothing, no more (T3). */
  watch(swarm: Watched | undefined): void {
    this.#swarm = swarm;
    this.#metrics = swarm === undefined ? undefined : new Metrics(swarm);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    this.#server.closeAllConnections(); // what it says is short, and nobody depends on the rest of it
    await promise;
  }

  #respond(request: IncomingMessage): Told {
    const { method, headers } = request;
    if (!(this.#host === LOOPBACK ? LOCAL_HOST : ADDRESS_HOST).test(headers.host ?? '')) {
      return { status: 403, body: 'expected a host that this is\n' }; // T2
    }
    if (headers.origin !== undefined) return { status: 403, body: 'expected no request of a web page\n' };
    if (method !== 'GET' && method !== 'HEAD') return { status: 405, body: 'expected GET\n' };
    const log = this.#swarm?.log;
    switch (pathOf(request)) {
      case '/healthz':
        return log?.stopped === undefined ? { status: 200, body: 'ok\n' } : { status: 500, body: STOPPED };
      case '/readyz':
        if (log === undefined) return { status: 503, body: 'not ready\n' };
        return log.stopped === undefined ? { status: 200, body: 'ready\n' } : { status: 503, body: STOPPED };
      case '/metrics':
        return { status: 200, body: `${readiness(log !== undefined)}${this.#metrics?.text() ?? ''}` };
      default:
        return { status: 404, body: 'expected /healthz, /readyz or /metrics\n' };
    }
  }
}

const STOPPED = 'the log has stopped\n';

function readiness(isReady: boolean): string {
  return `# HELP ringmesh_ready Whether every step has started.\n# TYPE ringmesh_ready gauge\nringmesh_ready ${isReady ? 1 : 0}\n`;
}

function addressOf(text: string): readonly [host: string, port: number] {
  const colon = text.lastIndexOf(':');
  return [text.slice(0, colon), Number(text.slice(colon + 1))];
}

function pathOf({ url = '' }: IncomingMessage): string {
  return url.split('?', 1)[0] ?? '';
}
