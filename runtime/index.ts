/** `ringmesh/runtime`: the names that authors and tools import. */

export { agentsIn, stateAt } from './actor/agent-stream.ts';
// Agents: what runs them
export { type AgentModule, type ChildOptions, childHosts } from './actor/child-hosts.ts';
// Agents: what authors write
export type {
  AskOptions,
  Asks,
  Caller,
  Context,
  ContextOf,
  SpawnOptions,
  TellOptions,
  Tells,
  Terminated,
  UseOptions,
  Waited,
} from './actor/context.ts';
export { type Contract, type ContractSpec, contract, type MessageSpec, type Needs } from './actor/contract.ts';
export type { DeadLetter } from './actor/dead-letters.ts';
export { delegate, type Grant } from './actor/delegate-tool.ts';
export type { Duration } from './actor/duration.ts';
export type { Hosts } from './actor/hosts.ts';
export { type Body, type Implementation, implement } from './actor/implement.ts';
export { AgentNode } from './actor/node.ts';
export type { NodeParts } from './actor/node-parts.ts';
export { fail, NotOkError } from './actor/not-ok.ts';
export { type AgentName, type Ref, refTo } from './actor/ref.ts';
export type { Schema } from './actor/schema.ts';
export type { ChildKind, Strategy, Supervise } from './actor/supervision.ts';
export { type ProvidedTool, provide, type Tool, type ToolCall, ToolError, tool } from './actor/tool.ts';
// Trees, proofs and checkpoints
export { type Checkpoint, type Origin, openCheckpoint, parseOrigin } from './codec/checkpoint.ts';
// Names and keys
export { type Cid, cidOf, digestOfCid, parseCid } from './codec/cid.ts';
export { type Did, parseDid } from './codec/did.ts';
export { formatDidKey, parseDidKey } from './codec/did-key.ts';
export { type Digest, formatDigest, parseDigestText, sha256 } from './codec/digest.ts';
export { admitKey, generateKeyPair, type KeyPair, type PublicKey, sign, verify } from './codec/ed25519.ts';
// Records and canonical JSON
export { canonicalJson, type JsonValue } from './codec/json.ts';
export { hashLeaf, hashNode, verifyConsistency, verifyInclusion } from './codec/merkle.ts';
export { parseVerifierKey, type Verifier } from './codec/note.ts';
export {
  decodeRecord,
  type EventId,
  type EventType,
  encodeRecord,
  type LogRecord,
  type Payload,
  parseEventId,
  parseEventType,
  parseStreamId,
  type ReplayClass,
  type StreamId,
} from './codec/record.ts';
// Outcomes, errors, time and chance
export { AssertionError } from './core/assert.ts';
export type { Brand, Millis } from './core/brand.ts';
export type { Clock } from './core/clock.ts';
export { DeadlineError } from './core/deadline.ts';
export { CodedError, hasCode } from './core/errors.ts';
export type { Random } from './core/random.ts';
export type { Refusal, Result } from './core/result.ts';
export { systemClock, systemRandom, thisProcess } from './core/system.ts';
export { uuidv7 } from './core/uuid.ts';
// The kernel: what is decided about every action
export type { Action, EffectClass, Risk } from './kernel/action.ts';
export { type AllowList, allowList } from './kernel/allow-list.ts';
export type { Decision, Gate, GateAnswer, GateName, GateRequest, Gates } from './kernel/gate.ts';
export type { NotOk, Outcome } from './kernel/outcome.ts';
// The log
export type { EventLog, ExpectedVersion, NewEvent, Recorded, Snapshot, Write } from './log/event-log.ts';
export { type LogReport, verifyLog } from './log/fsck.ts';
export { createLog, openLog, openReader, succeedLog } from './log/log-directory.ts';
export { ConflictError } from './log/sequencer.ts';
