/**
 * The one adapter over XState: a machine as a pure function from (snapshot, event) to (snapshot, requests).
 *
 * M1. Only `initialTransition` and `transition` are called: no actor runs, no timer ticks, nothing is invoked or spawned.
 * M2. The same machine, snapshot and event give the same step, byte for byte, in any process: what XState counts per
 *     process (session ids, the actor system) never leaves this file.
 * M3. A delay is a request to arm a durable timer under a stable id; feeding the timer's event back performs the
 *     transition, and an event that its state does not know changes nothing.
 * M4. A snapshot is our own shape, version 1, and names the definition that made it. Another definition's snapshot is
 *     refused, never guessed at.
 *
 * A definition is data: its configuration holds no functions, so that its hash covers all of it. Guards and actions are
 * named, and live in `setup`; whoever changes what one of them does raises `version`.
 */
import { createHash } from 'node:crypto';
import {
  type AnyEventObject,
  type AnyStateMachine,
  type ContextFrom,
  type EventFrom,
  type InputFrom,
  initialTransition,
  type StateNode,
  transition,
} from 'xstate';
import { assert } from './assert.ts';
import { err, ok, type Refusal, type Result } from './result.ts';

/** A machine that may be used here: pure data, named and versioned. */
export type Machine<M extends AnyStateMachine = AnyStateMachine> = {
  readonly id: string;
  readonly version: number;
  /** SHA-256 over id, version and configuration, in hex. */
  readonly definition: string;
  readonly logic: M;
};

/** Where an instance of a machine stands: JSON data. */
export type MachineSnapshot<M extends AnyStateMachine = AnyStateMachine> = {
  readonly v: 1;
  readonly machine: string;
  readonly definition: string;
  readonly status: 'active' | 'done';
  readonly value: StateValue;
  readonly context: ContextFrom<M>;
  /** Per history state, the ids of the states it would return to. */
  readonly history: Readonly<Record<string, readonly string[]>>;
};

/** `"open"`, or `{ parent: "child" }` for nested and parallel states. */
export type StateValue = string | { readonly [region: string]: StateValue };

/** What a step asks its caller to do, in order. Timer ids are unique within one instance. */
export type MachineRequest =
  | { readonly type: 'do'; readonly action: string; readonly params: unknown }
  | { readonly type: 'arm'; readonly timer: string; readonly delayMs: number; readonly event: AnyEventObject }
  | { readonly type: 'disarm'; readonly timer: string };

export type MachineStep<M extends AnyStateMachine = AnyStateMachine> = {
  readonly snapshot: MachineSnapshot<M>;
  readonly requests: readonly MachineRequest[];
};

/** Admits a machine.
 *  @throws {AssertionError} `assert.failed`: a function or an `invoke` in its configuration. */
export function defineMachine<M extends AnyStateMachine>(version: number, logic: M): Machine<M> {
  assert(Number.isInteger(version) && version >= 1, 'defineMachine: a version from 1');
  const config = JSON.stringify(logic.config, (key, value: unknown) => {
    assert(typeof value !== 'function', `defineMachine: expected a named implementation at "${key}", found a function`);
    assert(key !== 'invoke', 'M1: a machine that invokes nothing');
    return value;
  });
  const hashed = createHash('sha256').update(`${logic.id}\n${version}\n${config}`).digest('hex');
  return { id: logic.id, version, definition: hashed, logic };
}

/** The first step of a new instance. */
export function startMachine<M extends AnyStateMachine>(
  machine: Machine<M>,
  ...input: undefined extends InputFrom<M> ? [input?: InputFrom<M>] : [input: InputFrom<M>]
): MachineStep<M> {
  const [snapshot, actions] = initialTransition(machine.logic, ...(input as [never]));
  return stepOf(machine, snapshot, actions);
}

/** The next step of an instance. An event that means nothing in its state gives the same snapshot and no requests.
 *  @throws {AssertionError} `assert.failed`: a snapshot of another definition (M4; see `parseMachineSnapshot`). */
export function stepMachine<M extends AnyStateMachine>(
  machine: Machine<M>,
  from: MachineSnapshot<M>,
  event: EventFrom<M> | AnyEventObject,
): MachineStep<M> {
  assert(from.definition === machine.definition, `M4: a snapshot of ${machine.id} as defined here`);
  const resolved = machine.logic.resolveState({
    value: from.value,
    context: from.context,
    status: from.status,
    historyValue: historyOf(machine, from),
  });
  const [snapshot, actions] = transition(machine.logic as AnyStateMachine, resolved, event);
  return stepOf(machine, snapshot, actions);
}

