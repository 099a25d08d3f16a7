/** Revocation where messages are admitted: the sending node, the agent in whose name it speaks, and the certificate by which
 *  it does. */
import type { Did } from '../../runtime/codec/did.ts';
import type { Refusal } from '../../runtime/core/result.ts';
import type { Check } from '../admit.ts';
import type { Authority } from '../delegation/chain.ts';
import { speaksFor } from '../delegation/chain.ts';
import { nodeDid } from '../message.ts';

/** Refuses what comes from somebody, or by a certificate, that was revoked by himself, his sponsor, or an operator. */
export function revocationCheck(authority: Authority): Check {
  const isRevoked = (target: string, whose: Did): boolean => {
    for (const revoker of authority.revokersOf(target)) {
      if (authority.isOperator(revoker) || speaksFor(revoker, whose, authority)) return true;
    }
    return false;
  };
  return ({ claims, node, session }): Refusal | undefined => {
    const sender = session?.peerDid ?? nodeDid(node);
    for (const did of [sender, claims.from]) {
      if (isRevoked(did, did)) return { code: 'revocation.identity', message: `expected ${did} in force` };
    }
    const { certificate } = claims;
    if (certificate === undefined || !isRevoked(certificate, claims.from)) return undefined;
    return { code: 'revocation.certificate', message: `expected ${certificate} in force` };
  };
}
