/** Every way to time, chance and waiting that strict mode closes, by the names under which authors import them. */
// biome-ignore-all lint/style/noRestrictedImports: strict mode is to catch them.
// biome-ignore-all lint/style/noRestrictedGlobals: strict mode is to catch them.
import * as crypto from 'node:crypto';
import all, { getRandomValues, randomBytes, randomFillSync, randomInt, randomUUID, webcrypto } from 'node:crypto';
import { uptime } from 'node:os';
import { performance as hooks } from 'node:perf_hooks';
import process, { hrtime } from 'node:process';
import { setTimeout as later } from 'node:timers';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { runInNewContext } from 'node:vm';
import { z } from 'zod';
import { contract } from './contract.ts';
import { implement } from './implement.ts';

const bytes = (): Uint8Array<ArrayBuffer> => new Uint8Array(4);
const nothing = (): void => undefined;

/** By what an author would write. */
export const ambient: Readonly<Record<string, () => unknown>> = {
  'import { randomUUID }': () => randomUUID(),
  'import { randomBytes }': () => randomBytes(4),
  'import { randomInt }': () => randomInt(4),
  'import { randomFillSync }': () => randomFillSync(bytes()),
  'import { getRandomValues }': () => getRandomValues(bytes()),
  'import * as crypto': () => crypto.randomUUID(),
  'import crypto': () => all.randomBytes(4),
  'webcrypto.getRandomValues': () => webcrypto.getRandomValues(bytes()),
  'crypto.randomUUID': () => globalThis.crypto.randomUUID(),
  'crypto.getRandomValues': () => globalThis.crypto.getRandomValues(bytes()),
  'Crypto.prototype.randomUUID': () => Crypto.prototype.randomUUID.call(globalThis.crypto),
  'crypto.generateKeyPairSync': () => crypto.generateKeyPairSync('ed25519'),
  'performance.now': () => performance.now(),
  'import { performance }': () => hooks.now(),
  'Performance.prototype.now': () => Performance.prototype.now.call(performance),
  'performance.timeOrigin': () => performance.timeOrigin,
  'performance.mark': () => performance.mark('now'),
  'new Event().timeStamp': () => new Event('now').timeStamp,
  'process.hrtime': () => process.hrtime(),
  'process.hrtime.bigint': () => process.hrtime.bigint(),
  'import { hrtime }': () => hrtime.bigint(),
  'process.uptime': () => process.uptime(),
  'process.memoryUsage': () => process.memoryUsage(),
  'import { uptime }': () => uptime(),
  'Intl.DateTimeFormat().format()': () => new Intl.DateTimeFormat().format(),
  'Intl.DateTimeFormat().formatToParts()': () => new Intl.DateTimeFormat().formatToParts(),
  'a subclass of Date': () => new (class extends Date {})(),
  'the constructor of a date': () => Reflect.construct(new Date(0).constructor as DateConstructor, []),
  'import { runInNewContext }': () => runInNewContext('Date.now()'),
  setTimeout: () => setTimeout(nothing, 0),
  setInterval: () => clearInterval(setInterval(nothing, 1)) ?? true,
  setImmediate: () => setImmediate(nothing),
  'import { setTimeout }': () => later(nothing, 0),
  'timers/promises': () => sleep(0),
  'promisify(setTimeout)': () => promisify(setTimeout)(0),
  'a signal that time aborts': () => Reflect.apply(Reflect.get(AbortSignal, 'timeout'), AbortSignal, [1]),
};

export const Ambient = contract('ambient', {
  messages: {
    read: { in: z.object({ how: z.string() }), out: z.object({}) },
    zone: { in: z.object({}), out: z.object({ zone: z.string(), text: z.string() }) },
  },
  events: {},
});

export const ambientReader = implement(Ambient, {
  state: () => ({}),
  evolve: {},
  on: {
    async read({ how }) {
      await ambient[how]?.();
      return {};
    },
    zone: () => ({
      zone: new Intl.DateTimeFormat().resolvedOptions().timeZone,
      text: new Date(0).toLocaleString(),
    }),
  },
});
