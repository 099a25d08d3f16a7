/** A registry on this machine that keeps count of what it is asked, and fails as it is told to. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';

/** How one request is answered. `cut` ends the connection before, `hang` never answers. */
export type Reply =
  | { readonly status?: number; readonly headers?: Record<string, string>; readonly body?: string | Uint8Array }
  | 'cut'
  | 'hang';

export class RegistryDouble implements AsyncDisposable {
  readonly #server: Server;
  /** By decoded name: what is answered, in turn; the last answer stays. */
  readonly #replies = new Map<string, Reply[]>();
  readonly asked: string[] = [];
  /** Paths as they came, for who looks at the encoding. */
  readonly paths: string[] = [];

  private constructor() {
    this.#server = createServer((request, response) => this.#answer(request, response));
  }

  static async start(): Promise<RegistryDouble> {
    const double = new RegistryDouble();
    const { promise, resolve } = Promise.withResolvers<void>();
    double.#server.listen(0, '127.0.0.1', resolve);
    await promise;
    return double;
  }

  get url(): URL {
    return new URL(`http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`);
  }

  /** A document for a name. */
  publish(name: string, document: object): void {
    this.#replies.set(name, [{ body: JSON.stringify({ name, ...document }) }]);
  }

  reply(name: string, ...replies: readonly Reply[]): void {
    this.#replies.set(name, [...replies]);
  }

  count(name: string): number {
    return this.asked.filter((asked) => asked === name).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    this.#server.closeAllConnections();
    await promise;
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const name = decodeURIComponent((request.url ?? '/').slice(1));
    this.asked.push(name);
    this.paths.push(request.url ?? '');
    const queue = this.#replies.get(name) ?? [{ status: 404, body: '{}' }];
    const reply = (queue.length > 1 ? queue.shift() : queue[0]) ?? {};
    if (reply === 'hang') return;
    if (reply === 'cut') {
      request.socket.destroy();
      return;
    }
    const { status = 200, headers = {}, body = '' } = reply;
    const isPacked = headers['content-encoding'] === 'gzip';
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(isPacked ? gzipSync(body) : body);
  }
}
