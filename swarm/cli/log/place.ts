/** Where a log's anchor is, and what an open log is given of this machine. */
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { systemClock, systemRandom, thisProcess } from '../../../runtime/core/system.ts';
import type { LogPorts, OpenOptions } from '../../../runtime/log/log-directory.ts';
import type { Shell } from '../shell.ts';

/** The options of every command that may write. */
export type WritingOptions = {
  readonly anchor?: string;
  readonly reserve?: number;
  readonly takeover?: boolean;
  readonly newAnchor?: boolean;
};

/** `--anchor` or RINGMESH_ANCHOR, else the user's state folder (XDG Base Directory Specification 0.8). */
export function anchorsOf({ anchor }: { readonly anchor?: string }, env: Shell['env']): string {
  if (anchor !== undefined && anchor !== '') return anchor; // an empty variable is none
  const state = env['XDG_STATE_HOME'] ?? ''; // a relative one is to be ignored
  return join(isAbsolute(state) ? state : join(homedir(), '.local', 'state'), 'ringmesh', 'anchors');
}

export function openOptions(options: WritingOptions, env: Shell['env']): OpenOptions {
  return {
    anchors: anchorsOf(options, env),
    takeover: options.takeover === true,
    acceptMissingAnchor: options.newAnchor === true,
    ...(options.reserve === undefined ? {} : { reserveBytes: options.reserve }),
  };
}

export function systemPorts(): LogPorts {
  return { clock: systemClock, random: systemRandom, identity: thisProcess() };
}
