/**
 * `npm run bench -- trust [--json] [--outcomes N]`: what it costs to fold trust over a long log, beside bare `JSON.parse` of the
 * same records, in one run. Each outcome is two records, decided and settled, as the kernel writes them; 1,000 agents, 10
 * tools, 30 s between outcomes, one act in 50 failed and one in 500 a violation.
 */
import { parseArgs } from 'node:util';
import { trustDigest, trustProjection } from '../mesh/trust/projection.ts';
import { score } from '../mesh/trust/score.ts';
import { subjectOf } from '../mesh/trust/standing.ts';
import { parseDid } from '../runtime/codec/did.ts';
import { formatDigest, sha256 } from '../runtime/codec/digest.ts';
import {
  digestText,
  type EventId,
  encodeRecord,
  parseStreamId,
  type RecordedDecision,
  readRecord,
} from '../runtime/codec/record.ts';
import type { Millis } from '../runtime/core/brand.ts';
import { utf8, view } from '../runtime/core/bytes.ts';
import { unwrap } from '../runtime/core/result.ts';
import { eventType } from '../runtime/log/vocabulary.ts';

const AGENTS = 1_000;
const EVERY_MS = 30_000;
const BEGIN = 1_800_000_000_000;
const BAR_MS = 60_000;
/** Records are made, parsed and folded in portions, so that a million of them need not be in memory. */
const PORTION = 20_000;

const node = unwrap(parseDid('did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK'), 'a DID');
const origin = digestText(sha256(utf8('bench/trust/log/0')));
const noBlobs = { blob: () => undefined };

export async function benchTrust(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: { json: { type: 'boolean' }, outcomes: { type: 'string' } },
  });
  const outcomes = Number(values.outcomes ?? 1_000_000);
  let state = trustProjection.initial;
  let [parseMs, foldMs, foldCpuMs, records, bytes, parsed] = [0, 0, 0, 0, 0, 0];
  for (let from = 0; from < outcomes; from += PORTION) {
    const portion: Uint8Array[] = [];
    for (let n = from; n < Math.min(outcomes, from + PORTION); n++)
      portion.push(...outcome(n, records + portion.length));
    records += portion.length;
    bytes += portion.reduce((sum, one) => sum + one.length, 0);
    parseMs += took(() => {
      for (const one of portion) parsed += (JSON.parse(view(one).toString('utf8')) as { readonly i: number }).i & 1;
    });
    const busy = process.cpuUsage();
    foldMs += took(() => {
      for (const one of portion) state = trustProjection.evolve(state, readRecord(one), noBlobs);
    });
    const { user, system } = process.cpuUsage(busy);
    foldCpuMs += (user + system) / 1_000;
  }
  const end = (BEGIN + outcomes * EVERY_MS) as Millis;
  const scoreMs = took(() => {
    for (let n = 0; n < 100_000; n++)
      parsed += score(state.ledger, { subject: subjectOf(`agent-${n % AGENTS}`, node), at: end }).score & 1;
  });
  const snapshotBytes = trustProjection.encode(state).length;
  const result = {
    bench: 'trust',
    node: process.version,
    ...{ outcomes, records, recordBytes: Math.round(bytes / records) },
    /** Bare JSON.parse of every record; and reading and folding every record. */
    ...{ parseMs: Math.round(parseMs), foldMs: Math.round(foldMs) },
    /** Of all threads, the collector's too: what a machine that others load takes. */
    foldCpuMs: Math.round(foldCpuMs),
    ratioToParse: Number((foldMs / parseMs).toFixed(2)),
    foldUsPerOutcome: Number(((foldMs * 1_000) / outcomes).toFixed(2)),
    scoreUs: Number((scoreMs / 100).toFixed(2)),
    snapshotBytes,
    digest: formatDigest(trustDigest(state)),
    barMs: BAR_MS,
    isWithinBar: foldMs <= BAR_MS,
  };
  if (values.json === true) {
    console.log(JSON.stringify(result));
    return;
  }
  console.log(
    `${outcomes} outcomes, ${records} records of ${result.recordBytes} bytes, ${AGENTS} agents (${parsed & 1})`,
  );
  console.log(`JSON.parse           ${result.parseMs} ms`);
  console.log(`read and fold        ${result.foldMs} ms (${result.foldCpuMs} ms of CPU), ${result.ratioToParse} of it`);
  console.log(`one score            ${result.scoreUs} us`);
  console.log(`a snapshot           ${snapshotBytes} bytes`);
  console.log(`bar ${BAR_MS} ms: ${result.isWithinBar ? 'met' : 'missed'}`);
}

/** Two records of one act, or one of a violation. */
function outcome(n: number, index: number): readonly Uint8Array[] {
  const at = (BEGIN + n * EVERY_MS) as Millis;
  const agent = `agent-${n % AGENTS}`;
  const isViolation = n % 500 === 499;
  const decision: RecordedDecision = isViolation
    ? { verdict: 'deny', code: 'policy.denied' }
    : { verdict: 'allow', code: 'policy.allowed', rule: 'house/files' };
  const outcomeOf =
    n % 50 === 49 ? { type: 'failed', code: 'tool.failed', message: 'no' } : { type: 'ok', value: { lines: n } };
  const refused = { gate: 'policy', outcome: { type: 'denied', code: 'policy.denied', message: 'no rule allows it' } };
  const decided = {
    ...{ attempt: 1, digest: origin, effect: 'idempotent', input: { path: `/srv/data/${n}` }, key: `${idOf(n)}/0` },
    ...{
      note: {},
      refused: isViolation ? refused : null,
      risk: n % 4,
      scope: null,
      target: `tool${n % 10}.run`,
      verb: 'use',
    },
  };
  const first = record(agent, { index, at, type: 'action.decided', value: decided, decision });
  if (isViolation) return [first];
  const settled = { key: decided.key, note: {}, outcome: outcomeOf, status: outcomeOf.type };
  return [first, record(agent, { index: index + 1, at, type: 'action.settled', value: settled })];
}

type Given = {
  readonly index: number;
  readonly at: Millis;
  readonly type: string;
  readonly value: object;
  readonly decision?: RecordedDecision;
};

function record(agent: string, { index, at, type, value, decision }: Given): Uint8Array {
  return encodeRecord({
    ...{
      origin,
      index,
      id: idOf(index) as EventId,
      version: index,
      typeVersion: 1,
      wallMs: at,
      counter: 0,
      actor: node,
    },
    stream: unwrap(parseStreamId(`agent/${agent}`), 'a stream'),
    type: eventType(type),
    ...(decision === undefined ? {} : { decision }),
    payload: { type: 'json', value: value as never },
    replay: 'outcome',
  });
}

function idOf(n: number): string {
  return `00000000-0000-7000-8000-${n.toString(16).padStart(12, '0')}`;
}

function took(work: () => void): number {
  const began = performance.now();
  work();
  return performance.now() - began;
}
