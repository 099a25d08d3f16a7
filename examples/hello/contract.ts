/** What a greeter answers, and what it remembers: a value, without code. */
import { contract } from 'ringmesh/runtime';
import { z } from 'zod';

export const Greeter = contract('greeter', {
  messages: { greet: { in: z.strictObject({ name: z.string() }), out: z.strictObject({ text: z.string() }) } },
  events: { Greeted: z.strictObject({ name: z.string() }) },
});
