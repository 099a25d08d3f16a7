/** `mesh mailboxes`: makes a mailbox for every node of a realm on a broker with JetStream, or gives those there their bounds. */
import { NatsLink } from '../../../mesh/nats-link.ts';
import { provisionMailbox } from '../../../mesh/nats-mailbox.ts';
import { nodeToken } from '../../../mesh/subject.ts';
import { CodedError } from '../../../runtime/core/errors.ts';
import { systemClock, systemRandom } from '../../../runtime/core/system.ts';
import { openOperatorLogin, readRoster } from '../../realm/realm-folder.ts';
import { catchInterrupts, type Shell } from '../shell.ts';

type Options = { readonly server: string; readonly realmFolder: string; readonly json?: boolean };

export async function makeMailboxes(shell: Shell, { server, realmFolder, json = false }: Options): Promise<void> {
  const { realm, nodes } = readRoster(realmFolder);
  const login = openOperatorLogin(realmFolder);
  const ports = { clock: systemClock, random: systemRandom };
  using interrupts = catchInterrupts();
  const { signal } = interrupts;
  await using link = await NatsLink.open(
    { ...ports, servers: [server], name: 'ringmesh mesh mailboxes', login },
    signal,
  );
  for (const { did } of nodes) {
    const { connection } = link;
    if (connection === undefined)
      throw new CodedError('transport.lost', 'expected the broker to stay', { retryable: true });
    await provisionMailbox(connection, { realm, node: nodeToken(did) });
  }
  const names = nodes.map(({ name }) => name);
  const facts = { schema: 'ringmesh.mesh-mailboxes/1', realm, nodes: names };
  await shell.out.write(json ? `${JSON.stringify(facts)}\n` : names.map((name) => `${name}\n`).join(''));
}
