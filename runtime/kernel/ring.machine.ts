/**
 * How an agent moves between rings, as a diagram that an auditor can read.
 *
 * N1. Demotion happens at once, to whatever ring the score still holds, when it is more than the margin under the line of
 *     the present ring, or when the attestation for ring 0 or the parent's ring no longer covers it.
 * N2. Promotion is by one ring, after the dwell time in the present one and enough clean actions since the last change or
 *     violation.
 * N3. A child never outranks its parent.
 *
 * N4. An endorsement opens the rings whose lines its floor reaches without waiting; ring 0 it cannot open.
 *
 * It holds no clock: every event says at what time it happened.
 */
import { assign, setup } from 'xstate';
import { defineMachine } from '../core/machine.ts';
import { outer, RING_LINES, type Ring, type RingRules, ringFor, type Score } from './ring.ts';

export type RingFacts = {
  readonly score: Score;
  readonly isAttested: boolean;
  /** The ring of the agent that spawned this one; 0 where nobody did. */
  readonly parentRing: Ring;
  readonly rules: RingRules;
};

export type RingEvent =
  | { readonly type: 'entered'; readonly at: number }
  | ({ readonly type: 'assess'; readonly at: number } & RingFacts)
  | ({ readonly type: 'endorsed'; readonly at: number } & RingFacts)
  | { readonly type: 'action.clean'; readonly at: number }
  | { readonly type: 'action.violated'; readonly at: number };

type RingContext = { readonly since: number; readonly clean: number };

const machine = setup({
  types: {
    context: {} as RingContext,
    events: {} as RingEvent,
  },
  guards: {
    holdsOnly3: ({ event }) => heldRing(event) >= 3,
    holdsAtMost2: ({ event }) => heldRing(event) >= 2,
    holdsAtMost1: ({ event }) => heldRing(event) >= 1,
    earned2: ({ context, event }) => hasEarned(context, event, 2),
    earned1: ({ context, event }) => hasEarned(context, event, 1),
    earned0: ({ context, event }) => hasEarned(context, event, 0),
    opens2: ({ event }) => openRing(event) <= 2,
    opens1: ({ event }) => openRing(event) <= 1,
  },
  actions: {
    begin: assign(({ event }) => ({ since: event.at, clean: 0 })),
    count: assign(({ context }) => ({ clean: context.clean + 1 })),
    forget: assign({ clean: 0 }),
  },
}).createMachine({
  id: 'ring',
  context: { since: 0, clean: 0 },
  initial: 'ring_3',
  on: { entered: { actions: 'begin' }, 'action.clean': { actions: 'count' }, 'action.violated': { actions: 'forget' } },
  states: {
    ring_3: {
      on: {
        endorsed: [
          { guard: 'opens1', target: 'ring_1', actions: 'begin' },
          { guard: 'opens2', target: 'ring_2', actions: 'begin' },
        ],
        assess: { guard: 'earned2', target: 'ring_2', actions: 'begin' },
      },
    },
    ring_2: {
      on: {
        endorsed: { guard: 'opens1', target: 'ring_1', actions: 'begin' },
        assess: [
          { guard: 'holdsOnly3', target: 'ring_3', actions: 'begin' },
          { guard: 'earned1', target: 'ring_1', actions: 'begin' },
        ],
      },
    },
    ring_1: {
      on: {
        assess: [
          { guard: 'holdsOnly3', target: 'ring_3', actions: 'begin' },
          { guard: 'holdsAtMost2', target: 'ring_2', actions: 'begin' },
          { guard: 'earned0', target: 'ring_0', actions: 'begin' },
        ],
      },
    },
    ring_0: {
      on: {
        assess: [
          { guard: 'holdsOnly3', target: 'ring_3', actions: 'begin' },
          { guard: 'holdsAtMost2', target: 'ring_2', actions: 'begin' },
          { guard: 'holdsAtMost1', target: 'ring_1', actions: 'begin' },
        ],
      },
    },
  },
});

export const ringMachine = defineMachine(1, machine);

/** N1, N3: the innermost ring that these facts still hold, the margin granted. */
function heldRing(event: RingEvent): Ring {
  if (event.type !== 'assess') return 0;
  return outer(ringFor(event.score + event.rules.demotionMargin, event.isAttested), event.parentRing);
}

/** N2, N3. */
function hasEarned({ since, clean }: RingContext, event: RingEvent, ring: Ring): boolean {
  if (event.type !== 'assess' || event.score < RING_LINES[ring]) return false;
  const isOpen = (ring !== 0 || event.isAttested) && event.parentRing <= ring;
  return isOpen && event.at - since >= event.rules.dwellMs && clean >= event.rules.cleanActions;
}

/** N3, N4. */
function openRing(event: RingEvent): Ring {
  return event.type === 'endorsed' ? outer(ringFor(event.score, false), event.parentRing) : 3;
}
