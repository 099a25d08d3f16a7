/**
 * `up`: a swarm from its file, until its start messages are answered or a signal ends it. The first signal drains, a second
 * one ends the process. Then the log is verified, and the summary says what was done.
 */
import process from 'node:process';
import { toMillis } from '../../../runtime/actor/duration.ts';
import { CodedError } from '../../../runtime/core/errors.ts';
import { systemClock, systemRandom, thisProcess } from '../../../runtime/core/system.ts';
import { verifyLog } from '../../../runtime/log/fsck.ts';
import { openReader } from '../../../runtime/log/log-directory.ts';
import type { Configuration, Flags } from '../../file/configuration.ts';
import { HealthServer } from '../../up/health-server.ts';
import { type Deeds, deedsSince } from '../../up/ledger.ts';
import type { Place, SwarmPorts } from '../../up/made.ts';
import { openSwarm, type Swarm } from '../../up/open-swarm.ts';
import type { Answer } from '../../up/start-node.ts';
import type { EndingFact } from '../../up/until-over.ts';
import { oneLine } from '../report.ts';
import { catchInterrupts, type Shell } from '../shell.ts';
import { openControl } from './open-control.ts';
import { openTelemetry } from './open-telemetry.ts';
import { readSwarm } from './read-swarm.ts';
import { formatSummary, type Summary, summaryOf, wordsOf } from './summary.ts';

/** @throws what `readSwarm` and `openSwarm` do · `swarm.unanswered` · `log.damaged` the log is not what it says · the signal */
export async function up(shell: Shell, file: string, options: UpOptions): Promise<void> {
  const { swarm, configuration } = await readSwarm(shell, file, options);
  using interrupts = catchInterrupts();
  const alive = setInterval(() => undefined, 60_000); // the clock's timers keep no process alive
  let ran: Ran;
  try {
    const { value: port } = configuration.health;
    await using health = port === null ? undefined : await HealthServer.open(port);
    if (health !== undefined) speakerOf(shell)(`health   ${health.url}\n`);
    const role = configuration.only.value;
    await using telemetry = await openTelemetry(shell, swarm, { otel: options.otel, role });
    const opened = await openSwarm(swarm, configuration, portsOf(shell), interrupts.signal);
    telemetry?.follow(opened.log, { directory: opened.place.log, from: opened.begunAt, clock: systemClock });
    ran = await run(opened, configuration, { shell, signal: interrupts.signal, health });
  } finally {
    clearInterval(alive);
  }
  const verified = await verifyLog(ran.place.log, { anchors: ran.place.anchors });
  const summary = summaryOf({ swarm, configuration, ...ran, verified });
  await shell.out.write(formatSummary(summary, options.json === true));
  mustBeVerified(summary);
  interrupts.signal.throwIfAborted();
  mustBeAnswered(summary);
}

type UpOptions = Flags & { readonly json?: boolean; readonly otel?: boolean };

type Ran = {
  readonly answers: readonly Answer[];
  readonly fact: EndingFact | undefined;
  readonly deeds: Deeds;
  readonly isolation: string;
  readonly place: Place;
};

type Running = {
  readonly shell: Shell;
  readonly signal: AbortSignal;
  readonly health: HealthServer | undefined;
};

/** From ready to stopped. A signal is no fault here: it is told after the summary. */
async function run(swarm: Swarm, { drain }: Configuration, { shell, signal, health }: Running): Promise<Ran> {
  const answers: Answer[] = [];
  let fact: EndingFact | undefined;
  const { begunAt, isolation, place } = swarm;
  const say = speakerOf(shell);
  const over = new AbortController();
  let isOver = false;
  swarm.ended.catch(() => undefined); // below it is waited for, unless something fails before
  try {
    const { agents, authority } = swarm;
    const takeBack = authority === undefined ? {} : { takeBack: authority.takeBack.bind(authority) };
    await using _ = await openControl({ agents, log: place.log, ...takeBack }, say);
    health?.watch(swarm);
    say('ready\n');
    const begun = swarm.begin((answer) => {
      if (isOver) return; // cut off by the end, and no answer
      answers.push(answer);
      say(lineOf(answer));
    });
    begun.catch(() => undefined); // who was interrupted does not wait for it
    fact = (await Promise.race([swarm.over(begun, over.signal), swarm.ended, aborted(signal)])) ?? undefined;
    if (fact !== undefined) say(`recorded ${wordsOf(fact)}\n`);
  } finally {
    isOver = true;
    over.abort();
    health?.watch(undefined);
    await swarm.stop(toMillis(drain.value));
  }
  await using reader = await openReader(place.log, systemClock);
  return { answers, fact, deeds: deedsSince(reader, begunAt), isolation, place };
}

/** Notes to people; a swarm goes on when nobody reads them any more. */
function speakerOf({ notes }: Shell): (text: string) => void {
  return (text) => void notes.write(text).catch(() => undefined);
}

function portsOf(shell: Shell): SwarmPorts {
  const say = speakerOf(shell);
  return {
    clock: systemClock,
    random: systemRandom,
    identity: thisProcess(),
    searchPath: shell.env['PATH'],
    execArgv: process.execArgv,
    onStep({ step, state, detail = '' }) {
      if (state === 'starting' || state === 'stopping') return;
      say(`${`${state.padEnd(8)} ${step.padEnd(9)} ${oneLine(detail)}`.trimEnd()}\n`);
    },
    printed: (contract, text) => say(text.replace(/^(?=.)/gm, `${contract}: `)),
    trouble: (text) => say(`trouble  ${oneLine(text)}\n`),
  };
}

function lineOf({ agent, message, outcome }: Answer): string {
  const shown = outcome.type === 'ok' ? outcome.value : outcome;
  return `answer   ${agent}.${message} ${oneLine(JSON.stringify(shown) ?? 'null')}\n`;
}

function mustBeVerified({ isVerified, log }: Summary): void {
  if (!isVerified) throw new CodedError('log.damaged', `expected a log without faults in ${log.directory}`);
}

function mustBeAnswered({ answers }: Summary): void {
  const bad = answers.find(({ outcome }) => outcome.type !== 'ok');
  if (bad === undefined) return;
  const message = `expected ok from ${bad.agent}.${bad.message}, found ${bad.outcome.type}`;
  throw new CodedError('swarm.unanswered', message);
}

/** Resolves when the signal aborts. */
function aborted(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  signal.addEventListener('abort', () => resolve(), { once: true });
  if (signal.aborted) resolve();
  return promise;
}
