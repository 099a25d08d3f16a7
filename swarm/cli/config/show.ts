/** `config show`: every value that decides how a swarm runs, and whose word it is. */
import type { Configuration, Configured, Flags, SettingValue } from '../../file/configuration.ts';
import type { Shell } from '../shell.ts';
import { Table } from '../table.ts';
import { readSwarm } from '../up/read-swarm.ts';

type Options = Flags & { readonly origin?: boolean; readonly json?: boolean };

/** @throws what `readSwarm` does */
export async function show(shell: Shell, file: string, options: Options): Promise<void> {
  const { configuration } = await readSwarm(shell, file, options);
  const rows = rowsOf(configuration);
  if (options.json === true) {
    const values = Object.fromEntries(rows.map(([name, one]) => [name, options.origin === true ? one : one.value]));
    await shell.out.write(`${JSON.stringify({ schema: 'ringmesh.config/1', ...values })}\n`);
    return;
  }
  const isTold = options.origin === true;
  const table = new Table([{ title: 'name' }, { title: 'value' }, ...(isTold ? [{ title: 'origin' }] : [])]);
  const cells = rows.map(([name, one]) => [name, shown(one.value), ...(isTold ? [whence(one)] : [])]);
  await shell.out.write(table.format(cells));
}

type Row = readonly [string, Configured<SettingValue | null>];

function rowsOf({ settings, ...rest }: Configuration): readonly Row[] {
  const named = Object.entries(settings).map(([name, one]): Row => [`settings.${name}`, one]);
  return [...Object.entries(rest), ...named];
}

function shown(value: SettingValue | null): string {
  if (value === null) return '-';
  return typeof value === 'object' ? `(a secret, in ${value.secret})` : String(value);
}

function whence({ origin, from }: Configured<unknown>): string {
  return from === undefined ? origin : `${origin} ${from}`;
}
