/**
 * Orders: an operator's word to one node, over the control lane, and the node's signed report on it.
 *
 * U1. The operator's own key signs, not that of his tool's login and no node's: who owns the broker or a node orders nobody.
 * U2. An order is for one node of one realm, for at most ORDER_MS. It is obeyed once, however often it arrives: whoever obeys it
 *     knows it again by its content id.
 * U3. A report names the order by its content id and is signed by the node, so nobody else can say what became of it.
 */
import type { Cid } from '../runtime/codec/cid.ts';
import type { Did } from '../runtime/codec/did.ts';
import type { KeyPair } from '../runtime/codec/ed25519.ts';
import type { EventId } from '../runtime/codec/record.ts';
import { assert } from '../runtime/core/assert.ts';
import type { Millis } from '../runtime/core/brand.ts';
import { err, ok, type Refusal, type Result, unwrap } from '../runtime/core/result.ts';
import { cid, didKey, line, millis, uuid } from './fields.ts';
import { FRESH_MS_MAX, SKEW_MS } from './limits.ts';
import { readStatement, type Statement, writeStatement } from './statement.ts';
import { object, oneOf, optional, text } from './strict-json.ts';
import { type NodeToken, nodeToken, parseRealm } from './subject.ts';

export type Order = {
  readonly action: 'ask' | 'suspend' | 'resume' | 'kill' | 'revoke';
  /** Absent: all agents of the node, and of `revoke`; of an ask it is there. */
  readonly agent?: string;
  readonly at: Millis;
  /** Of an ask: what the agent is given, as JSON. Of `revoke`: the signed statement, whoever signed it. */
  readonly body?: string;
  readonly by: Did;
  readonly expires: Millis;
  readonly id: EventId;
  /** Of an ask: what the agent is asked. */
  readonly message?: string;
  readonly node: Did;
  readonly realm: string;
  readonly why: string;
};

export type Report = {
  /** Of an ask: what became of it, as JSON; absent where it is too long, and stands in the log alone. Of `revoke`: the epoch
   *  of the node's revocations now. */
  readonly answer?: string;
  readonly at: Millis;
  readonly by: Did;
  /** Of the refusal. */
  readonly code?: string;
  readonly detail: string;
  readonly order: Cid;
  readonly outcome: 'done' | 'refused';
};

/** As fresh as an envelope: who sends again within it sends the same order. */
export const ORDER_MS = FRESH_MS_MAX;

const AGENT = /^[a-z0-9][a-z0-9/_.-]{0,199}$/i;
const MESSAGE = /^[A-Za-z][A-Za-z0-9]{0,59}$/;
/** In UTF-16 units; a statement has room for three bytes each. */
export const ORDER_TEXT_MAX = 4_000;
const CODE = /^(?=.{3,64}$)[a-z][a-z0-9]*(?:\.[a-z][a-z0-9_]*)+$/;

const ORDER = {
  domain: 'iatp-mesh/1/order',
  shape: object({
    action: oneOf('ask', 'suspend', 'resume', 'kill', 'revoke'),
    agent: optional(text('an agent’s name', (found) => AGENT.test(found))),
    at: millis,
    body: optional(text('JSON', isBounded)),
    by: didKey,
    expires: millis,
    id: uuid,
    message: optional(text('a message of a contract', (found) => MESSAGE.test(found))),
    node: didKey,
    realm: text('a realm', (found) => parseRealm(found).ok),
    why: line,
  }),
} as const;

const REPORT = {
  domain: 'iatp-mesh/1/report',
  shape: object({
    answer: optional(text('JSON', isBounded)),
    at: millis,
    by: didKey,
    code: optional(text('a code', (found) => CODE.test(found))),
    detail: line,
    order: cid,
    outcome: oneOf('done', 'refused'),
  }),
} as const;

function isBounded(found: string): boolean {
  return found.length <= ORDER_TEXT_MAX;
}

