/** `npm run bench -- SUITE [--json] …`: each suite is a module that is loaded when its name is asked for. */
const suites: Readonly<Record<string, (args: readonly string[]) => Promise<unknown>>> = {
  actors: async (args) => (await import('./actors.ts')).benchActors({ json: args.includes('--json') }),
  audit: async (args) => (await import('./audit.ts')).benchAudit(args),
  cli: async (args) => (await import('./cli.ts')).benchCli(args),
  delegation: async (args) => (await import('./delegation.ts')).benchDelegation({ json: args.includes('--json') }),
  log: async (args) => (await import('./log.ts')).benchLog(args),
  mesh: async (args) => (await import('./mesh.ts')).benchMesh(args),
  policy: async (args) => (await import('./policy.ts')).benchPolicy({ json: args.includes('--json') }),
  trust: async (args) => (await import('./trust.ts')).benchTrust(args),
};

const [name = '', ...args] = process.argv.slice(2);
const suite = suites[name];
if (suite === undefined) {
  console.error(`expected one of ${Object.keys(suites).join(', ')}, found ${JSON.stringify(name)}`);
  process.exitCode = 2;
} else {
  await suite(args);
}
