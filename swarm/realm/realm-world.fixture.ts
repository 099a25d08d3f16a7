/** Three nodes as processes, a broker, and a proxy between each node and the broker that does what networks do. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempDisposableSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
// biome-ignore lint/style/noRestrictedImports: it ends processes that it has started.
import process from 'node:process';
import { FaultProxy } from '../../mesh/fault-proxy.ts';
import type { JsonValue } from '../../runtime/codec/json.ts';
import { DeadlineError, withDeadline } from '../../runtime/core/deadline.ts';
import { seededRandom } from '../../runtime/core/simulation.ts';
import { systemClock, systemRandom } from '../../runtime/core/system.ts';
import { openReader } from '../../runtime/log/log-directory.ts';
import { jsonOf } from '../../runtime/log/upcast.ts';
import { findBroker } from '../broker/find-broker.ts';
import { type Broker, spawnBroker } from '../broker/spawn-broker.ts';
import type { CrossReport } from '../cross-check/cross-check.ts';
import { crossCheckLogs } from '../cross-check/cross-check-logs.ts';
import { brokerUsers, provisionRealm, type RealmRoster } from './realm-folder.ts';

export const NAMES = ['ann', 'bob', 'cid'] as const;
export type Name = (typeof NAMES)[number];

const forever = new AbortController().signal;
/** Everything that is waited for comes sooner, on a busy machine too. */
const PATIENCE_MS = 60_000;

/** Waits until it holds, looking again and again. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  withinMs = PATIENCE_MS,
): Promise<void> {
  const end = systemClock.monotonicMs() + withinMs;
  while (!(await holds())) {
    if (systemClock.monotonicMs() > end) throw new DeadlineError(what, withinMs);
    const { promise, resolve } = Promise.withResolvers<void>();
    systemClock.after(20, resolve);
    await promise;
  }
}

/** One node: its disk stays, its process comes and goes. */
export class NodeOfTest {
  readonly name: Name;
  readonly log: string;
  readonly book: string;
  readonly proxy: FaultProxy;
  /** What its process runs under, such as strace; nothing unless set. */
  readonly #under: readonly string[];
  readonly #task: object;
  readonly #waiting = new Map<number, (outcome: JsonValue) => void>();
  #child: ChildProcess | undefined;
  #said = '';
  #orders = 0;

  constructor(name: Name, folder: string, proxy: FaultProxy, under: readonly string[] = []) {
    this.name = name;
    this.#under = under;
    this.proxy = proxy;
    this.log = join(folder, `log-${name}`);
    this.book = join(folder, `book-${name}`);
    const { log, book } = this;
    const places = { realm: join(folder, 'realm'), anchors: join(folder, 'anchors') };
    this.#task = { name, log, book, server: proxy.url, ...places };
  }

  get isUnder(): boolean {
    return this.#under.length > 0;
  }

