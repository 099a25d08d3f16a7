/**
 * Every bound of the house, with the reason beside it. A queue, loop, retry or map without a bound here is a fault.
 * Units come last in a name.
 */

/** tlog-tiles entry bundles frame a record with a 16-bit length, so a longer one could not be exported. */
export const RECORD_BYTES_MAX = 65_535;

/** Larger payloads go to the blob store: a fold over one stream must not drag other people's documents through memory. */
export const PAYLOAD_INLINE_BYTES_MAX = 4_096;

/** One blob. LMDB stores a value in consecutive pages, and a value is read whole; 16 MiB keeps both harmless. */
export const BLOB_BYTES_MAX = 16 * 1024 * 1024;

/** Nesting of a payload. Deeper than any document a person writes, shallow enough for recursion on any stack. */
export const PAYLOAD_DEPTH_MAX = 64;

/** Events in one durable batch: the gain of a larger one is below 2x, and its records must fit in memory twice. Also the
 *  width of a tile, so that a busy writer's batches become whole entry bundles. */
export const BATCH_EVENTS_MAX = 256;

/** Bytes of records and blobs in one durable batch, so that 256 large events do not become one very long write. */
export const BATCH_BYTES_MAX = 32 * 1024 * 1024;

/** Events waiting for a flush before `append` refuses with `log.busy`: 64 batches, about a second on a slow disk. */
export const APPEND_QUEUE_EVENTS_MAX = 16_384;

/** How long a flush may take. A healthy disk needs milliseconds and a failing one may never answer (reproduced: an
 *  ENOSPC in LMDB's meta page leaves the promise pending), so past this the log stops. */
export const FLUSH_MS_MAX = 30_000;

/** Length of a stream's name. LMDB keys are at most 1,978 bytes; 200 keeps index pages dense. */
export const STREAM_ID_BYTES_MAX = 200;

/** Stream heads kept in memory: about 200 bytes each; the rest are read from the index when asked for. */
export const STREAM_HEADS_MAX = 100_000;

/** Records kept in memory after their flush, for whoever folds what he has just appended. */
export const RECENT_BYTES_MAX = 8 * 1024 * 1024;

/** Disk kept aside so that a full disk can still be recorded, and the log closed in order. */
export const RESERVE_BYTES = 64 * 1024 * 1024;

/** Snapshot of one projection. Larger state is a sign that it should be several projections. */
export const SNAPSHOT_BYTES_MAX = 256 * 1024 * 1024;

/** A signed note: three header lines and a few signatures. Anything larger is not a checkpoint. */
export const NOTE_BYTES_MAX = 64 * 1024;

/** A consistency or inclusion proof between trees of at most 2^53 leaves has at most 2 x 53 hashes. */
export const PROOF_HASHES_MAX = 106;

/** One line of JSON on stdin: a payload of `BLOB_BYTES_MAX` with half of it escaped, and no more than one batch. */
export const INPUT_LINE_BYTES_MAX = 32 * 1024 * 1024;

/** Lines appended and not yet acknowledged by one `log append`: 16 batches, so that the disk never waits for the parser, and
 *  a quarter of what the log itself lets wait. */
export const INPUT_IN_FLIGHT_EVENTS_MAX = 4_096;

/** The same in bytes of input: one line of the largest size, and room to go on reading behind it. */
export const INPUT_IN_FLIGHT_BYTES_MAX = 48 * 1024 * 1024;
