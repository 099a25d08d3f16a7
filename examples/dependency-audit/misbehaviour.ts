/** What happens with `--with-rogue`: the operator gives the rogue little, and takes a part of that back in the middle of it. */
import { type NodeAuthority, Operator, type Swarm } from 'ringmesh';
import { type Clock, CodedError, type Millis, type Random } from 'ringmesh/runtime';
import { ROGUE, Rogue } from './contracts.ts';

type Ports = { readonly clock: Clock; readonly random: Random };

/** Names that no registry has, so that nothing it does leaves the machine. */
const OWN = { first: '.', second: '..' } as const;
const DAY_MS = 24 * 60 * 60_000;

/** Whatever it is told: the log says it. `keys`: the realm's folder, with the operator's. */
export async function misbehave({ agents, authority }: Swarm, keys: string, ports: Ports): Promise<void> {
  if (authority === undefined) throw new Error('expected delegations in the swarm file');
  const given = await empower(authority, Operator.ofRealm(keys, ports), ports);
  const rogue = await agents.spawn(Rogue, ROGUE);
  await agents.ask(rogue).misbehave({ stage: 'given' });
  given.revoke();
  await agents.ask(rogue).misbehave({ stage: 'revoked' });
}

/** What is returned takes the first of what it gets back. */
async function empower(
  authority: NodeAuthority,
  operator: Operator,
  { clock }: Ports,
): Promise<{ readonly revoke: () => void }> {
  const rogue = authority.didOf(ROGUE);
  if (rogue === undefined)
    throw new CodedError('identity.missing', 'expected the rogue in the realm, found no such agent');
  const expires = (clock.now() + DAY_MS) as Millis;
  const facts = (name: string) =>
    operator.grant(rogue, {
      ...{ command: '/tool/registry/facts', where: [{ arg: 'name', is: 'in', value: [name] }] },
      ...{ depth: 1, expires },
    });
  const [first, second] = [await facts(OWN.first), await facts(OWN.second)];
  const asking = await operator.grant(rogue, { command: '/tool/authority/delegate', expires });
  await authority.learn([first.token, second.token, asking.token]);
  const why = 'it wanted to give away more than it had';
  return { revoke: () => void authority.revoke(operator.revocation(first.delegation, why)) };
}
