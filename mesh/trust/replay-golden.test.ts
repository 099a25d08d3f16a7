/**
 * A log that repeats, folded against a digest that stands here: whatever Node version runs this file, the same events gave
 * the same state, to the bit, and the same explanations. A change of arithmetic or of what is evidence changes them, and then
 * `TRUST_FORMULA`, or the reader's number in projection.ts, must change too.
 */
import { expect, test } from 'vitest';
import { formatDidKey } from '../../runtime/codec/did-key.ts';
import { formatDigest, sha256 } from '../../runtime/codec/digest.ts';
import { generateKeyPair } from '../../runtime/codec/ed25519.ts';
import { canonicalJson } from '../../runtime/codec/json.ts';
import { utf8 } from '../../runtime/core/bytes.ts';
import { unwrap } from '../../runtime/core/result.ts';
import { seededRandom } from '../../runtime/core/simulation.ts';
import { fold, keep } from '../../runtime/log/projection.ts';
import { anAgent } from '../world.fixture.ts';
import { explainTrust, trustChanged } from './explain.ts';
import { trustDigest, trustProjection } from './projection.ts';
import { Trail } from './trail.fixture.ts';

const STATE = 'hoPuE8RZh2hZd_4-FgYcISF8Ua9vDhyaGdhZwfIHsuA';
const CHANGES = 'PmOlhdDkWbsa_XiTqxGs-gfOlIs6aKwjykAfIIGJFTc';

const DAY = 86_400_000;

/** Months of honest work, failure, violations, silence, an endorsement, another node's agent and a change of sponsor's luck. */
async function lived(): Promise<Trail> {
  const trail = await Trail.begin();
  const random = seededRandom('lived');
  const { did, identity } = anAgent('seller', random);
  const foreign = formatDidKey(generateKeyPair(random).publicKey);
  await trail.learned(identity.history[0] ?? new Uint8Array());
  await trail.endorsed('clerk', 650);
  await trail.worked('clerk', 40);
  for (let n = 0; n < 12; n++) {
    await trail.did('buyer', { verb: 'ask', target: `quote.price@${did}`, actor: foreign });
    await trail.did('clerk', { risk: n % 5, target: `web.get-${n % 4}`, effect: n % 2 === 0 ? 'pure' : 'unsafe' });
    trail.clock.advance(DAY / 3);
  }
  await trail.did('clerk', {}, { type: 'unknown', message: 'who knows' });
  await trail.denied('rogue', 'policy', { risk: 4 });
  await trail.denied('clerk', 'delegation', { risk: 2 }, 'delegation.args_denied');
  trail.clock.advance(11 * DAY);
  await trail.worked('clerk', 30);
  trail.clock.advance(75 * DAY);
  await trail.worked('clerk', 5, { risk: 3 });
  await trail.allowed('clerk', { risk: 2 });
  return trail;
}

function found(trail: Trail) {
  const changes = [...explainTrust(trail.log)].map(trustChanged);
  return {
    state: formatDigest(trustDigest(fold(trail.log, trustProjection).state)),
    changes: formatDigest(sha256(utf8(unwrap(canonicalJson(changes), 'data')))),
  };
}

test('one log gives the same digests twice, and the golden ones on every version of Node', async () => {
  const trail = await lived();
  const first = found(trail);
  expect(found(trail)).toEqual(first);
  expect(found(await lived())).toEqual(first);
  expect(first).toEqual({ state: STATE, changes: CHANGES });
});

test('the same from any snapshot as from the beginning, and back through its own bytes', async () => {
  const trail = await lived();
  const { log } = trail;
  const whole = fold(log, trustProjection);
  for (const size of [1, 17, Math.floor(log.size / 2), log.size - 1]) {
    keep(log, trustProjection, fold(log, trustProjection, size));
    expect(trustDigest(fold(log, trustProjection).state)).toEqual(trustDigest(whole.state));
  }
  expect(trustProjection.decode(trustProjection.encode(whole.state))).toEqual(whole.state);
  expect(trustProjection.decode(utf8('{}'))).toBeUndefined();
});
