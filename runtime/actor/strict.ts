/**
 * Inside a turn, ambient time and chance throw: code that reads them cannot be entered again. Outside of turns nothing
 * changes. `install` is called once per process, by whoever hosts agents; the previous functions are kept for the rest.
 *
 * It keeps honest code repeatable; it is no wall. What it does not see: a module's own start, work that a module has put
 * aside there for later, the order in which real input arrives, files and what is in them, native addons, and functions
 * that were taken before the install.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { createRequire, syncBuiltinESMExports } from 'node:module';
import { CodedError } from '../core/errors.ts';

const turns = new AsyncLocalStorage<string>();
const outside = AsyncLocalStorage.snapshot();
let isInstalled = false;

/** What a turn has instead. */
const INSTEAD = {
  time: 'ctx.now',
  chance: 'ctx.random or ctx.id',
  waiting: 'ctx.sleep, ctx.after or ctx.every',
  machine: 'a tool',
} as const;

type Call = (...args: never[]) => unknown;
type Kind = keyof typeof INSTEAD;

/** Functions of Node's modules, by what they bring into a turn. Named imports of them are replaced too. */
const BUILTINS: readonly (readonly [module: string, kind: Kind, names: readonly string[]])[] = [
  ['crypto', 'chance', ['randomBytes', 'randomFill', 'randomFillSync', 'randomInt', 'randomUUID', 'randomUUIDv7']],
  ['crypto', 'chance', ['getRandomValues', 'pseudoRandomBytes', 'prng', 'rng']],
  ['crypto', 'chance', ['generateKey', 'generateKeySync', 'generateKeyPair', 'generateKeyPairSync']],
  ['crypto', 'chance', ['generatePrime', 'generatePrimeSync']],
  ['os', 'machine', ['uptime', 'loadavg', 'freemem', 'cpus', 'hostname', 'networkInterfaces']],
  ['process', 'time', ['hrtime', 'uptime', 'cpuUsage', 'threadCpuUsage', 'resourceUsage']],
  ['process', 'machine', ['memoryUsage', 'availableMemory', 'constrainedMemory']],
  ['timers', 'waiting', ['setTimeout', 'setInterval', 'setImmediate']],
  ['timers/promises', 'waiting', ['setTimeout', 'setInterval', 'setImmediate']],
  ['vm', 'machine', ['createContext', 'runInContext', 'runInNewContext']],
];

/** Functions of objects that everybody has, on the prototype where there is one: a borrowed one is the same. */
const GLOBALS: readonly (readonly [path: string, kind: Kind, names: readonly string[]])[] = [
  ['Math', 'chance', ['random']],
  ['Crypto.prototype', 'chance', ['randomUUID', 'getRandomValues']],
  ['SubtleCrypto.prototype', 'chance', ['generateKey']],
  ['Performance.prototype', 'time', ['now', 'mark', 'measure', 'toJSON', 'eventLoopUtilization']],
  ['AbortSignal', 'waiting', ['timeout']],
  ['Temporal.Now', 'time', ['instant', 'plainDateISO', 'plainDateTimeISO', 'plainTimeISO', 'zonedDateTimeISO']],
  ['Temporal.Now', 'machine', ['timeZoneId']],
  ['', 'waiting', ['setTimeout', 'setInterval', 'setImmediate']],
];

/** Runs `work` as part of a turn. */
export function inTurn<T>(turn: string, work: () => T): T {
  return turns.run(turn, work);
}

/** Runs `work` as if no turn were under way: what the house does on behalf of a turn. */
export function outOfTurn<T>(work: () => T): T {
  return turns.getStore() === undefined ? work() : outside(work);
}

