/** Commands: what is asked, as a path. `/tool/mail/send` is the use of a tool, `/quote/price` a message of a contract. */
import { err, ok, type Refusal, type Result } from '../../runtime/core/result.ts';
import type { Action } from '../../runtime/kernel/action.ts';
import { commandOf as messageCommand } from '../link/words.ts';
import { type Shape, text } from '../strict-json.ts';

/** What a delegation may name: a command, the beginning of one, or `/` for every command. */
export const commandPrefix: Shape<string> = text('a command such as /tool/mail, or /', isCommandPrefix);

export function isCommandPrefix(found: string): boolean {
  return found === EVERYTHING || COMMAND.test(found);
}

export const EVERYTHING = '/';

/** Segment by segment (R4): `/a/b` covers `/a/b/c` and not `/a/bc`. */
export function covers(prefix: string, command: string): boolean {
  if (prefix === EVERYTHING) return true;
  return command.startsWith(prefix) && (command.length === prefix.length || command[prefix.length] === '/');
}

/** The command of an action: `/tool/<name>` with a segment for each part of the tool's name, `/<contract>/<message>`,
 *  `/agent/spawn/<contract>`, `/agent/stop`. What has none is refused, and so denied: so are contracts called `tool` or `agent`. */
export function commandOf({ verb, target }: Pick<Action, 'verb' | 'target'>): Result<string, Refusal> {
  const command = pathOf(verb, target);
  if (command !== undefined && COMMAND.test(command)) return ok(command);
  return err({ code: 'delegation.no_command', message: `expected a target that makes a command, found ${target}` });
}

function pathOf(verb: Action['verb'], target: string): string | undefined {
  const [name = ''] = target.split('@');
  switch (verb) {
    case 'use':
      return `/tool/${target.replaceAll('.', '/')}`;
    case 'ask':
    case 'tell': {
      const [contract = '', message = ''] = name.split('.', 2);
      return RESERVED.has(contract) ? undefined : messageCommand(contract, message);
    }
    case 'spawn':
      return `/agent/spawn/${name}`;
    case 'stop':
      return '/agent/stop';
  }
}

/** Contracts of these names would be taken for something else. */
const RESERVED = new Set(['tool', 'agent']);

/** As in the claims of an envelope. */
const COMMAND = /^(?=.{2,200}$)(?:\/[a-z0-9](?:[a-z0-9_-]{0,62})){1,8}$/;
