/**
 * How a node answers the service discovery of NATS (`$SRV.PING`, `INFO` and `STATS`, ADR-32), so that `nats micro ls` and its
 * kin show a realm's nodes. The answers are for people and their tools: nothing in them is signed, and no node believes one.
 */
import type { Did } from '../runtime/codec/did.ts';
import type { Millis } from '../runtime/core/brand.ts';
import { type NodeToken, type Realm, subject } from './subject.ts';

export type Verb = 'PING' | 'INFO' | 'STATS';

export const VERBS: readonly Verb[] = ['PING', 'INFO', 'STATS'];

/** What a node is, for its present life. */
export type NodeCard = {
  readonly node: Did;
  readonly self: NodeToken;
  readonly realm: Realm;
  /** Of this software: `major.minor.patch`. */
  readonly version: string;
  /** The boot epoch in base64url. */
  readonly epoch: string;
  readonly started: Millis;
};

/** How it does at this moment. */
export type NodeLoad = {
  /** How many there are, and what they are called. */
  readonly agents: number;
  readonly names: readonly string[];
  /** Messages that wait for its agents. */
  readonly mailbox: number;
  /** Milliseconds since the oldest turn under way began. */
  readonly turn: number;
  /** Since the start: requests that arrived, and how many of them were refused. */
  readonly asks: number;
  readonly refused: number;
  /** Its clock, and how many other nodes' clocks are more than 2 s from it. */
  readonly now: Millis;
  readonly clocksApart: number;
};

/** The answer to one verb: data for JSON. */
export function discoveryAnswer(verb: Verb, card: NodeCard, load: NodeLoad): object {
  const { node, self, realm, version, epoch, started } = card;
  const metadata = { agents: String(load.agents), epoch, node, protocol: 'iatp-mesh/1', realm };
  const service = { id: self, metadata, name: subject.serviceName, version };
  const endpoint = { name: 'ask', queue_group: '', subject: subject.asked(realm, self) };
  switch (verb) {
    case 'PING':
      return { ...service, type: 'io.nats.micro.v1.ping_response' };
    case 'INFO': {
      const description = 'a node of a Ringmesh realm';
      const endpoints = [{ ...endpoint, metadata: {} }];
      const names = load.names.slice(0, NAMES_MAX).join(' ');
      return {
        ...service,
        metadata: { ...metadata, names },
        description,
        endpoints,
        type: 'io.nats.micro.v1.info_response',
      };
    }
    case 'STATS': {
      const counts = { num_requests: load.asks, num_errors: load.refused, last_error: '' };
      const times = { processing_time: 0, average_processing_time: 0 };
      const data = {
        agents: load.agents,
        mailbox: load.mailbox,
        turn_ms: load.turn,
        now: load.now,
        clocks_apart: load.clocksApart,
      };
      const endpoints = [{ ...endpoint, ...counts, ...times, data }];
      return { ...service, endpoints, started: rfc3339(started), type: 'io.nats.micro.v1.stats_response' };
    }
  }
}

/** Of 63 characters each, they fit into a message. */
const NAMES_MAX = 4_096;

function rfc3339(at: Millis): string {
  // biome-ignore lint/style/noRestrictedGlobals: it spells a moment that was given, and reads no clock.
  return new Date(at).toISOString();
}
