/** `node tools/dashboard.ts`: writes Grafana's dashboard anew, from what a node tells Prometheus; format it with `npm run fix`. */
import { writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import type { EventLog } from '../runtime/log/event-log.ts';
import { HealthServer } from '../swarm/up/health-server.ts';

export const DASHBOARD = 'compose/obs/dashboard.json';

/** A metric, as its text has it (text exposition format 0.0.4). */
type Family = {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly labels: readonly string[];
};

/** A panel for every metric that a node has, in its order. A test keeps the file equal to this. */
export async function dashboard(): Promise<object> {
  const families = familiesOf(await textOfNode());
  return {
    uid: 'ringmesh',
    title: 'Ringmesh',
    schemaVersion: 39,
    refresh: '5s',
    time: { from: 'now-15m', to: 'now' },
    panels: families.map((family, n) => ({
      id: n + 1,
      type: 'timeseries',
      title: family.type === 'counter' ? `${family.help} (per second)` : family.help,
      gridPos: { h: 7, w: 8, x: (n % 3) * 8, y: Math.floor(n / 3) * 7 },
      datasource: { type: 'prometheus', uid: 'prometheus' },
      targets: [{ refId: 'A', expr: queryOf(family), legendFormat: legendOf(family) }],
    })),
  };
}

function queryOf({ name, type }: Family): string {
  return type === 'counter' ? `rate(${name}[1m])` : name;
}

function legendOf({ labels }: Family): string {
  return ['job', 'instance', ...labels].map((label) => `{{${label}}}`).join(' ');
}

/** What Prometheus reads of a node that does nothing. */
async function textOfNode(): Promise<string> {
  await using server = await HealthServer.open(0);
  server.watch({
    agents: { census: { known: 0, awake: 0, running: 0 }, load: { mailbox: 0, turnMs: 0 } },
    log: { size: 0, read: () => [] } as unknown as EventLog,
    governance: { rings: { agents: [], ringOf: () => 3 } },
    begunAt: 0,
  });
  return (await fetch(`${server.url}/metrics`)).text();
}

function familiesOf(text: string): readonly Family[] {
  return [...text.matchAll(/^# HELP (\w+) (.*)\n# TYPE \w+ (\w+)\n(?:\w+(?:\{(.*?)\})? .*)$/gm)].map(
    ([, name = '', help = '', type = '', labels = '']) => ({
      ...{ name, help: help.replace(/\.$/, ''), type },
      labels: [...labels.matchAll(/(\w+)="/g)].map(([, label = '']) => label),
    }),
  );
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  writeFileSync(DASHBOARD, `${JSON.stringify(await dashboard(), null, 2)}\n`);
}
