/**
 * Spans, handed to whoever exports them, by the OpenTelemetry API (opentelemetry.io/docs/specs/otel/trace/api).
 *
 * The API lets nobody choose the ids of a span; the SDK asks an `IdGenerator` for them. Here is one that gives those of the
 * span which is being handed over: starting a span is synchronous, so there is only ever one.
 */
import type { Span } from './spans.ts';

type SpanContext = {
  readonly traceId: string;
  readonly spanId: string;
  readonly traceFlags: number;
  readonly isRemote?: boolean;
};
type Time = number;
type Context = unknown;

/** As much of `@opentelemetry/api` as is used. */
export type TraceApi = {
  readonly ROOT_CONTEXT: Context;
  readonly trace: {
    getTracer(name: string, version?: string): Tracer;
    setSpanContext(context: Context, place: SpanContext): Context;
  };
};

type Tracer = {
  startSpan(
    name: string,
    options: {
      readonly kind: number;
      readonly startTime: Time;
      readonly attributes: Span['attributes'];
      readonly links: readonly { readonly context: SpanContext }[];
    },
    context: Context,
  ): {
    setStatus(status: { readonly code: number; readonly message?: string }): unknown;
    end(time: Time): void;
  };
};

/** The SDK's `IdGenerator`. */
export type Ids = { readonly generateTraceId: () => string; readonly generateSpanId: () => string };

/** `SpanKind`, `SpanStatusCode` and `TraceFlags` of the API, whose numbers are part of it. */
const KIND = { internal: 0, client: 2, producer: 3, consumer: 4 } as const;
const ERROR = 2;
const SAMPLED = 1;

export class Emitter {
  #current: Pick<Span, 'traceId' | 'spanId'> = { traceId: '0'.repeat(32), spanId: '0'.repeat(16) };
  #tracer: Tracer | undefined;
  #api: TraceApi | undefined;

  readonly ids: Ids = {
    generateTraceId: () => this.#current.traceId,
    generateSpanId: () => this.#current.spanId,
  };

  /** Once the SDK has been started with `ids`. */
  attach(api: TraceApi, version: string): void {
    this.#api = api;
    this.#tracer = api.trace.getTracer('ringmesh', version);
  }

  emit(span: Span): void {
    const [api, tracer] = [this.#api, this.#tracer];
    if (api === undefined || tracer === undefined) return;
    this.#current = span;
    const { traceId, parentId, name, kind, startMs, endMs, error, attributes } = span;
    const links = span.links.map((place) => ({ context: { ...place, traceFlags: SAMPLED, isRemote: true } }));
    const parent = { traceId, spanId: parentId ?? '', traceFlags: SAMPLED, isRemote: true };
    const context = parentId === undefined ? api.ROOT_CONTEXT : api.trace.setSpanContext(api.ROOT_CONTEXT, parent);
    const started = tracer.startSpan(name, { kind: KIND[kind], startTime: startMs, attributes, links }, context);
    if (error !== undefined) started.setStatus({ code: ERROR, message: error });
    started.end(endMs);
  }
}
