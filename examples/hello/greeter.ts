/** An agent that greets, and counts. Its count is a fold of its log: run it again, and it goes on. */
import { implement } from 'ringmesh/runtime';
import { Greeter } from './contract.ts';

export const greeter = implement(Greeter, {
  state: () => ({ greeted: 0 }),
  evolve: { Greeted: (state) => ({ greeted: state.greeted + 1 }) },
  on: {
    async greet({ name }, ctx) {
      ctx.emit('Greeted', { name });
      return { text: `Hello, ${name}. You are number ${ctx.state().greeted}.` };
    },
  },
});
