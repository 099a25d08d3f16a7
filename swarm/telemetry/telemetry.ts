/** Spans for OpenTelemetry, if they are asked for: its SDK is no dependency, and is loaded from where the swarm's own modules are. */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Clock } from '../../runtime/core/clock.ts';
import { CodedError, hasCode } from '../../runtime/core/errors.ts';
import type { EventLog } from '../../runtime/log/event-log.ts';
import { openReader } from '../../runtime/log/log-directory.ts';
import { version } from '../version.ts';
import { Emitter, type Ids, type TraceApi } from './emitter.ts';
import { SpanFollower } from './follower.ts';

/** As much of `@opentelemetry/sdk-node` as is used. */
type SdkModule = {
  readonly NodeSDK: new (options: {
    readonly serviceName: string;
    readonly idGenerator: Ids;
    readonly instrumentations: readonly never[];
  }) => Sdk;
};
type Sdk = { start(): void; shutdown(): Promise<void> };

type Env = { readonly [name: string]: string | undefined };

export class Telemetry implements AsyncDisposable {
  readonly #sdk: Sdk;
  readonly #emitter: Emitter;
  #followed: { readonly follower: SpanFollower; readonly directory: string; readonly clock: Clock } | undefined;

  private constructor(sdk: Sdk, emitter: Emitter) {
    this.#sdk = sdk;
    this.#emitter = emitter;
  }

  /** Starts the SDK, which reads its own variables (`OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_TRACES_EXPORTER`, …).
   *  @throws {CodedError} `telemetry.sdk_missing` */
  static async load(folder: string, serviceName: string): Promise<Telemetry> {
    const { NodeSDK } = await packageFrom<SdkModule>(folder, '@opentelemetry/sdk-node');
    const api = await packageFrom<TraceApi>(folder, '@opentelemetry/api');
    const emitter = new Emitter();
    const sdk = new NodeSDK({ serviceName, idGenerator: emitter.ids, instrumentations: [] });
    sdk.start();
    emitter.attach(api, version());
    return new Telemetry(sdk, emitter);
  }

  /** Spans that end with event `from` of a log or later. */
  follow(log: EventLog, of: { readonly directory: string; readonly from: number; readonly clock: Clock }): void {
    const { directory, from, clock } = of;
    const follower = new SpanFollower(log, { from, clock, emitter: this.#emitter });
    this.#followed = { follower, directory, clock };
  }

  /** What is left is exported. The log may have been closed before. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#followed !== undefined) {
      const { follower, directory, clock } = this.#followed;
      follower[Symbol.dispose]();
      await using reader = await openReader(directory, clock);
      follower.catchUp(reader);
    }
    await this.#sdk.shutdown().catch(() => undefined); // a collector that is away keeps no swarm from its end
  }
}

/** Whether the environment asks for spans, in the SDK's own words. */
export function isTelemetryAsked(env: Env): boolean {
  if (env['OTEL_SDK_DISABLED'] === 'true' || env['OTEL_TRACES_EXPORTER'] === 'none') return false;
  const names = ['OTEL_TRACES_EXPORTER', 'OTEL_EXPORTER_OTLP_ENDPOINT', 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'];
  return names.some((name) => (env[name] ?? '') !== '');
}

/** From a user's project, or else from beside this package. */
async function packageFrom<T>(folder: string, name: string): Promise<T> {
  const path = pathOf(pathToFileURL(join(folder, 'swarm.yaml')).href, name) ?? pathOf(import.meta.url, name);
  if (path === undefined) {
    throw new CodedError('telemetry.sdk_missing', `expected the package ${name} beside ${folder}, found none`);
  }
  const found = (await import(pathToFileURL(path).href)) as { readonly default?: T };
  return found.default ?? (found as T);
}

function pathOf(from: string, name: string): string | undefined {
  try {
    return createRequire(from).resolve(name);
  } catch (error) {
    if (hasCode(error, 'MODULE_NOT_FOUND')) return undefined;
    throw error;
  }
}
