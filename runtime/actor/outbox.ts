/** Sending what commits leave behind, per sender and receiver in their order, until it is accepted or too old (N6). */
import { type Cause, parseEventId } from '../codec/record.ts';
import { unwrap } from '../core/result.ts';
import { eventIdOf } from '../kernel/event-id.ts';
import type { Outcome } from '../kernel/outcome.ts';
import type { Write } from '../log/event-log.ts';
import type { Sent } from './agent-view.ts';
import { arrivingOf, type Live } from './live.ts';
import type { Outgoing } from './remote.ts';
import type { Outbox, Shell } from './shell.ts';
import { otherContract, payingFor, sentActionOf } from './turn-action.ts';
import type { AgentPayload } from './vocabulary.ts';

const SEND_AGAIN_MS_MIN = 100;
const SEND_AGAIN_MS_MAX = 30_000;

export class NodeOutbox implements Outbox {
  readonly #shell: Shell;
  readonly #closed = new AbortController();
  /** By agent: to how many it is being sent. */
  readonly #speaking = new Map<string, number>();

  constructor(shell: Shell) {
    this.#shell = shell;
  }

  sendAll(live: Live): void {
    if (live.view.outbox.size === 0) return;
    for (const { to } of live.view.outbox.values()) {
      if (live.sending.has(to)) continue;
      live.sending.add(to);
      this.#speaks(live.known.agent, 1);
      const sending = this.#sendTo(live, to).finally(() => {
        live.sending.delete(to);
        this.#speaks(live.known.agent, -1);
      });
      this.#shell.background.track(sending);
    }
  }

  /** Agents whose words are on their way, those that have ended among them. */
  get speaking(): Iterable<string> {
    return this.#speaking.keys();
  }

  isSpeaking(agent: string): boolean {
    return this.#speaking.has(agent);
  }

  #speaks(agent: string, more: 1 | -1): void {
    const count = (this.#speaking.get(agent) ?? 0) + more;
    if (count > 0) {
      this.#speaking.set(agent, count);
      return;
    }
    this.#speaking.delete(agent);
    const { background, parts, roster } = this.#shell;
    if (background.isOpen && !roster.isAlive(agent)) parts.onLife?.(agent, false);
  }

  close(): void {
    this.#closed.abort(new DOMException('the node has ended', 'AbortError'));
  }

  async #sendTo(live: Live, to: string): Promise<void> {
    const { background } = this.#shell;
    let delayMs = SEND_AGAIN_MS_MIN;
    for (let sent = nextTo(live, to); sent !== undefined && background.isOpen; sent = nextTo(live, to)) {
      const answer = await this.#send(live, sent);
      if (!background.isOpen) return;
      if (answer === 'over') {
        delayMs = SEND_AGAIN_MS_MIN;
        continue;
      }
      await background.pause(Math.max(answer.retryAfterMs, delayMs));
      delayMs = Math.min(delayMs * 2, SEND_AGAIN_MS_MAX);
    }
  }

  async #send(live: Live, sent: Sent): Promise<'over' | { readonly retryAfterMs: number }> {
    const { parts, records } = this.#shell;
    const { agent } = live.known;
    const id = eventIdOf('delivered', sent.message);
    const delivered = (type: 'accepted' | 'dead', code: string | null): Write => {
      const payload: AgentPayload<'message.delivered'> = { message: sent.message, type, code };
      return records.of(agent, [{ id, type: 'message.delivered', payload }]);
    };
    const answer = await this.#hand(agent, sent, delivered('accepted', null));
    if (answer.type !== 'ok') {
      const isFinal = answer.type === 'invalid' || answer.type === 'denied';
      const isTooOld = parts.clock.now() >= sent.retry_until;
      if (!isTooOld && !isFinal) return { retryAfterMs: answer.type === 'busy' ? answer.retryAfterMs : 0 };
      await records.append([delivered('dead', isFinal ? answer.code : 'message.undeliverable')]);
    }
    live.view.outbox.delete(sent.message);
    return 'over';
  }

  /** One attempt. `ok`: accepted, and `delivered` is on disk. */
  async #hand(agent: string, sent: Sent, delivered: Write): Promise<Outcome> {
    const { inbox, parts, records, roster } = this.#shell;
    const message = unwrap(parseEventId(sent.message), 'a message id');
    const correlation = unwrap(parseEventId(sent.turn), 'a turn id');
    const cause = records.causeOf(sent.index);
    const { to, name, body, contract } = sent;
    const other = otherContract(contract, roster.get(to) ?? parts.remote?.find(to));
    if (other !== undefined) return other;
    if (roster.get(to) === undefined && parts.remote?.find(to) !== undefined) {
      const from = { agent, did: records.didOf(agent) };
      const deadline = sent.retry_until;
      const outgoing = {
        message,
        kind: 'tell',
        from,
        to,
        contract,
        name,
        body,
        chain: [],
        deadline,
        correlation,
        cause,
        ...this.#under(sent.index),
      } as const;
      const answer = await parts.remote.tell(outgoing, this.#closed.signal);
      if (answer.type === 'ok') await records.append([delivered]);
      return answer;
    }
    const pays = this.#paying(agent, sent, cause);
    const arriving = { ...arrivingOf(message, 'tell', name, body), from: agent, correlation, cause, ...pays };
    const answer = await inbox.accept(to, arriving, [delivered]);
    return answer.type === 'accepted' ? { type: 'ok', value: null } : answer;
  }

  #paying(sender: string, sent: Sent, cause: Cause): ReturnType<typeof payingFor> {
    const { parts, records, roster, contracts } = this.#shell;
    if (parts.pay === undefined) return {};
    const contract = contracts.get(roster.get(sent.to)?.contract ?? '');
    const action = sentActionOf(sent, { contract, sender, actor: records.didOf(sender), cause });
    return payingFor(parts, action, this.#under(sent.index).delegations);
  }

  /** The chain under which it was allowed to leave: its record has it. */
  #under(index: number): Pick<Outgoing, 'delegations'> {
    const [sent] = this.#shell.parts.log.read(index, index + 1);
    const delegations = sent?.decision?.delegations;
    return delegations === undefined ? {} : { delegations };
  }
}

function nextTo(live: Live, to: string): Sent | undefined {
  return [...live.view.outbox.values()].find((sent) => sent.to === to);
}