/** A snapshot read back from a log or a cache, if this very definition made it. */
export function parseMachineSnapshot<M extends AnyStateMachine>(
  machine: Machine<M>,
  data: unknown,
): Result<MachineSnapshot<M>, Refusal<'machine.other_definition'>> {
  const found = data as Partial<MachineSnapshot<M>> | null;
  if (typeof found === 'object' && found?.v === 1 && found.definition === machine.definition) {
    return ok(found as MachineSnapshot<M>);
  }
  const message = `expected a snapshot of ${machine.id}, definition ${machine.definition.slice(0, 8)}`;
  return err({ code: 'machine.other_definition', message });
}

/** The machine as a Mermaid state diagram, for people. */
export function diagramOf(machine: Machine): string {
  const lines = ['stateDiagram-v2', ...edgesOf(machine.logic.root)];
  return `${lines.join('\n')}\n`;
}

type RawSnapshot = ReturnType<typeof transition<AnyStateMachine>>[0];
type RawAction = { readonly type: string; readonly params?: unknown };

function stepOf<M extends AnyStateMachine>(
  machine: Machine<M>,
  raw: RawSnapshot,
  actions: readonly RawAction[],
): MachineStep<M> {
  assert(
    raw.status === 'active' || raw.status === 'done',
    `expected ${machine.id} active or done, found ${raw.status}`,
  );
  assert(Object.keys(raw.children).length === 0, 'M1: a machine without children');
  const history: Record<string, readonly string[]> = {};
  for (const [id, nodes] of Object.entries(raw.historyValue))
    history[id] = nodes.map((node: { id: string }) => node.id);
  const snapshot: MachineSnapshot<M> = {
    v: 1,
    machine: machine.id,
    definition: machine.definition,
    status: raw.status,
    value: raw.value as StateValue,
    context: raw.context as ContextFrom<M>,
    history,
  };
  return { snapshot, requests: actions.filter((action) => !isTaken(action)).map(requestOf) };
}

/** An event raised without a delay has been taken within the step; XState lists it all the same. */
function isTaken({ type, params }: RawAction): boolean {
  return type === 'xstate.raise' && (params as { readonly delay?: number }).delay === undefined;
}

function requestOf({ type, params }: RawAction): MachineRequest {
  if (type === 'xstate.raise') {
    const raised = params as { readonly id?: string; readonly delay?: number; readonly event: AnyEventObject };
    const timer = raised.id ?? raised.event.type;
    return { type: 'arm', timer, delayMs: raised.delay ?? 0, event: { ...raised.event } };
  }
  if (type === 'xstate.cancel') return { type: 'disarm', timer: (params as { readonly sendId: string }).sendId };
  assert(!type.startsWith('xstate.'), `M1: expected raise or cancel, found ${type}`);
  return { type: 'do', action: type, params: params ?? null };
}

function historyOf<M extends AnyStateMachine>(
  machine: Machine<M>,
  from: MachineSnapshot<M>,
): Record<string, StateNode[]> {
  const history: Record<string, StateNode[]> = {};
  for (const [id, nodes] of Object.entries(from.history)) {
    history[id] = nodes.map((node) => machine.logic.getStateNodeById(node));
  }
  return history;
}

function edgesOf(node: StateNode): readonly string[] {
  const inner = Object.values(node.states).flatMap((child: StateNode) => {
    const edges = [...child.transitions.values()].flat().flatMap((edge) =>
      (edge.target ?? []).map((target: StateNode) => {
        const guard = typeof edge.guard === 'string' ? ` [${edge.guard}]` : '';
        return `  ${labelOf(child)} --> ${labelOf(target)} : ${edge.eventType}${guard}`;
      }),
    );
    const end = child.type === 'final' ? [`  ${labelOf(child)} --> [*]`] : [];
    return [...edges, ...end, ...edgesOf(child)];
  });
  const [first] = node.initial?.target ?? [];
  return first === undefined ? inner : [`  [*] --> ${labelOf(first)}`, ...inner];
}

function labelOf(node: StateNode): string {
  return node.path.join('_');
}
