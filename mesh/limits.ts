/** The bounds of the mesh, with the reason beside each. Units come last in a name. */

/** Claims are names, digests and numbers; the longest legal ones (chain of 32, delegation of 8) stay below. */
export const CLAIMS_BYTES_MAX = 16 * 1024;

/** The broker's default payload is 1 MiB; a quarter of it leaves room for proofs and keeps one body from stalling a link.
 *  Longer bodies travel by digest. */
export const BODY_BYTES_MAX = 256 * 1024;

/** One signature covers at most this many envelopes: a path is then at most 8 hashes. */
export const SEAL_BATCH_MAX = 256;

/** How long one sealing is fresh. Longer than any queue between two live nodes, shorter than anybody's patience. */
export const FRESH_MS_MAX = 30_000;

/** How far two honest clocks differ. Small, because it widens every window. */
export const SKEW_MS = 2_000;

/** A message may wait a week for its recipient; each resending is sealed anew. */
export const DEADLINE_MS_MAX = 7 * 24 * 60 * 60 * 1000;

/** A hosting certificate must be renewed this often, so that a stolen node key is worth an hour. */
export const CERTIFICATE_MS_MAX = 60 * 60 * 1000;

/** A session ends after an hour or this many messages each way: keys and counters never get old. */
export const SESSION_MS_MAX = 60 * 60 * 1000;
export const SESSION_MESSAGES_MAX = 2 ** 20;

/** Sequence numbers that may arrive out of order, as in DTLS but wider: a bundle of 256 may be overtaken by three. */
export const REPLAY_WINDOW_MESSAGES = 1_024;

/** Session-less messages remembered at once: at 32 bytes each a few megabytes; past it they are refused, not forgotten. */
export const SESSIONLESS_REMEMBERED_MAX = 65_536;

/** Handshakes under way: all peers, and one peer. Each holds an ephemeral key and a transcript digest. */
export const HALF_OPEN_MAX = 1_000;
export const HALF_OPEN_PER_PEER_MAX = 8;

/** A handshake is three messages between live nodes; a slower one is begun again. */
export const HANDSHAKE_MS_MAX = 10_000;

/** One handshake message: names, versions, up to 64 contracts. */
export const HANDSHAKE_BYTES_MAX = 16 * 1024;

/** A signed statement: names, keys and digests. An agent card is the longest. */
export const STATEMENT_BYTES_MAX = 16 * 1024;

/** Rotations of one identity. One a day for a year, and it is time for a new one. */
export const ROTATIONS_MAX = 366;

/** Identities, certificates and cards a node keeps: the 100,000 agents that one node may know. */
export const DIRECTORY_MAX = 100_000;

/** Of these, identities of which one node was the first to tell: a quarter, so that no three of them fill it. */
export const IDENTITIES_PER_NODE_MAX = 25_000;

/** A call chain: longer ones are mistakes. */
export const CALL_CHAIN_MAX = 32;

/** A delegation chain. */
export const DELEGATION_CHAIN_MAX = 8;

/** Comparisons for one command's arguments: all predicates of a chain, times the items that they speak of. */
export const DELEGATION_COST_MAX = 10_000;

/** Predicates of one delegation, and values that one of them lists: a token of the largest size holds no more. */
export const PREDICATES_MAX = 64;
export const PREDICATE_VALUES_MAX = 256;

/** A text that a predicate compares: names, paths and addresses are shorter. */
export const PREDICATE_TEXT_MAX = 4_096;

/** A delegation lasts a year at most; whoever means for ever has to say it again. */
export const DELEGATION_SECONDS_MAX = 366 * 24 * 60 * 60;

/** Delegations that a node keeps, in all and of one issuer: as many as the agents it may know, and an issuer's share. */
export const DELEGATIONS_MAX = 100_000;
export const DELEGATIONS_PER_ISSUER_MAX = 4_096;

/** Chains of one agent that are tried for one action. */
export const CHAINS_TRIED_MAX = 64;

/** Reservations of budget that may be open at once: every action that a node may have under way. */
export const RESERVATIONS_MAX = 65_536;

/** Revocations that a node keeps, in all and of one signer. They are for ever, about 500 bytes each. */
export const REVOCATIONS_MAX = 100_000;
export const REVOCATIONS_PER_SIGNER_MAX = 16_384;

/** How old a view of the revocations may be for what is hard to undo (risk class 2 and above). */
export const REVOCATION_AGE_MS_MAX = 30_000;

/** A token that did-jwt is given to read. */
export const JWT_CHARACTERS_MAX = 8 * 1024;

/** Requests whose answer is awaited. */
export const PENDING_MAX = 65_536;

/** Frames waiting between a transport and its reader; past it the transport drops and counts, like every network. */
export const ARRIVALS_MAX = 16_384;

/** Arrivals handed over at once: about a millisecond of signatures, after which commits and sends get their turn. */
export const ARRIVALS_PER_TURN = 8;

/** What the in-memory carrier takes in one message: the default of the broker. */
export const CARRIED_BYTES_MAX = 1024 * 1024;

/** A body with its salt and, if it is encrypted, its tag. */
export const BODY_SECTION_BYTES_MAX = BODY_BYTES_MAX + 32;

/** A bundle fits into one message of the broker with room for its subject. */
export const BUNDLE_BYTES_MAX = CARRIED_BYTES_MAX - 4 * 1024;

/** Statements shown at once: signatures to verify before the next message is looked at, about 50 ms. */
export const PRESENTED_MAX = 64;

/** Certificates, and withdrawals, kept of one agent: one an hour for each of a few nodes it moves between. */
export const PER_AGENT_MAX = 16;
