import { describe, expect, test } from 'vitest';
import { clockEvent } from '../../../mesh/heartbeat-events.ts';
import { Recorder } from '../../../mesh/link/recorder.ts';
import { parseDid } from '../../../runtime/codec/did.ts';
import { formatDidKey } from '../../../runtime/codec/did-key.ts';
import { sha256 } from '../../../runtime/codec/digest.ts';
import { generateKeyPair } from '../../../runtime/codec/ed25519.ts';
import { encodeRecord } from '../../../runtime/codec/record.ts';
import { utf8 } from '../../../runtime/core/bytes.ts';
import { CodedError } from '../../../runtime/core/errors.ts';
import { unwrap } from '../../../runtime/core/result.ts';
import { ManualClock, seededRandom } from '../../../runtime/core/simulation.ts';
import { MemoryWorld } from '../../../runtime/log/memory-log.ts';
import { addressOf, parseInfo } from './broker-state.ts';
import { type Check, looked } from './check.ts';
import { judgeIsolation } from './isolation.ts';
import { judgeKeys } from './key-state.ts';
import { judgeClocks, judgeLog, type LogSeen } from './log-state.ts';
import { type ClockSeen, type DiskSeen, judgeClock, judgeDisk, judgeEngine, judgeNode } from './machine.ts';

const MIB = 1024 * 1024;

describe('what is said of Node', () => {
  test.each([
    ['v20.9.0', 'fail'],
    ['v24.0.0', 'warn'],
    ['v25.0.0', 'ok'],
    ['v26.10.0', 'ok'],
    ['gibberish', 'fail'],
  ])('%s is %s', (version, status) => {
    expect(judgeNode(version).status).toBe(status);
  });
});

describe('what is said of a disk', () => {
  const sound: DiskSeen = { folder: '/data', freeBytes: 5_000 * MIB, kind: 0xef53, flushMs: [3, 1, 2] };

  test.each<[string, Partial<DiskSeen>, string, string]>([
    ['a disk', {}, 'ok', 'ok'],
    ['one that is nearly full', { freeBytes: 100 * MIB }, 'fail', 'ok'],
    ['one that will be full', { freeBytes: 900 * MIB }, 'warn', 'ok'],
    ['a slow one', { flushMs: [200, 1, 200] }, 'ok', 'warn'],
    ['one that was slow once', { flushMs: [200, 1, 2] }, 'ok', 'ok'],
    ['NFS', { kind: 0x6969 }, 'ok', 'fail'],
    ['CIFS, as a signed number', { kind: 0xff534d42 | 0 }, 'ok', 'fail'],
    ['memory', { kind: 0x01021994 }, 'ok', 'warn'],
  ])('%s', (_, seen, space, flush) => {
    expect(judgeDisk({ ...sound, ...seen }).map(({ status }) => status)).toEqual([space, flush]);
  });
});

describe('what is said of the clocks', () => {
  const sound: ClockSeen = { wallMs: 1_800_000_000_000, wallPassedMs: 100, monotonicPassedMs: 100.2, wentBack: false };

  test.each<[string, Partial<ClockSeen>, string]>([
    ['two that agree', {}, 'ok'],
    ['one after the last event of the log', { lastEventMs: 1_799_999_999_000 }, 'ok'],
    ['one a little before it', { lastEventMs: 1_800_000_000_900 }, 'ok'],
    ['one an hour before it', { lastEventMs: 1_800_003_600_000 }, 'warn'],
    ['one that jumps', { wallPassedMs: 5_000 }, 'warn'],
    ['one that jumps back', { wallPassedMs: -60 }, 'warn'],
    ['one of 1970', { wallMs: 60_000 }, 'fail'],
    ['a monotonic one that is not', { wentBack: true }, 'fail'],
  ])('%s', (_, seen, status) => {
    expect(judgeClock({ ...sound, ...seen }).status).toBe(status);
  });
});

test('a container engine is one that answers', () => {
  expect(judgeEngine(['docker 28.2.2'])).toEqual({ name: 'container engine', status: 'ok', found: 'docker 28.2.2' });
  expect(judgeEngine([]).status).toBe('warn');
});

describe('what is said of isolation', () => {
  test('without control groups it is a seat-belt in every ring, and names what is there instead', () => {
    const checks = judgeIsolation({ memory: 'watchdog', cpu: 'none', processes: 'permissions' });

    expect(checks.map(({ status, found }) => [status, found.startsWith('seat-belt: ')])).toEqual(
      Array.from({ length: 4 }, () => ['warn', true]),
    );
    expect(checks[3]?.found).toBe(
      "seat-belt: memory 128 MiB by watchdog, cpu 20 % by nobody, processes by Node's permissions",
    );
    expect(checks[0]?.found).toContain('memory without limit');
  });

  test.each([
    [{ memory: 'cgroup2', cpu: 'cgroup2', processes: 'cgroup2' }, ['ok', 'ok', 'ok', 'ok']],
    [{ memory: 'cgroup1', cpu: 'watchdog', processes: 'cgroup1' }, ['ok', 'warn', 'warn', 'warn']],
    [{ memory: 'cgroup2', cpu: 'cgroup2', processes: 'permissions' }, ['warn', 'warn', 'warn', 'warn']],
  ] as const)('with %j the rings are %j', (isolation, statuses) => {
    expect(judgeIsolation(isolation).map(({ status }) => status)).toEqual(statuses);
  });
});

