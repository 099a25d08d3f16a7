import { configDefaults, defineConfig } from 'vitest/config';

// Three levels, told apart by file name: no I/O; real disk, processes and brokers; containers.
// Containers are swept by the tests themselves: testcontainers' own sweeper is an image that not everybody can fetch.
const levels = {
  unit: { include: ['**/*.test.ts'], exclude: ['**/*.int.test.ts', '**/*.e2e.test.ts'], testTimeout: 60_000, env: {} },
  int: { include: ['**/*.int.test.ts'], exclude: [], testTimeout: 600_000, env: {} },
  e2e: {
    include: ['**/*.e2e.test.ts'],
    exclude: [],
    testTimeout: 600_000,
    env: { TESTCONTAINERS_RYUK_DISABLED: 'true' },
  },
} as const;

export default defineConfig({
  test: {
    projects: Object.entries(levels).map(([name, level]) => ({
      resolve: { conditions: ['source'] },
      ssr: { resolve: { conditions: ['source'] } },
      test: {
        name,
        include: [...level.include],
        exclude: [...configDefaults.exclude, ...level.exclude],
        env: level.env,
        testTimeout: level.testTimeout,
        hookTimeout: level.testTimeout,
        expect: { requireAssertions: true },
        pool: 'forks' as const,
      },
    })),
    coverage: {
      provider: 'v8',
      include: ['runtime/**/*.ts', 'policies/**/*.ts', 'mesh/**/*.ts', 'sre/**/*.ts', 'swarm/**/*.ts'],
      exclude: ['**/*.{test,contract,fixture}.ts'],
    },
  },
});
