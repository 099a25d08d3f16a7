/** The command line of `npm run up`. */
import { isAbsolute, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { CodedError } from 'ringmesh/runtime';
import { RESEARCHERS_MAX } from './contracts.ts';
import { SEVERITIES, type Severity } from './judge.ts';

/** More would ask the registry no faster. */
const NODES_MAX = 8;

export type AuditOptions = {
  readonly lock: string;
  readonly out: string;
  readonly log: string;
  /** Where the log's anchor is kept: outside of the log's folder. */
  readonly anchors: string;
  readonly researchers: number;
  /** Processes that share the work: the first has the coordinator and the reporter, the others the researchers. */
  readonly nodes: number;
  /** A broker that runs, as `host:port`; otherwise one is started. */
  readonly broker: string | undefined;
  readonly withRogue: boolean;
  readonly isJson: boolean;
  /** Findings this severe, or worse, are a failure. */
  readonly failOn: Severity | undefined;
};

export const HELP = `usage: npm run up -- [options]

Audits the dependencies of an npm project from its package-lock.json, with the registry that npm is configured with.
Killed or offline, run it again: it goes on where it was and fetches only what is missing.

  --lock FILE        the lock file (default: package-lock.json)
  --out DIR          where report.md and report.json go (default: .ringmesh/audit)
  --log DIR          the log of everything that happened (default: .ringmesh/audit-log)
  --anchor DIR       where the log's anchor is kept (default: the user's state folder)
  --researchers N    agents that fetch and judge, 1 to ${RESEARCHERS_MAX} (default: 4)
  --nodes N          share the work out to N processes, 1 to ${NODES_MAX}, over NATS (default: 1, and no NATS)
  --broker HOST:PORT a NATS server that runs (default: nats-server from the PATH, on loopback, for this run)
  --with-rogue       one more agent, which goes out of its bounds: see how it is refused
  --fail-on SEVERITY exit with 4 for findings this severe or worse: ${SEVERITIES.join(', ')}
  --json             the summary as one JSON object
  --help

Exit codes:
  0  the audit is complete
  1  unexpected: a bug, the machine, or another run on the same log; stderr says which
  2  usage: an unknown option, or a lock file that cannot be read
  3  incomplete: some packages could not be fetched; run it again
  4  complete, with findings of --fail-on or worse
  5  the log could not be verified
`;

/** What to do, or `help`. Relative paths are those of `cwd`.
 *  @throws {CodedError} `usage.invalid` */
export function parseOptions(
  args: readonly string[],
  {
    cwd,
    home,
    env,
  }: { readonly cwd: string; readonly home: string; readonly env: { readonly [name: string]: string | undefined } },
): AuditOptions | 'help' {
  const { values } = parsed(args);
  if (values.help === true) return 'help';
  const researchers = Number(values.researchers ?? '4');
  if (!Number.isInteger(researchers) || researchers < 1 || researchers > RESEARCHERS_MAX) {
    throw usage(`expected 1 to ${RESEARCHERS_MAX} researchers, found ${values.researchers}`);
  }
  const nodes = Number(values.nodes ?? '1');
  if (!Number.isInteger(nodes) || nodes < 1 || nodes > NODES_MAX) {
    throw usage(`expected 1 to ${NODES_MAX} nodes, found ${values.nodes}`);
  }
  if (values.broker !== undefined && !/^[a-z0-9.-]{1,253}:\d{1,5}$/i.test(values.broker)) {
    throw usage(`expected --broker with host:port, found ${values.broker}`);
  }
  const failOn = SEVERITIES.find((severity) => severity === values['fail-on']);
  if (failOn === undefined && values['fail-on'] !== undefined) {
    throw usage(`expected --fail-on with one of ${SEVERITIES.join(', ')}, found ${values['fail-on']}`);
  }
  const state = env['XDG_STATE_HOME'] ?? ''; // a relative one is to be ignored
  const anchors = join(isAbsolute(state) ? state : join(home, '.local', 'state'), 'ringmesh', 'anchors');
  return {
    lock: resolve(cwd, values.lock ?? 'package-lock.json'),
    out: resolve(cwd, values.out ?? join('.ringmesh', 'audit')),
    log: resolve(cwd, values.log ?? join('.ringmesh', 'audit-log')),
    anchors: values.anchor === undefined ? anchors : resolve(cwd, values.anchor),
    researchers,
    nodes,
    broker: values.broker,
    withRogue: values['with-rogue'] === true,
    isJson: values.json === true,
    failOn,
  };
}

function parsed(args: readonly string[]) {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  const options = {
    lock: text,
    out: text,
    log: text,
    anchor: text,
    researchers: text,
    nodes: text,
    broker: text,
    'fail-on': text,
    'with-rogue': flag,
    json: flag,
    help: flag,
  };
  try {
    return parseArgs({ args: [...args], options, strict: true, allowPositionals: false });
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw usage(error.message, error);
  }
}

function usage(message: string, cause?: Error): CodedError {
  return new CodedError('usage.invalid', message, cause === undefined ? {} : { cause });
}
