/* SPDX-License-Identifier: Apache-2.0
 *
 * What Larder counts, in one table; tests wait on these instead of sleeping. */
#ifndef SERVER_METRICS_H
#define SERVER_METRICS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/err.h"

/* X(name, kind, family, labels, help): families of several rows stand together and carry their help on the
 * first. */
#define METRICS(X) \
	X(METRIC_REQUESTS, counter, "larder_requests_total", "", "Requests answered.") \
	X(METRIC_REQUESTS_RUNNING, gauge, "larder_requests_running", "", "Requests being answered now.") \
	X(METRIC_CONNECTIONS, gauge, "larder_connections", "", "Connections of clients, idle ones too.") \
	X(METRIC_HANDSHAKES_RUNNING, gauge, "larder_handshakes_running", "", \
		"Connections that are at their TLS handshake, or silent before it.") \
	X(METRIC_HANDSHAKES_DONE, counter, "larder_handshakes_total", "{result=\"done\"}", \
		"TLS handshakes by what became of them.") \
	X(METRIC_HANDSHAKES_FAILED, counter, "larder_handshakes_total", "{result=\"failed\"}", "") \
	X(METRIC_PREPARED, counter, "larder_prepared_total", "", \
		"Requests answered from the response cache.") \
	X(METRIC_FAST_PATH, counter, "larder_express_total", "", "Of these, answered on the fast path.") \
	X(METRIC_LINGERED, counter, "larder_lingered_total", "", \
		"Connections answered before they had sent all, and read on for a while.") \
	X(METRIC_CROWDED_OUT, counter, "larder_crowded_out_total", "", \
		"Idle connections closed to make room for others.") \
	X(METRIC_SLOW_UPLOADS, counter, "larder_slow_uploads_total", "", \
		"Uploads closed because they were too slow.") \
	X(METRIC_UNWATCHED, counter, "larder_unwatched_total", "", \
		"Connections closed because the system could not watch them.") \
	X(METRIC_SENDER_POOL, counter, "larder_freight_total", "", \
		"Work given to the sender pool: cold files, pieces of them, running fills, bodies in " \
		"chunks.") \
	X(METRIC_BUSY, counter, "larder_busy_total", "", "Requests refused because the queue was full.") \
	X(METRIC_SENT_BYTES, counter, "larder_sent_bytes_total", "", "Bytes of bodies sent to clients.") \
	X(METRIC_MODULE_BYTES, counter, "larder_module_bytes_total", "", \
		"Those of them that were of modules, not of pages and JSON.") \
	X(METRIC_RECEIVED_BYTES, counter, "larder_received_bytes_total", "", "Bytes of request bodies.") \
	X(METRIC_HITS, counter, "larder_artifact_requests_total", "{result=\"hit\"}", \
		"Artifact requests by where the bytes came from.") \
	X(METRIC_MISSES, counter, "larder_artifact_requests_total", "{result=\"miss\"}", "") \
	X(METRIC_COLLAPSED, counter, "larder_artifact_requests_total", "{result=\"collapsed\"}", "") \
	X(METRIC_ABSENT_HITS, counter, "larder_artifact_requests_total", "{result=\"absent\"}", "") \
	X(METRIC_CUTS, counter, "larder_cut_total", "", \
		"Answers that were reset because their fill failed.") \
	X(METRIC_FILLS_STARTED, counter, "larder_fills_total", "{event=\"started\"}", \
		"Fills by what became of them.") \
	X(METRIC_FILLS_KEPT, counter, "larder_fills_total", "{event=\"kept\"}", "") \
	X(METRIC_FILLS_ABSENT, counter, "larder_fills_total", "{event=\"absent\"}", "") \
	X(METRIC_FILLS_FAILED, counter, "larder_fills_total", "{event=\"failed\"}", "") \
	X(METRIC_FILLS_RUNNING, gauge, "larder_fills_running", "", "Fills running now.") \
	X(METRIC_FILL_WAITERS, gauge, "larder_fill_waiters", "", \
		"Client answers that wait on a fill or stream from it.") \
	X(METRIC_UPSTREAM_REQUESTS, counter, "larder_upstream_requests_total", "", \
		"Requests sent upstream.") \
	X(METRIC_UPSTREAM_BYTES, counter, "larder_upstream_received_bytes_total", "", \
		"Bytes of bodies from upstream.") \
	X(METRIC_UPSTREAM_RETRIES, counter, "larder_upstream_retries_total", "", "Transfers tried again.") \
	X(METRIC_UPSTREAM_RESUMES, counter, "larder_upstream_resumes_total", "", \
		"Transfers taken up where they broke.") \
	X(METRIC_UPSTREAM_COOLDOWNS, counter, "larder_upstream_cooldowns_total", "", \
		"Cool-downs of upstreams that failed.") \
	X(METRIC_UPSTREAMS_COOLING, gauge, "larder_upstreams_cooling", "", \
		"Upstreams that cool down or await their probe.") \
	X(METRIC_STORE_GETS, counter, "larder_store_requests_total", "{kind=\"get\"}", \
		"Requests to the bucket's store, those that were asked again each time.") \
	X(METRIC_STORE_HEADS, counter, "larder_store_requests_total", "{kind=\"head\"}", "") \
	X(METRIC_STORE_PUTS, counter, "larder_store_requests_total", "{kind=\"put\"}", "") \
	X(METRIC_STORE_PARTS, counter, "larder_store_requests_total", "{kind=\"part\"}", "") \
	X(METRIC_STORE_DELETES, counter, "larder_store_requests_total", "{kind=\"delete\"}", "") \
	X(METRIC_STORE_LISTS, counter, "larder_store_requests_total", "{kind=\"list\"}", "") \
	X(METRIC_STORE_RETRIES, counter, "larder_store_retries_total", "", \
		"Those of them that were asked again.") \
	X(METRIC_STORE_FAILURES, counter, "larder_store_failures_total", "", \
		"Those that the store did not do for now, or whose answer was lost.") \
	X(METRIC_STORE_WAITED_GETS_MS, counter, "larder_store_waited_milliseconds_total", "{kind=\"get\"}", \
		"How long requests to the bucket's store were waited for, all together.") \
	X(METRIC_STORE_WAITED_HEADS_MS, counter, "larder_store_waited_milliseconds_total", \
		"{kind=\"head\"}", "") \
	X(METRIC_STORE_WAITED_PUTS_MS, counter, "larder_store_waited_milliseconds_total", "{kind=\"put\"}", \
		"") \
	X(METRIC_STORE_WAITED_PARTS_MS, counter, "larder_store_waited_milliseconds_total", \
		"{kind=\"part\"}", "") \
	X(METRIC_STORE_WAITED_DELETES_MS, counter, "larder_store_waited_milliseconds_total", \
		"{kind=\"delete\"}", "") \
	X(METRIC_STORE_WAITED_LISTS_MS, counter, "larder_store_waited_milliseconds_total", \
		"{kind=\"list\"}", "") \
	X(METRIC_STORE_WITHIN_5MS, histogram, "larder_store_request_milliseconds", "_bucket{le=\"5\"}", \
		"How long each of them took.") \
	X(METRIC_STORE_WITHIN_20MS, histogram, "larder_store_request_milliseconds", "_bucket{le=\"20\"}", \
		"") \
	X(METRIC_STORE_WITHIN_100MS, histogram, "larder_store_request_milliseconds", "_bucket{le=\"100\"}", \
		"") \
	X(METRIC_STORE_WITHIN_500MS, histogram, "larder_store_request_milliseconds", "_bucket{le=\"500\"}", \
		"") \
	X(METRIC_STORE_WITHIN_2S, histogram, "larder_store_request_milliseconds", "_bucket{le=\"2000\"}", \
		"") \
	X(METRIC_STORE_WITHIN_10S, histogram, "larder_store_request_milliseconds", "_bucket{le=\"10000\"}", \
		"") \
	X(METRIC_STORE_WITHIN_ANY, histogram, "larder_store_request_milliseconds", "_bucket{le=\"+Inf\"}", \
		"") \
	X(METRIC_STORE_TIMED_SUM, histogram, "larder_store_request_milliseconds", "_sum", "") \
	X(METRIC_STORE_TIMED_COUNT, histogram, "larder_store_request_milliseconds", "_count", "") \
	X(METRIC_LEASES_HELD, gauge, "larder_leases_held", "", \
		"Leases on names that this node holds for the others.") \
	X(METRIC_LEASES_FOLLOWING, gauge, "larder_leases_following", "", \
		"Fills that take their bytes from another node now.") \
	X(METRIC_LEASES_ACQUIRED, counter, "larder_leases_total", "{event=\"acquired\"}", \
		"Leases by what became of them.") \
	X(METRIC_LEASES_TAKEN, counter, "larder_leases_total", "{event=\"taken-over\"}", "") \
	X(METRIC_LEASES_FOLLOWED, counter, "larder_leases_total", "{event=\"followed\"}", "") \
	X(METRIC_LEASES_LOST, counter, "larder_leases_total", "{event=\"lost\"}", "") \
	X(METRIC_PEER_BYTES, counter, "larder_peer_received_bytes_total", "", \
		"Bytes taken from other nodes while these fetched them.") \
	X(METRIC_TIDINGS, counter, "larder_tidings_total", "", \
		"Versions of this node's that another one withdrew.") \
	X(METRIC_HEARSAY, counter, "larder_hearsay_total", "", \
		"Formats of versions that are listed here because another node has kept them.") \
	X(METRIC_CHECKPOINTS, counter, "larder_fill_bookmarks_total", "", \
		"Checkpoints written, for fills to go on after a restart.") \
	X(METRIC_FILLS_CONTINUED, counter, "larder_fills_continued_total", "", \
		"Fills that went on with an earlier process's draft.") \
	X(METRIC_QUARANTINED, counter, "larder_quarantined_total", "", \
		"Fills refused because upstream changed the bytes, or held back by the safety policy.") \
	X(METRIC_MIRRORED_BYTES, gauge, "larder_mirrored_bytes", "", \
		"Bytes of mirrored blobs in the store.") \
	X(METRIC_RESERVED_BYTES, gauge, "larder_reserved_bytes", "", \
		"Bytes claimed for fills that are running.") \
	X(METRIC_FREE_BYTES, gauge, "larder_free_bytes", "", \
		"Free on the store's file system, when it was last looked at.") \
	X(METRIC_STORAGE_FULL, gauge, "larder_storage_full", "", \
		"1 where nothing can be taken for want of room, when it was last looked at.") \
	X(METRIC_EVICTIONS, counter, "larder_evictions_total", "", "Mirrored blobs removed to make room.") \
	X(METRIC_EVICTED_BYTES, counter, "larder_evicted_bytes_total", "", \
		"Bytes of mirrored blobs removed to make room.") \
	X(METRIC_SWEEPS, counter, "larder_sweeps_total", "", \
		"Sweeps of the store for blobs that nothing claims.") \
	X(METRIC_PUBLISHED, counter, "larder_published_total", "", "Artifacts published.") \
	X(METRIC_LATE_MD5, counter, "larder_late_md5_total", "", \
		"Blobs whose MD5 was computed after they were kept.") \
	X(METRIC_LATE_LISTINGS, counter, "larder_late_listings_total", "", \
		"Models whose signatures were listed after they were kept.") \
	X(METRIC_LATE_FILESUMS, counter, "larder_late_file_digests_total", "", \
		"Archives whose files' digests were computed after they were kept.") \
	X(METRIC_OUTDATED, gauge, "larder_outdated_inspections", "", \
		"Artifacts in the store that an older version of the safety rules has judged; larder " \
		"rescan " \
		"judges them anew.") \
	X(METRIC_SCRUB_BLOBS, gauge, "larder_scrub_blobs", "", \
		"Blobs held against their digests in the pass of the scrub that runs, or the last one.") \
	X(METRIC_SCRUB_BYTES, gauge, "larder_scrub_bytes", "", "Their bytes.") \
	X(METRIC_SCRUB_DAMAGED, counter, "larder_scrub_damaged_total", "", \
		"Blobs that the scrub found to be damaged or gone.") \
	X(METRIC_SCRUB_PASSES, counter, "larder_scrub_passes_total", "", \
		"Passes of the scrub that came to their end.") \
	X(METRIC_SCRUB_LAST_END, gauge, "larder_scrub_last_end_timestamp_seconds", "", \
		"When the last whole pass of the scrub ended; 0: there was none.") \
	X(METRIC_SCRUB_LAST_DAMAGED, gauge, "larder_scrub_last_damaged", "", \
		"Blobs that it found to be damaged or gone.") \
	X(METRIC_WITHDRAWN, counter, "larder_withdrawn_total", "", "Versions withdrawn.") \
	X(METRIC_WEBHOOKS_DELIVERED, counter, "larder_webhook_attempts_total", "{result=\"delivered\"}", \
		"Attempts to tell a webhook of an event.") \
	X(METRIC_WEBHOOKS_FAILED, counter, "larder_webhook_attempts_total", "{result=\"failed\"}", "") \
	X(METRIC_WEBHOOKS_GIVEN_UP, counter, "larder_webhook_given_up_total", "", \
		"Events that a webhook was not told of after all attempts.") \
	X(METRIC_WEBHOOKS_UNTOLD, counter, "larder_webhook_untold_total", "", \
		"Failed fills that no webhook is told of, because there were many in a minute.") \
	X(METRIC_EVENT_LISTENERS, gauge, "larder_event_listeners", "", "Clients that listen to events.") \
	X(METRIC_UPLOADS_RUNNING, gauge, "larder_uploads_running", "", "Uploads running now.") \
	X(METRIC_UPLOADS_ABORTED, counter, "larder_uploads_aborted_total", "", \
		"Uploads whose client went away.") \
	X(METRIC_UPLOADS_WAITING, gauge, "larder_uploads_waiting", "", "Uploads that wait for their turn.") \
	X(METRIC_INSPECTIONS_WAITING, gauge, "larder_inspections_waiting", "", \
		"Small files that wait until few others are examined.") \
	X(METRIC_UNPACKINGS_WAITING, gauge, "larder_unpackings_waiting", "", \
		"Requests for files of archives that wait for their turn to unpack one.") \
	X(METRIC_QUESTIONS_WAITING, gauge, "larder_questions_waiting", "", \
		"Questions to upstreams that wait for their turn.") \
	X(METRIC_COMMITS, counter, "larder_commits_total", "", \
		"Transactions that recorded artifacts; one can record many.") \
	X(METRIC_COMMITS_WAITING, gauge, "larder_commits_waiting", "", \
		"Received uploads, fills and changes that wait until another process lets go of the " \
		"database.")

