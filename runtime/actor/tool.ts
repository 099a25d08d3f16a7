/**
 * A tool, in two halves. `tool` declares it: what agents see, what policy decides about, what a contract names. `provide`
 * adds the code, on the node's side only: agents' processes never load it.
 */

import type { Did } from '../codec/did.ts';
import type { JsonValue } from '../codec/json.ts';
import { assert } from '../core/assert.ts';
import { CodedError } from '../core/errors.ts';
import type { EffectClass, Risk } from '../kernel/action.ts';
import type { Attempt, Executor } from '../kernel/kernel.ts';
import type { Outcome } from '../kernel/outcome.ts';
import { type Duration, toMillis } from './duration.ts';
import { describe, type In, type Out, parseWith, type Schema } from './schema.ts';

export type ToolSpec<I extends Schema = Schema, O extends Schema = Schema, E extends EffectClass = EffectClass> = {
  readonly in: I;
  readonly out: O;
  /** What may be done when nobody knows whether it happened. */
  readonly effect: E;
  /** Default 1. */
  readonly risk?: Risk;
  /** What a delegation must grant: `catalog:read`. */
  readonly scope?: string;
  /** How long one attempt may take; default 30 s. */
  readonly within?: Duration;
};

export type Tool<I extends Schema = Schema, O extends Schema = Schema, E extends EffectClass = EffectClass> = {
  readonly name: string;
  readonly in: I;
  readonly out: O;
  readonly effect: E;
  readonly risk: Risk;
  readonly scope: string | undefined;
  readonly withinMs: number;
};

/** Declares a tool. Names are dotted, lower-case words: `catalog.lookup`. */
export function tool<I extends Schema, O extends Schema, E extends EffectClass>(
  name: string,
  spec: ToolSpec<I, O, E>,
): Tool<I, O, E> {
  assert(
    /^(?=.{1,100}$)[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$/.test(name),
    `a tool's name such as catalog.lookup: ${name}`,
  );
  const { effect, risk = 1, scope, within = '30s' } = spec;
  return { name, in: spec.in, out: spec.out, effect, risk, scope, withinMs: toMillis(within) };
}

/** What a tool's code is told beside its input. */
export type ToolCall = {
  /** The same for every attempt at one act: send it along wherever the other side can recognise it. */
  readonly key: string;
  readonly agent: string;
  readonly actor: Did;
  /** Aborts when nobody waits any more. */
  readonly signal: AbortSignal;
};

type Run<I, O> = (input: I, call: ToolCall) => O | Promise<O>;

/** The code of a tool. A `reconcile` tool must be able to say what the world knows of a key. */
export type ToolCode<I, O, E extends EffectClass> = E extends 'reconcile'
  ? { readonly run: Run<I, O>; readonly probe: Run<I, { readonly happened: O } | 'absent'> }
  : Run<I, O> | { readonly run: Run<I, O> };

export type ProvidedTool = { readonly tool: Tool; readonly executor: Executor };

/** Thrown by a tool's code: it certainly did not happen. Anything else that an unsafe tool throws leaves a doubt. */
export class ToolError extends CodedError {
  override readonly name = 'ToolError';
}

/** A tool with its code. What goes in and what comes out is checked against the schemas. */
export function provide<I extends Schema, O extends Schema, E extends EffectClass>(
  tool: Tool<I, O, E>,
  code: ToolCode<Out<I>, In<O>, E>,
): ProvidedTool {
  const { run, probe } = (typeof code === 'function' ? { run: code } : code) as {
    readonly run: Run<unknown, unknown>;
    readonly probe?: Run<unknown, { readonly happened: unknown } | 'absent'>;
  };
  const executor: Executor = {
    async run(input, attempt) {
      const parsed = parseWith(tool.in, input);
      if (!parsed.ok) return { type: 'invalid', code: parsed.error.code, message: `in: ${parsed.error.message}` };
      try {
        return checked(tool, await run(parsed.value, callOf(attempt)));
      } catch (error) {
        if (error instanceof ToolError) return { type: 'failed', code: error.code, message: error.message };
        throw error;
      }
    },
  };
  if (probe !== undefined) {
    executor.probe = async (input, attempt) => {
      const parsed = parseWith(tool.in, input);
      if (!parsed.ok) return 'absent'; // it cannot have run
      const found = await probe(parsed.value, callOf(attempt));
      return found === 'absent' ? found : checked(tool, found.happened);
    };
  }
  return { tool, executor };
}

/** A tool as a contract names it. */
export function describeTool(tool: Tool): JsonValue {
  const { name, effect, risk, scope = null } = tool;
  const [input, output] = [describe(tool.in, `${name} in`), describe(tool.out, `${name} out`)];
  return { name, effect, risk, scope, in: input, out: output };
}

function checked(tool: Tool, value: unknown): Outcome {
  const parsed = parseWith(tool.out, value);
  if (parsed.ok) return { type: 'ok', value: parsed.value as JsonValue };
  return { type: 'invalid', code: parsed.error.code, message: `out: ${parsed.error.message}` };
}

function callOf({ key, action, signal }: Attempt): ToolCall {
  return { key, agent: action.agent, actor: action.actor, signal };
}