/** Makes ambient time and chance throw inside turns, in this whole process. */
export function installStrictMode(): void {
  if (isInstalled) return;
  isInstalled = true;
  const require = createRequire(import.meta.url);
  guard(globalAt('process.hrtime'), 'bigint', 'process.hrtime.bigint', 'time');
  for (const [module, kind, names] of BUILTINS) {
    const owner = require(`node:${module}`) as object;
    for (const name of names) guard(owner, name, `${module.replace('/', '.')}.${name}`, kind);
  }
  for (const [path, kind, names] of GLOBALS) {
    const owner = globalAt(path);
    for (const name of names)
      guard(owner, name, [path.replace('.prototype', ''), name].filter(Boolean).join('.'), kind);
  }
  guardGetter(globalAt('Performance.prototype'), 'timeOrigin', 'performance.timeOrigin');
  guardGetter(globalAt('Event.prototype'), 'timeStamp', 'Event.timeStamp');
  guardDate();
  guardFormats();
  syncBuiltinESMExports();
}

function guardDate(): void {
  const RealDate = globalThis.Date;
  guard(RealDate, 'now', 'Date.now', 'time');
  const guarded = new Proxy(RealDate, {
    construct(target, args: unknown[], newTarget) {
      if (args.length === 0) refuse('new Date()', 'time');
      return Reflect.construct(target, args, newTarget) as object;
    },
    apply(target, self, args: unknown[]) {
      refuse('Date()', 'time');
      return Reflect.apply(target, self, args) as unknown;
    },
  });
  globalThis.Date = guarded;
  RealDate.prototype.constructor = guarded; // or any date would hand out the real one
}

/** A format without a date formats the present. */
function guardFormats(): void {
  const prototype = globalThis.Intl.DateTimeFormat.prototype;
  const needsDate = (format: Call, name: string) =>
    function guarded(this: unknown, ...args: unknown[]): unknown {
      if (args[0] === undefined) refuse(name, 'time');
      return Reflect.apply(format, this, args);
    };
  const getter = Object.getOwnPropertyDescriptor(prototype, 'format')?.get;
  if (getter !== undefined) {
    const get = function format(this: Intl.DateTimeFormat): unknown {
      return needsDate(Reflect.apply(getter, this, []) as Call, 'Intl.DateTimeFormat.format()');
    };
    Object.defineProperty(prototype, 'format', { get, configurable: true });
  }
  const value = needsDate(prototype.formatToParts, 'Intl.DateTimeFormat.formatToParts()');
  Object.defineProperty(prototype, 'formatToParts', { value, configurable: true, writable: true });
}

function globalAt(path: string): object | undefined {
  const keys = path === '' ? [] : path.split('.');
  return keys.reduce<object | undefined>((owner, key) => owner && (Reflect.get(owner, key) as object), globalThis);
}

function guard(owner: object | undefined, key: string, name: string, kind: Kind): void {
  const descriptor = describe(owner, key);
  const real: unknown =
    descriptor?.configurable === true && descriptor.get ? Reflect.get(owner ?? {}, key) : descriptor?.value;
  if (typeof real !== 'function') return; // this Node has none
  const value = function guarded(this: unknown, ...args: unknown[]): unknown {
    refuse(name, kind);
    return Reflect.apply(real, this, args);
  };
  // What hangs on it stays: the promise form of a timer, the nanoseconds of hrtime.
  Object.defineProperties(value, Object.getOwnPropertyDescriptors(real));
  Object.defineProperty(owner, key, {
    value,
    configurable: true,
    writable: true,
    enumerable: descriptor?.enumerable ?? false,
  });
}

function guardGetter(owner: object | undefined, key: string, name: string): void {
  const descriptor = describe(owner, key);
  const real = descriptor?.get;
  if (real === undefined) return;
  const get = function guarded(this: unknown): unknown {
    refuse(name, 'time');
    return Reflect.apply(real, this, []);
  };
  Object.defineProperty(owner, key, { ...descriptor, get });
}

/** An own property; `owner` may be missing on this Node. */
function describe(owner: object | undefined, key: string): PropertyDescriptor | undefined {
  return owner === undefined ? undefined : Object.getOwnPropertyDescriptor(owner, key);
}

function refuse(name: string, kind: Kind): void {
  if (turns.getStore() === undefined) return;
  const found = `expected a turn to use ${INSTEAD[kind]}, found ${name}: a re-entry would differ`;
  throw new CodedError('turn.ambient', found);
}
