/* SPDX-License-Identifier: Apache-2.0
 *
 * Follows a spool while it grows, on two threads of its own: one hashes every byte, the other examines the
 * artifact. Judges nothing and keeps nothing; whoever started it decides what the findings mean. */
#ifndef SERVER_REGISTRY_INSPECTOR_H
#define SERVER_REGISTRY_INSPECTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"
#include "common/own.h"
#include "common/sums.h"
#include "common/waiter.h"
#include "server/module/archives/archive_limits.h"
#include "server/module/examination.h"
#include "server/registry/inspection_places.h"
#include "server/store/spool_stream.h"

struct inspection {
	bool whole; /* read to its end: checksums, sums and size are those of the complete spool */
	struct checksums checksums;
	struct sum_set sums; /* those that were wanted, its SHA-256 and its length */
	int64_t size_bytes;
	struct examination *examination;
	struct inspection_places *place; /* NULL: it has none, or needs none any more */
};
void inspection_finish(struct inspection *inspection);
#define AUTO_INSPECTION AUTO(inspection_finish)

struct inspector;

/* Starts the threads; they end with the spool: complete and read, or refused. The limits are copied. What is
 * at most INSPECTION_SMALL_BYTES long is examined once it is complete, and has a place meanwhile; where much
 * is listed of it, until the inspection is finished. */
bool inspector_start(struct spool *spool, enum format format, const struct archive_limits *limits,
	struct inspection_places *places, struct inspector **out, struct err *err);

/* Has these sums (1 << SUM_MD5 …) computed beside SHA-256. To be called before the spool has a byte that is
 * new to the inspector; later calls have no effect. MD5 of what is
 * small is among the sums in any case. */
void inspector_want(struct inspector *inspector, unsigned sums);

/* Whether it has already found a violation: what else arrives is not worth its transfer. */
bool inspector_has_given_up(const struct inspector *inspector);

/* Whether it is still at work; the waiter has joined then, and is woken at its end. leave takes it back;
 * false if it has not joined, or has been or is being woken. */
bool inspector_await(struct inspector *inspector, struct waiter *waiter);
bool inspector_leave(struct inspector *inspector, struct waiter *waiter);

/* Blocks until the inspector has ended. The caller owns *out. False where the spool was refused or could not
 * be read. */
bool inspector_wait(struct inspector *inspector, struct inspection *out, struct err *err);

/* Waits for the threads and frees it all. The spool must be complete or have ended by now. Takes NULL. */
void inspector_destroy(struct inspector *inspector);
AUTO_CLEANER(own_inspector, struct inspector *, inspector_destroy)
#define AUTO_INSPECTOR AUTO(own_inspector)

#endif