test('every flaw of a folder of keys is a failure, with how to mend it', () => {
  const folder = {
    kind: 'operator',
    did: unwrap(parseDid('did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK'), 'a DID'),
    keys: new Map(),
  } as const;

  expect(judgeKeys('alice', { ...folder, flaws: [] })).toMatchObject([{ status: 'ok' }]);
  const flawed = judgeKeys('alice', { ...folder, flaws: ['expected alice/operator.key …', 'expected alice …'] });
  expect(flawed).toMatchObject([{ status: 'fail' }, { status: 'fail' }]);
  expect(flawed[0]?.remedy).toContain('chmod 600 alice/*.key');
});

describe('what is said of a log', () => {
  const root = sha256(utf8('a root'));
  const sound: LogSeen = {
    origin: 'local/till/log/0',
    size: 7,
    rootAt: () => root,
    signed: 7,
    anchored: { origin: 'local/till/log/0', size: 7, root } as LogSeen['anchored'],
    place: '/anchors/x',
  };

  test.each<[string, Partial<LogSeen>, string, string]>([
    ['one that its anchor agrees with', {}, 'ok', 'agrees'],
    ['one that never signed', { signed: undefined, anchored: undefined }, 'warn', 'never signed'],
    ['one whose anchor is gone', { anchored: undefined }, 'fail', 'missing'],
    ['one that was rolled back', { size: 6 }, 'fail', 'log.rolled_back'],
    ['one that was forked', { rootAt: () => sha256(utf8('another')) }, 'fail', 'log.forked'],
    ['one with a damaged anchor', { anchored: new CodedError('anchor.damaged', 'no') }, 'fail', 'anchor.damaged'],
  ])('%s', (_, seen, status, word) => {
    const [tail, anchor] = judgeLog({ ...sound, ...seen });

    expect(tail?.status).toBe('ok');
    expect(anchor?.status).toBe(status);
    expect(anchor?.found).toContain(word);
  });
});

describe('the address of a broker', () => {
  test.each([
    ['nats://till:5222', 'till', 5222],
    ['tls://till', 'till', 4222],
    ['127.0.0.1:4222', '127.0.0.1', 4222],
    ['nats://[::1]:4222', '::1', 4222],
  ])('%s is read', (url, hostname, port) => {
    expect(addressOf(url)).toEqual({ url, hostname, port });
  });

  test.each(['', 'https://till', 'nats://', 'nats://till:99999'])('%j is refused', (url) => {
    expect(() => addressOf(url)).toThrow(expect.objectContaining({ code: 'usage.invalid' }));
  });
});

describe('what a server says of itself', () => {
  test('is its INFO', () => {
    expect(parseInfo('INFO {"version":"2.10.1","max_payload":1048576,"jetstream":true}\r')).toEqual({
      version: '2.10.1',
      max_payload: 1048576,
      jetstream: true,
    });
  });

  test.each(['HTTP/1.1 400 Bad Request', 'INFO {', 'INFO {}', 'INFO {"version":7,"max_payload":1}', ''])(
    '%j is no NATS server’s',
    (line) => {
      expect(parseInfo(line)).toBeUndefined();
    },
  );
});

test('a look that cannot be taken is a failed check, with its code to look up', async () => {
  const checks = await looked('keys', async () => {
    throw new CodedError('key.not_found', 'expected keys');
  });

  expect(checks).toEqual([
    { name: 'keys', status: 'fail', found: 'expected keys', remedy: 'ringmesh explain key.not_found' },
  ]);
});

test('clocks of other nodes that differ are warned of, by what was recorded last', async () => {
  const clock = new ManualClock();
  const random = seededRandom('doctor clocks');
  const { log } = await new MemoryWorld(random).open(clock);
  const node = formatDidKey(generateKeyPair(random).publicKey);
  const recorder = new Recorder({ log, clock, random });
  const tell = async (aheadMs: number, differs: boolean): Promise<readonly Check[]> => {
    await recorder.record([clockEvent({ node, epoch: 'AAECAwQFBgc', aheadMs, differs })]);
    return judgeClocks([...log.read()].map((record) => encodeRecord(record)));
  };
  expect(await tell(3_100, true)).toMatchObject([
    { status: 'warn', found: expect.stringContaining(`${node} was last 3.1 s ahead`) },
  ]);
  expect(await tell(-4, false)).toEqual([]);
});