enum metric {
#define METRIC_NAME(name, kind, family, labels, help) name,
	METRICS(METRIC_NAME)
#undef METRIC_NAME
		METRIC_COUNT
};

/* How long things took: X(name, family, labels, help), as METRICS has it. */
#define HISTOGRAMS(X) \
	X(HISTOGRAM_FIRST_BYTE_HIT, "larder_first_byte_seconds", "result=\"hit\"", \
		"From the head of a request for a module to the head of its answer. Hits on the fast " \
		"path only where requests are logged.") \
	X(HISTOGRAM_FIRST_BYTE_MISS, "larder_first_byte_seconds", "result=\"miss\"", "") \
	X(HISTOGRAM_FIRST_BYTE_COLLAPSED, "larder_first_byte_seconds", "result=\"collapsed\"", "") \
	X(HISTOGRAM_UPSTREAM, "larder_upstream_seconds", "", "Transfers from upstreams, from begin to end.") \
	X(HISTOGRAM_FSYNC, "larder_fsync_seconds", "", "Making received bytes durable.") \
	X(HISTOGRAM_COMMIT, "larder_commit_seconds", "", \
		"Recording an artifact, with the wait for the transaction before.") \
	X(HISTOGRAM_WAIT_WORKER, "larder_queue_wait_seconds", "queue=\"workers\"", \
		"Waits for a worker, and of fills that clients want for a place (mirror.max_fills).") \
	X(HISTOGRAM_WAIT_FILL, "larder_queue_wait_seconds", "queue=\"fills\"", "")

enum histogram {
#define HISTOGRAM_NAME(name, family, labels, help) name,
	HISTOGRAMS(HISTOGRAM_NAME)
#undef HISTOGRAM_NAME
		HISTOGRAM_COUNT
};

/* Counts one that took so long; two relaxed additions. */
void metric_observe(enum histogram histogram, int64_t us);

void metric_add(enum metric metric, int64_t amount);
void metric_set(enum metric metric, int64_t value);

/* Counts how long a request to the store took that was counted as one of the METRIC_STORE_GETS and what
 * follows them. */
void metric_store_waited(enum metric kind, int64_t ms);

/* The rows of its histogram: of how many at most it was so long. The last one: of all. */
struct metric_bound {
	enum metric metric;
	int64_t ms; /* -1: any */
};
enum { METRIC_STORE_BOUNDS = 7 };
extern const struct metric_bound metric_store_bounds[METRIC_STORE_BOUNDS];
int64_t metric_read(enum metric metric);

/* Counts a refusal by its code: larder_refusals_total{code="not-found"}. */
void metric_refused(enum err_code code);

/* Appends all of them in Prometheus' text format (version 0.0.4). */
void metrics_write(struct buffer *out);

#endif
