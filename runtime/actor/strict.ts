/**
 * Inside a turn, ambient time and chance throw: code that reads them cannot be entered again. Outside of turns nothing
 * changes. `install` is called once per process, by whoever hosts agents; the previous functions are kept for the rest.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { CodedError } from '../core/errors.ts';

const turns = new AsyncLocalStorage<string>();
const outside = AsyncLocalStorage.snapshot();
let isInstalled = false;

/** Runs `work` as part of a turn. */
export function inTurn<T>(turn: string, work: () => T): T {
  return turns.run(turn, work);
}

/** Runs `work` as if no turn were under way: what the house does on behalf of a turn. */
export function outOfTurn<T>(work: () => T): T {
  return outside(work);
}

/** Makes ambient time and chance throw inside turns, in this whole process. */
export function installStrictMode(): void {
  if (isInstalled) return;
  isInstalled = true;
  const RealDate = globalThis.Date;
  const guardedDate = new Proxy(RealDate, {
    construct(target, args: unknown[], newTarget) {
      if (args.length === 0) refuse('new Date()');
      return Reflect.construct(target, args, newTarget) as object;
    },
    apply(target, self, args: unknown[]) {
      refuse('Date()');
      return Reflect.apply(target, self, args) as unknown;
    },
  });
  globalThis.Date = guardedDate;
  guard(RealDate, 'now', 'Date.now');
  guard(Math, 'random', ['Math', 'random'].join('.'));
  guard(globalThis.crypto, 'randomUUID', 'crypto.randomUUID');
  guard(globalThis.crypto, 'getRandomValues', 'crypto.getRandomValues');
  guard(globalThis.performance, 'now', 'performance.now');
  const { Temporal } = globalThis as { Temporal?: { Now: object } };
  if (Temporal === undefined) return;
  for (const name of ['instant', 'plainDateISO', 'plainDateTimeISO', 'plainTimeISO', 'zonedDateTimeISO']) {
    guard(Temporal.Now, name, `Temporal.Now.${name}`);
  }
}

function guard(owner: object, key: string, name: string): void {
  const real: unknown = Reflect.get(owner, key);
  if (typeof real !== 'function') return;
  const value = function guarded(this: unknown, ...args: unknown[]): unknown {
    refuse(name);
    return Reflect.apply(real, this, args);
  };
  Object.defineProperty(owner, key, { value, configurable: true, writable: true });
}

function refuse(name: string): void {
  if (turns.getStore() === undefined) return;
  const instead = /random/i.test(name) ? 'ctx.random or ctx.id' : 'ctx.now';
  throw new CodedError('turn.ambient', `expected a turn to use ${instead}, found ${name}: a re-entry would differ`);
}
