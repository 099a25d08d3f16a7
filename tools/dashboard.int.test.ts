import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { DASHBOARD, dashboard } from './dashboard.ts';

type Dashboard = { readonly panels: readonly { readonly targets: readonly { readonly expr: string }[] }[] };

test('the dashboard has every metric: node tools/dashboard.ts writes it', async () => {
  const file = JSON.parse(readFileSync(DASHBOARD, 'utf8')) as Dashboard;

  expect(file).toEqual(await dashboard());
  const asked = file.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));
  expect(asked).toContain('rate(ringmesh_actions_total[1m])');
  expect(asked.length).toBeGreaterThan(8);
});
