import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { Admitted } from '../../mesh/admit.ts';
import type { Kind } from '../../mesh/head.ts';
import { NO_TRUST } from '../../mesh/trust/projection.ts';
import { subjectOf, unsponsored, witness } from '../../mesh/trust/standing.ts';
import type { Required } from '../../mesh/trust/trust.ts';
import { verify } from '../../mesh/trust/trust.ts';
import { type Contract, contract } from '../../runtime/actor/contract.ts';
import { parseDid } from '../../runtime/codec/did.ts';
import type { Millis } from '../../runtime/core/brand.ts';
import { unwrap } from '../../runtime/core/result.ts';
import { riskOfAsked, trustCheck, trustForAsked } from './trust-check.ts';

const at = 1_000_000 as Millis;
const [desk, sender] = [unwrap(parseDid('did:example:desk'), 'a DID'), unwrap(parseDid('did:example:sender'), 'a DID')];
const Picky = contract('picky', { messages: { talk: { in: z.object({}) } }, needs: { trust: 300 } });
const Plain = contract('plain', { messages: { talk: { in: z.object({}) } } });
const Risky = contract('risky', {
  messages: {
    talk: { in: z.object({}) },
    note: { in: z.object({}), risk: 1 },
    book: { in: z.object({}), risk: 2 },
    pay: { in: z.object({}), risk: 3 },
  },
  needs: { trust: 400 },
});

/** A sender with a floor, as this node's fold has it; without one, a newcomer. */
function trustOf(floor: number | undefined, subject = subjectOf('sender', 'did:example:sponsor')) {
  const evidence = { type: 'endorsed', subject, floor: floor ?? 0, expiresAt: at + 1, at: at - 1 } as const;
  const state = floor === undefined ? NO_TRUST : { ...NO_TRUST, ledger: witness(NO_TRUST.ledger, evidence) };
  return { verifyPeer: (_: unknown, required: Required) => verify({ state, asOf: 1, subject, open: [] }, required) };
}

type Over = {
  readonly kind?: Kind;
  readonly needs?: Contract;
  readonly ceiling?: number;
  readonly command?: string;
  readonly sponsor?: 'none';
};

function asked(floor: number | undefined, over: Over = {}) {
  const { kind = 'ask', needs = Picky, ceiling = 1000, command = `/${needs.name}/talk`, sponsor: whose } = over;
  const chain = [{ claims: { tcl: ceiling } }] as never;
  const trust = trustOf(floor, whose === 'none' ? unsponsored(sender) : undefined);
  const check = trustCheck(trust, { chain: () => chain }, (agent) => (agent === desk ? needs : undefined));
  const claims = { from: sender, to: desk, delegation: ['a'], command };
  return check({ head: { kind }, claims } as unknown as Admitted, at)?.code;
}

describe('what a contract needs of whoever speaks to it', () => {
  test.each([
    ['enough', 300, {}, undefined],
    ['too little', 299, {}, 'trust.too_low'],
    ['enough, under a chain that lets less count', 900, { ceiling: 299 }, 'trust.too_low'],
    ['too little, for a contract that needs nothing', 0, { needs: Plain }, undefined],
    ['nothing known, for a contract that needs nothing', undefined, { needs: Plain }, undefined],
    ['too little, and it answers a question', 0, { kind: 'reply' }, undefined],
    ['nothing known', undefined, {}, 'trust.too_low'],
    ['a floor that nobody answers for', 900, { sponsor: 'none' }, 'trust.unsponsored'],
  ] as const)('%s: %i', (_, floor, over, code) => {
    expect(asked(floor, over)).toBe(code);
  });
});

describe('what a message needs by its risk class', () => {
  test.each([
    ['harmless, of a contract that wants more', 399, '/risky/talk', 'trust.too_low'],
    ['harmless', 400, '/risky/talk', undefined],
    ['of class 1, of a contract that wants more', 399, '/risky/note', 'trust.too_low'],
    ['of class 1', 400, '/risky/note', undefined],
    ['of class 2', 499, '/risky/book', 'trust.too_low'],
    ['of class 2, and enough', 500, '/risky/book', undefined],
    ['of class 3', 699, '/risky/pay', 'trust.too_low'],
    ['of class 3, and enough', 700, '/risky/pay', undefined],
    ['that the contract does not have', 849, '/risky/hack', 'trust.too_low'],
    ['named like what every object has', 849, '/risky/to-string', 'trust.too_low'],
    ['of another contract', 849, '/plain/talk', 'trust.too_low'],
    ['that is no command', 849, '/risky', 'trust.too_low'],
  ] as const)('%s: %i for %s', (_, floor, command, code) => {
    expect(asked(floor, { needs: Risky, command })).toBe(code);
  });

  test('an agent that answers nothing known is the worst to speak to', () => {
    const asked = { to: sender, command: '/plain/talk' };
    expect(trustForAsked(asked, () => undefined)).toBe(850);
    expect(riskOfAsked(asked, () => undefined)).toBe(4);
  });

  test('what nodes say among themselves needs nothing', () => {
    expect(riskOfAsked({ to: desk, command: '/mesh/present' }, () => Risky)).toBeUndefined();
  });

  test('a ceiling of the chain bounds it', () => {
    expect(asked(900, { needs: Risky, command: '/risky/pay', ceiling: 699 })).toBe('trust.too_low');
  });
});