  /** Resolves when its agent is there. */
  async start(): Promise<void> {
    const [command = '', ...execArgv] = [...this.#under, process.execPath, '--conditions=source'];
    const child = fork(new URL('./realm-process.fixture.ts', import.meta.url), [JSON.stringify(this.#task)], {
      execPath: command,
      execArgv,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.#child = child;
    this.#said = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        this.#said += chunk.toString();
      });
    }
    const ready = Promise.withResolvers<void>();
    child.on('message', (told: { readonly ready?: true; readonly id?: number; readonly outcome?: JsonValue }) => {
      if (told.ready === true) ready.resolve();
      else if (told.id !== undefined) this.#waiting.get(told.id)?.(told.outcome ?? null);
    });
    child.on('exit', (code, signal) => {
      ready.reject(new Error(`${this.name} ended with ${code ?? signal}: ${this.#said}`));
      for (const answer of this.#waiting.values()) answer({ type: 'gone', said: this.#said });
    });
    await within(ready.promise, `${this.name} to be ready`);
  }

  /** The node has its desk do something, and says what came of it; `gone` if it ends first. */
  async have(message: 'send' | 'ask', input: { readonly [name: string]: JsonValue }): Promise<JsonValue> {
    const id = ++this.#orders;
    const { promise, resolve } = Promise.withResolvers<JsonValue>();
    this.#waiting.set(id, resolve);
    this.#child?.send({ id, message, input, withinMs: PATIENCE_MS }, (error) => {
      if (error !== null) resolve({ type: 'gone', said: this.#said });
    });
    try {
      return await within(promise, `${this.name} to ${message}`);
    } finally {
      this.#waiting.delete(id);
    }
  }

  /** Asks an agent of another node to double a number. */
  async ask(other: NodeOfTest, n: number, withinMs = PATIENCE_MS): Promise<JsonValue> {
    return valueOfOutcome(await this.have('ask', { to: `post/${other.name}`, n, withinMs }));
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** Ends the process; resolves when it is gone, with how. */
  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<string> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return 'gone';
    const gone = once(child, 'exit') as Promise<[number | null, string | null]>;
    child.kill('SIGCONT');
    child.kill(signal);
    const [code, by] = await within(gone, `${this.name} to end`);
    return code === 0 ? 'in order' : `${code ?? by}: ${this.#said}`;
  }

  /** Ends the process by closing its channel: what it runs `under` hears signals in its place. */
  async hangUp(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.disconnect();
    await within(gone, `${this.name} to end`);
  }

  /** What its agent did, in order. */
  get deeds(): readonly string[] {
    const lines = existsSync(this.book) ? readFileSync(this.book, 'utf8').split('\n') : [];
    return lines.filter((line) => line !== '').map((line) => line.slice(line.indexOf(' ') + 1));
  }
}

export class RealmWorld implements AsyncDisposable {
  readonly nodes: { readonly [N in Name]: NodeOfTest };
  readonly anchors: string;
  readonly path: string;
  readonly #stack: AsyncDisposableStack;
  readonly #roster: RealmRoster;
  #broker: Broker;

  private constructor(
    nodes: readonly NodeOfTest[],
    folder: string,
    realm: { readonly roster: RealmRoster; readonly broker: Broker; readonly stack: AsyncDisposableStack },
  ) {
    this.nodes = Object.fromEntries(nodes.map((node) => [node.name, node])) as { [N in Name]: NodeOfTest };
    this.path = folder;
    this.anchors = join(folder, 'anchors');
    this.#roster = realm.roster;
    this.#broker = realm.broker;
    this.#stack = realm.stack;
  }

  /** `under`: what the process of each node runs under. */
  static async open(under: (node: Name) => readonly string[] = () => []): Promise<RealmWorld> {
    const stack = new AsyncDisposableStack();
    const { path } = stack.use(mkdtempDisposableSync(join(tmpdir(), 'ringmesh-realm-')));
    mkdirSync(join(path, 'anchors'));
    const plan = { realm: 'post', nodes: NAMES.map((name) => ({ name, agents: [`desk/${name}`, `post/${name}`] })) };
    const roster = provisionRealm(join(path, 'realm'), plan, { clock: systemClock, random: systemRandom });
    const broker = await startBroker(roster, path);
    const nodes: NodeOfTest[] = [];
    for (const name of NAMES) {
      const ports = { clock: systemClock, random: seededRandom(name) };
      nodes.push(new NodeOfTest(name, path, stack.use(await FaultProxy.listen(broker.url, ports)), under(name)));
    }
    const world = new RealmWorld(nodes, path, { roster, broker, stack });
    await Promise.all(nodes.map((node) => node.start()));
    return world;
  }

  get all(): readonly NodeOfTest[] {
    return NAMES.map((name) => this.nodes[name]);
  }

  get logs(): readonly string[] {
    return this.all.map(({ log }) => log);
  }

  /** Everybody tells everybody else so many numbers; resolves once that is on the senders' disks, or they are gone. */
  async talk(count: number, speakers = this.all): Promise<void> {
    const send = (node: NodeOfTest) => {
      const to = NAMES.filter((name) => name !== node.name).map((name) => `post/${name}`);
      return node.have('send', { to, count });
    };
    await Promise.all(speakers.map(send));
  }

  /** SIGKILL, and another broker on the same port: over the same files, or none. */
  async restartBroker(keepsData: boolean): Promise<void> {
    const port = Number(this.#broker.url.split(':')[1]);
    process.kill(this.#broker.pid, 'SIGKILL');
    await this.#broker.ended;
    await this.#broker[Symbol.asyncDispose]();
    this.#broker = await startBroker(this.#roster, this.path, { port, store: keepsData ? 'streams' : 'other-streams' });
  }

  /** Until what was sent has been done, all of it; then how the logs agree. */
  async quiet(): Promise<CrossReport> {
    let report: CrossReport | undefined;
    let missing: readonly string[] = [];
    const isQuiet = async (): Promise<boolean> => {
      missing = difference(await this.told(), this.done());
      report = await crossCheckLogs(this.logs, systemClock);
      return report.faultCount > 0 || (report.inFlight === 0 && missing.length === 0);
    };
    await until('all that was sent to be done', isQuiet).catch((error: unknown) => {
      const what = JSON.stringify({ missing: missing.slice(0, 10), report });
      throw new Error(`expected all that was sent to be done, found ${what}`, { cause: error });
    });
    if (report === undefined) throw new Error('expected a report');
    return report;
  }

  /** `to put by n`: what is on the senders' disks as sent. */
  async told(): Promise<readonly string[]> {
    const told: string[] = [];
    for (const { log: directory } of this.all) {
      await using log = await openReader(directory, systemClock);
      for (const record of log.read()) {
        if (record.type !== 'message.sent') continue;
        const { to, body } = jsonOf(record, log) as { readonly to: string; readonly body: { by: string; n: number } };
        told.push(`${to} put ${body.by} ${body.n}`);
      }
    }
    return told;
  }

  /** `to put by n`: what was done, as often as it was. */
  done(): readonly string[] {
    return this.all.flatMap(({ name, deeds }) => deeds.map((deed) => `post/${name} ${deed}`));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.all.map((node) => (node.isUnder ? node.hangUp() : node.end('SIGKILL'))));
    await this.#broker[Symbol.asyncDispose]();
    await this.#stack[Symbol.asyncDispose]();
  }
}

async function startBroker(roster: RealmRoster, path: string, { port = -1, store = 'streams' } = {}): Promise<Broker> {
  const binary = await findBroker(undefined);
  const options = {
    binary,
    realm: roster.realm,
    users: brokerUsers(roster),
    port,
    jetStreamDirectory: join(path, store),
  };
  return spawnBroker(options, systemClock, forever);
}

function within<T>(work: Promise<T>, what: string): Promise<T> {
  return withDeadline(work, { clock: systemClock, limitMs: PATIENCE_MS * 1.5, what });
}

/** What is among the first and not among the others. */
function difference(wanted: readonly string[], found: readonly string[]): readonly string[] {
  const there = new Set(found);
  return wanted.filter((one) => !there.has(one));
}

function valueOfOutcome(outcome: JsonValue): JsonValue {
  const { type, value } = outcome as { readonly type: string; readonly value?: JsonValue };
  return type === 'ok' ? (value ?? null) : outcome;
}
