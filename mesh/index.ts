/** `ringmesh/mesh`: the names for those who build nodes, gateways and verifiers. */

// Admission
export { type Admitted, admit, admitBundle, type Check, type EnvelopeRefusal, type NodeView } from './admit.ts';
// Agent cards
export { type AgentCard, checkCard, readCard, toA2aCard, writeCard } from './agent-card.ts';
// Envelopes
export { isBundle, splitBundle } from './bundle.ts';
export { type Claims, decodeClaims, messageDigest } from './claims.ts';
// Heartbeats, and who lives
export { type Death, readTold, type Told, writeDeath } from './death.ts';
// Delegation
export {
  delegationEvent,
  grantedPayload,
  type RealmParts,
  realmAuthority,
  restoreAuthority,
  revokedPayload,
} from './delegation/authority.ts';
export {
  type Authority,
  composeChain,
  type DelegationView,
  type Grant,
  type Invocation,
  verifyChain,
} from './delegation/chain.ts';
export { type Delegation, type DelegationClaims, readDelegation } from './delegation/delegation.ts';
export { Delegations } from './delegation/delegations.ts';
export { type DelegationParts, delegationCheck, delegationGate } from './delegation/gate.ts';
export { type CostOf, Ledger } from './delegation/ledger.ts';
export { type DelegationTerms, mint } from './delegation/mint.ts';
export type { Predicate } from './delegation/predicate.ts';
export { DELEGATIONS_MEDIA, learnDelegations, writeDelegations } from './delegation/presentation.ts';
export { didDocument } from './did-document.ts';
// Identities
export { formatDidMesh, isDidMesh, parseDidMesh } from './did-mesh.ts';
export { Directory, type Learned } from './directory.ts';
export type { NodeCard, NodeLoad, Verb } from './discovery.ts';
// Faults on the wire, for tests and chaos
export type { NetworkFault, Way } from './fault-flow.ts';
export { type FaultCounts, FaultProxy, type Injected } from './fault-proxy.ts';
export { splitFrame, verifyFrame } from './frame.ts';
// Handshake and sessions
export { HalfOpen } from './half-open.ts';
export {
  answerConfirm,
  answerHello,
  answerWelcome,
  claimsOfHello,
  type Encryption,
  type Greeting,
  sayHello,
  stepOf,
  type Terms,
  type Welcoming,
} from './handshake.ts';
export { decodeHead, type Epoch, type Head, type Kind } from './head.ts';
export { BEAT_EVERY_MS, type Beat, writeBeat } from './heartbeat.ts';
export { VITAL_EVENT_TYPES, type VitalEvents, vitalEvent } from './heartbeat-events.ts';
export { type Peer, type PeerNews, Peers } from './heartbeat-peers.ts';
// Hosting certificates
export {
  checkCertificate,
  type Hosting,
  readCertificate,
  type Subject,
  writeCertificate,
  writeWithdrawal,
} from './hosting.ts';
export {
  currentKey,
  foldIdentity,
  type Identity,
  learn,
  writeInception,
  writeRevocation,
  writeRotation,
} from './identity.ts';
// Tokens
export { type JwtClaims, type JwtPurpose, type Resolve, readJwt, writeJwt } from './jwt.ts';
export { inspectKeyFile, type KeyFacts, type KeyPurpose, readKeyFile, writeKeyFile } from './key-file.ts';
export {
  createAgentFolder,
  createKeyFolder,
  type KeyFolder,
  openAgentKeys,
  openNodeKeys,
  readKeyFolder,
  revokeAgent,
  rotateAgentKeys,
} from './key-folder.ts';
// The loop of a node
export type { Identities } from './link/desk.ts';
export { type LinkParts, type LinkStats, MeshLink } from './link/link.ts';
export { LINK_EVENT_TYPES, type LinkEvents, type LinkEventType } from './link/link-events.ts';
export { commandOf, readCommand, spell } from './link/words.ts';
// Mailboxes for nodes that are away
export { type Collected, type Letter, MAILBOX, type Mailbox, type MailboxBounds, type Receipt } from './mailbox.ts';
export { admitLetter, type LetterReader, writeLetter } from './mailbox-letter.ts';
export { MemoryMailboxes } from './mailbox-memory.ts';
// Transports
export { type Fault, MemoryCarrier } from './memory-transport.ts';
export {
  composeMessage,
  type Message,
  nodeDid,
  type Route,
  type SealingNode,
  sealMessages,
  sealMessagesAsBundle,
} from './message.ts';
export { type Callout, type KnownNode, LOGIN_MS, natsCalloutLines, serveCallout } from './nats-callout.ts';
export { type NatsPermissions, type NatsTls, type NatsUser, natsConfig, natsPermissions } from './nats-config.ts';
export { answerDiscovery, askDiscovery } from './nats-discovery.ts';
export { type LinkOptions, NatsLink, PACE, type Pace } from './nats-link.ts';
export { natsMailbox, provisionMailbox } from './nats-mailbox.ts';
export type { NatsServer } from './nats-server.ts';
export { connectNats, type NatsOptions, type NatsTransport } from './nats-transport.ts';
export { formatUserNkey, parseUserNkey, type UserNkey } from './nkey.ts';
export { type Awaited, Pending } from './pending.ts';
export { learnPresentation, PRESENTATION_MEDIA, writePresentation } from './presentation.ts';
// Revocation
export { revocationCheck } from './revocation/check.ts';
export { RevocationFeed } from './revocation/feed.ts';
export { readRevocation, writeRevocationOf } from './revocation/revocation.ts';
export { type RevocationHead, Revocations } from './revocation/revocations.ts';
export { Session, Sessions } from './session.ts';
export { Sessionless } from './sessionless.ts';
export type { Statement } from './statement.ts';
export { ALL, type Lane, type NodeToken, nodeToken, parseRealm, type Realm } from './subject.ts';
export type { Arrival, Transport } from './transport.ts';
export { identityLearned, TRUST_EVENTS } from './trust/events.ts';
// Trust
export { explainTrust, grainsInUnits, inUnits, type TrustChange, trustChanged } from './trust/explain.ts';
export { type TrustState, trustDigest, trustProjection } from './trust/projection.ts';
export { RISK_GATES, type Tier, TRUST_FORMULA, tierOf } from './trust/rules.ts';
export { type Asked, type Scored, score } from './trust/score.ts';
export { type Evidence, nameOf, type Subject as TrustSubject, sponsorOf, subjectOf } from './trust/standing.ts';
export { agentScore, type Required, Trust, type Verified, verify } from './trust/trust.ts';