/** `pair` is the key of `by`. The order, and the content id that names it. */
export function writeOrder(order: Order, pair: KeyPair): { readonly bytes: Uint8Array; readonly cid: Cid } {
  const fault = ORDER.shape.faultIn(order, '');
  assert(fault === undefined, `writeOrder: ${fault?.expected} at ${fault?.path}`);
  const bytes = writeStatement(ORDER.domain, order, [pair]);
  return { bytes, cid: unwrap(readStatement(bytes, ORDER), 'an order').cid };
}

export function writeReport(report: Report, pair: KeyPair): Uint8Array {
  const fault = REPORT.shape.faultIn(report, '');
  assert(fault === undefined, `writeReport: ${fault?.expected} at ${fault?.path}`);
  return writeStatement(REPORT.domain, report, [pair]);
}

/** What whoever obeys knows. */
export type OrderView = { readonly realm: string; readonly node: Did; readonly operators: ReadonlySet<Did> };

/** An order that was not taken. `from`: the operator, where his own signature proves that it was his. */
export type OrderRefusal = Refusal & { readonly from: Did | undefined; readonly order: Cid | undefined };

/** The order in `bytes`, if it is to be obeyed now. Looks, and remembers nothing. */
export function readOrder(
  bytes: Uint8Array,
  at: Millis,
  view: OrderView,
  carriedFrom: NodeToken,
): Result<Statement<Order>, OrderRefusal> {
  const read = readStatement(bytes, ORDER);
  if (!read.ok) return err({ ...read.error, from: undefined, order: undefined });
  const { value, signers, cid: order } = read.value;
  const anonymous = (code: string, message: string) => err({ code, message, from: undefined, order: undefined });
  if (signers.size !== 1 || !signers.has(value.by))
    return anonymous('order.wrong_key', `expected ${value.by} alone to have signed`);
  if (!view.operators.has(value.by))
    return anonymous('order.not_operator', `expected an operator of the realm, found ${value.by}`);
  if (nodeToken(value.by) !== carriedFrom)
    return anonymous('order.wrong_carrier', `expected the carrier to name ${value.by}`);
  const refuse = (code: string, message: string) => err({ code, message, from: value.by, order });
  if (value.realm !== view.realm)
    return refuse('order.other_realm', `expected the realm ${view.realm}, found ${value.realm}`);
  if (value.node !== view.node)
    return refuse('order.misdirected', `expected an order to ${view.node}, found one to ${value.node}`);
  if (value.at > at + SKEW_MS)
    return refuse('order.future', `expected it to be signed by ${at}, found ${value.at - at} ms later`);
  if (at > value.expires)
    return refuse('order.expired', `expected it to last until ${at}, found ${at - value.expires} ms less`);
  if (value.expires < value.at || value.expires - value.at > ORDER_MS) {
    return refuse('order.too_long', `expected a life of at most ${ORDER_MS} ms, found ${value.expires - value.at}`);
  }
  const isWhole = value.agent !== undefined && value.message !== undefined && value.body !== undefined;
  if (value.action === 'ask' && !isWhole) {
    return refuse('order.no_question', 'expected an agent, a message and what it is given');
  }
  if (value.action === 'revoke' && (value.body === undefined || value.agent !== undefined)) {
    return refuse('order.no_statement', 'expected a signed statement, and no agent');
  }
  return ok(read.value);
}

/** The report in `bytes`, if `node` says there what became of this order (U3). */
export function readReport(
  bytes: Uint8Array,
  { node, order, carriedFrom }: { readonly node: Did; readonly order: Cid; readonly carriedFrom: NodeToken },
): Result<Report, Refusal> {
  const read = readStatement(bytes, REPORT);
  if (!read.ok) return read;
  const { value, signers } = read.value;
  if (signers.size !== 1 || !signers.has(node) || value.by !== node || carriedFrom !== nodeToken(node)) {
    return err({ code: 'report.wrong_key', message: `expected ${node} alone to report` });
  }
  if (value.order !== order) return err({ code: 'report.other_order', message: `expected a report on ${order}` });
  return ok(value);
}
