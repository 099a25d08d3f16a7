/**
 * Agent cards: what an agent offers and asks of its callers, signed by the agent's key. Folded into the directory, and
 * exported as an A2A agent card (a2a-protocol.org, version 1.0) for those who speak that. The export is a courtesy: A2A
 * readers see our signature only as an extension, and whoever wants to be sure verifies the card inside it.
 */
import type { Cid } from '../runtime/codec/cid.ts';
import type { Did } from '../runtime/codec/did.ts';
import type { KeyPair } from '../runtime/codec/ed25519.ts';
import type { JsonValue } from '../runtime/codec/json.ts';
import type { DigestText } from '../runtime/codec/record.ts';
import { assert } from '../runtime/core/assert.ts';
import type { Millis } from '../runtime/core/brand.ts';
import { toBase64url } from '../runtime/core/bytes.ts';
import { err, ok, type Refusal, type Result } from '../runtime/core/result.ts';
import { cid, did, digest, line, millis, name } from './fields.ts';
import { isSignedInForce, type Subject } from './hosting.ts';
import { readStatement, type Statement, writeStatement } from './statement.ts';
import { integer, list, object, optional, type Shape } from './strict-json.ts';

export type AgentCard = {
  readonly agent: Did;
  /** The contracts it implements, by digest, with what each message does. */
  readonly contracts: readonly {
    readonly digest: DigestText;
    readonly messages: readonly { readonly description: string; readonly name: string }[];
    readonly name: string;
  }[];
  readonly description: string;
  /** Operators' endorsements, by content id. */
  readonly endorsements: readonly Cid[];
  readonly expires: Millis;
  readonly issued: Millis;
  readonly name: string;
  /** What a caller must have. */
  readonly needs: { readonly trust?: number };
  /** Of two cards of one agent the higher revision is in force. */
  readonly revision: number;
  readonly version: string;
};

export function writeCard(card: AgentCard, agentKey: KeyPair): Uint8Array {
  return writeStatement('iatp-mesh/1/card', card, [agentKey]);
}

/** A card whose signature holds, by whomever. */
export function readCard(statement: Uint8Array): Result<Statement<AgentCard>, Refusal> {
  return readStatement(statement, CARD);
}

/** Whether the agent that the card is about signed it, with the key in force. */
export function checkCard(card: Statement<AgentCard>, subject: Subject, at: Millis): Result<true, Refusal> {
  const agent = subject.type === 'key' ? subject.did : subject.identity.did;
  if (card.value.agent !== agent) {
    return err({ code: 'card.other_agent', message: `expected a card of ${agent}, found ${card.value.agent}'s` });
  }
  if (subject.type === 'mesh' && subject.identity.revoked !== undefined) {
    return err({ code: 'did.revoked', message: `expected an identity in force, found ${agent} revoked` });
  }
  if (!isSignedInForce(card, subject)) {
    return err({ code: 'card.wrong_key', message: 'expected the key of the agent that is in force to have signed' });
  }
  if (at > card.value.expires) return err({ code: 'card.expired', message: `expected it to last until ${at}` });
  return ok(true);
}

/** The same as an A2A agent card. `url` is where an A2A gateway answers for the agent; an absolute HTTPS URL. */
export function toA2aCard(card: Statement<AgentCard>, url: string): JsonValue {
  assert(url.startsWith('https://'), 'toA2aCard: an absolute HTTPS URL');
  const { value } = card;
  return {
    name: value.name,
    description: value.description,
    version: value.version,
    supportedInterfaces: [{ url, protocolBinding: 'JSONRPC', protocolVersion: '1.0' }],
    capabilities: {
      streaming: false,
      pushNotifications: false,
      extensions: [
        {
          uri: 'urn:ringmesh:iatp-mesh:1:card',
          description: 'The signed agent card that this one was made from',
          required: false,
          params: { agent: value.agent, cid: card.cid, statement: toBase64url(card.bytes) },
        },
      ],
    },
    defaultInputModes: ['application/json'],
    defaultOutputModes: ['application/json'],
    skills: value.contracts.flatMap((contract) =>
      contract.messages.map((message) => ({
        id: `${contract.name}/${message.name}`,
        name: message.name,
        description: message.description,
        tags: [contract.name],
      })),
    ),
  };
}

const CARD: { readonly domain: 'iatp-mesh/1/card'; readonly shape: Shape<AgentCard> } = {
  domain: 'iatp-mesh/1/card',
  shape: object({
    agent: did,
    contracts: list(object({ digest, messages: list(object({ description: line, name }), 64), name }), 16),
    description: line,
    endorsements: list(cid, 16),
    expires: millis,
    issued: millis,
    name,
    needs: object({ trust: optional(integer(0, 1000)) }),
    revision: integer(0),
    version: line,
  }),
};
