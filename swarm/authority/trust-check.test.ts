import { describe, expect, test } from 'vitest';
import type { Admitted } from '../../mesh/admit.ts';
import type { Kind } from '../../mesh/head.ts';
import { NO_TRUST } from '../../mesh/trust/projection.ts';
import { subjectOf, witness } from '../../mesh/trust/standing.ts';
import type { Required } from '../../mesh/trust/trust.ts';
import { verify } from '../../mesh/trust/trust.ts';
import { contract } from '../../runtime/actor/contract.ts';
import { parseDid } from '../../runtime/codec/did.ts';
import type { Millis } from '../../runtime/core/brand.ts';
import { unwrap } from '../../runtime/core/result.ts';
import { trustCheck } from './trust-check.ts';

const at = 1_000_000 as Millis;
const [desk, sender] = ['did:example:desk', 'did:example:sender'].map((text) => unwrap(parseDid(text), 'a DID'));
const Picky = contract('picky', { messages: {}, needs: { trust: 300 } });
const Plain = contract('plain', { messages: {} });

/** A sender with a floor, as this node's fold has it. */
function trustOf(floor: number) {
  const subject = subjectOf('sender', 'did:example:sponsor');
  const evidence = { type: 'endorsed', subject, floor, expiresAt: at + 1, at: at - 1 } as const;
  const state = { ...NO_TRUST, ledger: witness(NO_TRUST.ledger, evidence) };
  return { verifyPeer: (_: unknown, required: Required) => verify({ state, asOf: 1, subject, open: [] }, required) };
}

function asked(floor: number, over: { kind?: Kind; needs?: typeof Picky | typeof Plain; ceiling?: number } = {}) {
  const { kind = 'ask', needs = Picky, ceiling = 1000 } = over;
  const chain = [{ claims: { tcl: ceiling } }] as never;
  const check = trustCheck(trustOf(floor), { chain: () => chain }, (agent) => (agent === desk ? needs : undefined));
  const claims = { from: sender, to: desk, delegation: ['a'] };
  return check({ head: { kind }, claims } as unknown as Admitted, at)?.code;
}

describe('what a contract needs of whoever speaks to it', () => {
  test.each([
    ['enough', 300, {}, undefined],
    ['too little', 299, {}, 'trust.too_low'],
    ['enough, under a chain that lets less count', 900, { ceiling: 299 }, 'trust.too_low'],
    ['too little, for a contract that needs nothing', 0, { needs: Plain }, undefined],
    ['too little, and it answers a question', 0, { kind: 'reply' }, undefined],
  ] as const)('%s: %i', (_, floor, over, code) => {
    expect(asked(floor, over)).toBe(code);
  });
});
