/** The bounds of a link, with the reason beside each. Units come last in a name. */

/** Handshakes under way from which on a hello must bring a cookie: more than a realm that starts at once has. */
export const HALF_OPEN_BUSY = 64;

/** A hello is said again after this long, then twice as long, and so on: nodes on one broker answer within milliseconds. */
export const HELLO_RETRY_MS_MIN = 250;
export const HELLO_RETRY_MS_MAX = 2_000;

/** For so long the hello of the lower DID wins over one that crosses it. After that, whoever is heard is answered. */
export const RACE_MS_MAX = 2_000;

/** An unanswered message is sealed again after this long, then twice as long; never later than half its freshness. */
export const RESEND_MS_MIN = 1_000;
export const RESEND_MS_MAX = 15_000;

/** Tells that wait to be accepted. Asks are bounded by PENDING_MAX. */
export const TELLS_MAX = 65_536;

/** Requests of others under way here: each holds its promise and a claims object. */
export const INBOX_MAX = 16_384;

/** Of these, one node's: others must find room. */
export const INBOX_PER_NODE_MAX = 4_096;

/** Nodes that a link keeps state of. */
export const PEERS_MAX = 4_096;

/** Sessions of one node: the one in use, and those over which something may still be on its way. */
export const SESSIONS_PER_PEER_MAX = 4;

/** Answers that wait for a session. Past it they are dropped, and asked for again. */
export const ANSWERS_MAX = 16_384;

/** Requests that were settled lately: further answers to them are honest repetitions. */
export const SETTLED_KEPT_MAX = 4_096;

/** How often a node says what it hosts. Unchanged announcements cost whoever hears them one hash. */
export const ANNOUNCE_MS = 15_000;

/** A node that was not heard for so long is out of reach: four of its announcements are missing. */
export const SILENT_MS = 75_000;

/** A pause of this node itself that is longer than this is not held against others. */
export const PAUSE_MS = 5_000;

/** Announcements of one node that are looked at: one verification takes 0.1 ms, and one announcement has up to 64. */
export const ANNOUNCEMENT_RATE = { count: 40, periodMs: 10_000, burst: 100 } as const;

/** Announcements of one node that are known again by their hash: 21 agents go into one. */
export const ANNOUNCEMENTS_KEPT_MAX = 256;

/** A certificate is renewed this long before its end: three announcements may be lost. */
export const RENEW_BEFORE_MS = 15 * 60 * 1000;

/** A session is renewed this long before its end, or once 15 of 16 of its messages were sent. */
export const SESSION_SPARE_MS = 60_000;

/** Handshakes that are begun because of what anybody may have sent, per node. */
export const HINT_RATE = { count: 1, periodMs: 1_000, burst: 3 } as const;

/** Signed messages of one node that are looked at. Five times what was ever measured between two nodes. */
export const MESSAGE_RATE = { count: 50_000, periodMs: 1_000, burst: 50_000 } as const;

/** Refusals of one node's messages that are recorded one by one. */
export const REFUSAL_RATE = { count: 10, periodMs: 60_000, burst: 10 } as const;

/** Presentations of one node that are looked at, of statements or delegations: one may hold 64 signatures, which is 6 ms. A
 *  node that shows more than one new chain in 10 ms shows several in one. */
export const PRESENT_RATE = { count: 100, periodMs: 1_000, burst: 500 } as const;

/** Answers to one node whose refusals are too many to be recorded: it is told to wait, and not left in silence. */
export const EXCESS_ANSWER_RATE = { count: 1, periodMs: 1_000, burst: 1 } as const;

/** How often places that have ended are swept. */
export const SWEEP_MS = 60_000;

/** Heads of one peer's log that are kept for comparison: a few seconds of traffic, or all that was recorded. */
export const HEADS_KEPT_MAX = 1_024;

/** Logs of one node that are compared: one for each epoch that its operator opened. */
export const LOGS_PER_NODE_MAX = 4;

/** Contradictions of one node that are recorded: one is proof, and each message can hold another. */
export const SPLIT_VIEW_RATE = { count: 1, periodMs: 60_000, burst: 4 } as const;

/** Sessions of one node that are begun, since each is an event: two in a life, one an hour, and many where the network is
 *  bad. */
export const MEETING_RATE = { count: 1, periodMs: 2_000, burst: 60 } as const;

/** New heads are recorded this seldom. */
export const HEAD_SEEN_MS = 1_000;

/** How often the link looks at what is due. Deadlines are kept to this. */
export const TICK_MS = 25;

/** Names and DIDs that are translated without reading them again. */
export const NAMES_KEPT_MAX = 100_000;

/** A body that travels by digest: as much as one turn can say at once (SAID_BYTES_MAX of the actors), and half of what the
 *  log keeps in one piece. */
export const LARGE_BODY_BYTES_MAX = 8 * 1024 * 1024;

/** One chunk of it. Every envelope has room for it; ours alone decide, so all bodies are cut alike. */
export const CHUNK_BYTES = 128 * 1024;

/** Chunks of one body that are asked for at once: half a megabyte hides the way there and back in any realm. */
export const CHUNKS_IN_FLIGHT_MAX = 4;

/** What is being fetched, in bytes that are set aside for it: from all nodes, and from one. */
export const FETCH_BYTES_MAX = 64 * 1024 * 1024;
export const FETCH_BYTES_PER_NODE_MAX = 16 * 1024 * 1024;

/** Chunks that one node is asked for: 32 MiB a second. It serves twice as many, so that honest nodes never meet its bound. */
export const FETCH_RATE = { count: 256, periodMs: 1_000, burst: 64 } as const;
export const SERVE_RATE = { count: 512, periodMs: 1_000, burst: 128 } as const;

/** A chunk is asked for again after this long, then twice as long; and a body of which nothing came for FETCH_IDLE_MS is
 *  given up: its message comes again if it still matters. */
export const CHUNK_RETRY_MS_MIN = 500;
export const CHUNK_RETRY_MS_MAX = 4_000;
export const FETCH_IDLE_MS = 15_000;

/** What this node lends, in bytes kept in memory: to all, and to one node, which fetches half of that at a time; and for how
 *  long after its message was last sealed. Four times the longest pause between two sealings. */
export const LOAN_BYTES_MAX = 64 * 1024 * 1024;
export const LOAN_BYTES_PER_NODE_MAX = 32 * 1024 * 1024;
export const LOAN_MS = 60_000;

/** Envelopes that are taken before the event loop gets its turn: those of a bundle of 256 would hold it for tens of milliseconds. */
export const ENVELOPES_PER_TURN = 16;

/** How long somebody is told to stay away for whom there is no room. */
export const BUSY_MS = 1_000;
