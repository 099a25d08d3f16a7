/** A double of the OpenTelemetry API: what a real SDK would export, kept. Ids come from the generator, as in the SDK. */
import type { Ids, TraceApi } from './emitter.ts';

export type Exported = {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentId: string | undefined;
  readonly name: string;
  readonly links: readonly string[];
  readonly attributes: { readonly [name: string]: unknown };
  readonly error?: string;
};

export function memoryTracer(ids: Ids): { readonly api: TraceApi; readonly exported: readonly Exported[] } {
  type Place = { readonly traceId: string; readonly spanId: string };
  const exported: Exported[] = [];
  const tracer: ReturnType<TraceApi['trace']['getTracer']> = {
    startSpan(name, { attributes, links }, context) {
      const parent = context as Place | undefined;
      let span: Exported = {
        traceId: parent?.traceId ?? ids.generateTraceId(),
        spanId: ids.generateSpanId(),
        parentId: parent?.spanId,
        name,
        links: links.map((link) => link.context.spanId),
        attributes,
      };
      return {
        setStatus: ({ message = '' }) => {
          span = { ...span, error: message };
        },
        end: () => void exported.push(span),
      };
    },
  };
  const api: TraceApi = {
    ROOT_CONTEXT: undefined,
    trace: { getTracer: () => tracer, setSpanContext: (_, place) => place },
  };
  return { api, exported };
}
