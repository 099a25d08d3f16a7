/** Where the operator of this machine reaches a node: a socket beside its log. */
import { join, relative } from 'node:path';
import { GUESTS } from '../../runtime/actor/ref.ts';
import { CodedError } from '../../runtime/core/errors.ts';

/** A folder of its own, so that nobody else can reach the socket, whatever its own mode is while it is made. */
export function controlFolder(log: string): string {
  return join(log, 'control');
}

/** The socket's address as the system takes it: from `/`, or from the working directory where that is shorter.
 *  @throws {CodedError} `control.path_too_long` (sun_path of unix(7) holds 107 bytes, 103 on macOS) */
export function controlAddress(log: string, cwd: string): string {
  const whole = join(controlFolder(log), 'socket');
  const near = relative(cwd, whole);
  const address = near.length < whole.length ? near : whole;
  if (Buffer.byteLength(address) <= ADDRESS_BYTES_MAX) return address;
  throw new CodedError('control.path_too_long', `expected a path of ${ADDRESS_BYTES_MAX} bytes, found ${address}`);
}

const ADDRESS_BYTES_MAX = 103;

/** Under this name policies know whoever asks through the socket. No agent is called so. */
export const OPERATOR = `${GUESTS}operator`;

/** What one request may hold: a message's body, and the words around it. */
export const REQUEST_BYTES_MAX = 1024 * 1024 + 4096;
