/** Whether a stream is about an agent: `agent/clerk`, `ring/clerk` and whatever else stands under its name. `audit/*` is all
 *  agents whose names begin with `audit/`. */
export function agentFilter(agent: string | undefined): (stream: string) => boolean {
  if (agent === undefined) return () => true;
  const isMeant = agent.endsWith('/*')
    ? (name: string): boolean => name.startsWith(agent.slice(0, -1))
    : (name: string): boolean => name === agent;
  return (stream) => isMeant(stream.slice(stream.indexOf('/') + 1));
}
