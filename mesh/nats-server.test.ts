import { expect, test } from 'vitest';
import { readServer } from './nats-server.ts';

const info = (version: string) => ({ version, max_payload: 1_048_576, headers: true, jetstream: true });

test.each([
  ['2.9.9', false],
  ['2.8.4', false],
  ['1.4.1', false],
  ['2.9.10', true],
  ['2.10.27', true],
  ['2.15.1-RC.1', true],
  ['3.0.0', true],
  ['2.9', false],
  ['9', false],
  ['2.9.10x', false],
  ['', false],
])('version %s can carry a realm: %s', (version, expected) => {
  const server = readServer(info(version));
  expect(server.ok ? true : server.error.code).toBe(expected ? true : 'transport.old_server');
});

test('a server that says nothing of itself is too old', () => {
  expect(readServer(undefined)).toMatchObject({ ok: false, error: { code: 'transport.old_server' } });
});

test.each([
  ['2.9.10', { hasMessageTtl: false, hasAuthCallout: false, hasSyncAlways: false }],
  ['2.10.27', { hasMessageTtl: false, hasAuthCallout: true, hasSyncAlways: true }],
  ['2.11.0', { hasMessageTtl: true, hasAuthCallout: true, hasSyncAlways: true }],
  ['2.15.1', { hasMessageTtl: true, hasAuthCallout: true, hasSyncAlways: true }],
])('what older servers silently do otherwise is not used on them: %s', (version, traits) => {
  expect(readServer(info(version))).toMatchObject({ ok: true, value: traits });
});

test('what a server does not mention it does not have', () => {
  expect(readServer({ version: '2.15.1', max_payload: 4096 })).toEqual({
    ok: true,
    value: {
      version: '2.15.1',
      messageBytesMax: 4096,
      hasHeaders: false,
      hasJetStream: false,
      hasMessageTtl: true,
      hasAuthCallout: true,
      hasSyncAlways: true,
    },
  });
});
