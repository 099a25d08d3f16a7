/** `up --otel`, with a double of the SDK where a user would have installed it. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Desk, objects } from '../command.fixture.ts';
import { AS_SOURCE, project } from './project.fixture.ts';

const API = `
exports.ROOT_CONTEXT = {};
exports.trace = {
  getTracer: () => globalThis.tracerOfTest,
  setSpanContext: (_, place) => place,
};`;

const SDK = `
const fs = require('node:fs');
exports.NodeSDK = class {
  constructor({ serviceName, idGenerator }) { Object.assign(this, { serviceName, idGenerator }); }
  start() {
    const { serviceName, idGenerator } = this;
    globalThis.tracerOfTest = {
      startSpan: (name, { attributes }, { traceId = idGenerator.generateTraceId() }) => {
        const span = { serviceName, name, traceId, spanId: idGenerator.generateSpanId(), attributes };
        return { setStatus: ({ message }) => { span.error = message; }, end: () => fs.appendFileSync('spans', JSON.stringify(span) + '\\n') };
      },
    };
  }
  async shutdown() { fs.appendFileSync('spans', '{"name":"shut down"}\\n'); throw new Error('no collector'); }
};`;

function withSdk(at: Desk): void {
  for (const [name, code] of [
    ['api', API],
    ['sdk-node', SDK],
  ] as const) {
    const folder = join(at.path, 'node_modules/@opentelemetry', name);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'package.json'), `{ "name": "@opentelemetry/${name}", "main": "./index.cjs" }`);
    writeFileSync(join(folder, 'index.cjs'), code);
  }
}

test('spans of turns, effects and messages are exported, the last of them after the log was closed', () => {
  using at = project();
  withSdk(at);

  const { status, stderr } = at.run(['up', 'swarm.yaml', '--otel'], AS_SOURCE);

  expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' });
  const spans = objects(readFileSync(join(at.path, 'spans'), 'utf8'));
  expect(spans.at(-1)).toEqual({ name: 'shut down' });
  const names = spans.map(({ name }) => name);
  expect(names).toEqual([
    ...['execute_tool notes.add', 'invoke_agent desk', 'receive open', 'ask desk.open@desk'],
    ...['invoke_agent clerk/1', 'receive visit', 'shut down'],
  ]);
  expect(new Set(spans.slice(0, -1).map(({ traceId, serviceName }) => `${traceId} ${serviceName}`)).size).toBe(1);
  expect(spans[0]).toMatchObject({
    serviceName: 'office',
    attributes: { 'ringmesh.verdict': 'allow', 'ringmesh.ring': 2 },
  });
  expect(JSON.stringify(spans)).not.toContain('t0ken'); // what a tool is told, and tells, is in no span
});

test('without the SDK, who asks for it is told before anything is made; a variable alone stops nothing', () => {
  using at = project();
  const asked = at.run(['up', 'swarm.yaml', '--otel'], AS_SOURCE);
  expect(asked).toMatchObject({ status: 1, stdout: '' });
  expect(asked.stderr).toMatch(/^ringmesh: telemetry\.sdk_missing: /);
  const env = { OTEL_TRACES_EXPORTER: 'otlp' };
  const ambient = at.run(['up', 'swarm.yaml'], { ...AS_SOURCE, env });
  expect(ambient.status).toBe(0);
  expect(ambient.stderr).toMatch(/^no spans expected the package @opentelemetry\/sdk-node /m);
});
