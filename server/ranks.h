/* SPDX-License-Identifier: Apache-2.0
 *
 * The order of locks, from the first that may be taken to the last. Whoever holds one may take those below it
 * in this list only. Slow ones are held across a write to the database or the removal of files. */
#ifndef SERVER_RANKS_H
#define SERVER_RANKS_H

enum lock_rank {
	RANK_EVENTS,
	RANK_SUSPENSIONS,
	RANK_MIRROR,
	RANK_SCHEDULE,
	RANK_QUESTIONS,
	RANK_LATEST,
	RANK_QUEUE,
	RANK_BREAKERS_NOTING, /* slow */
	RANK_BREAKERS,
	RANK_SPACE,
	RANK_HOLDUP,
	RANK_TURNS,
	RANK_COMMITTER, /* slow */
	RANK_SPAN,      /* slow */
	RANK_COMMITS,
	RANK_BLOBS, /* slow */
	RANK_CHECKPOINTS,
	RANK_BACKFILL,
	RANK_INSPECTOR,
	RANK_MEMBERS,
	RANK_ACCESS,
	RANK_BUDGET,
	RANK_WANTS,
	RANK_WEBHOOKS,
	RANK_FAILED_FILLS,
	RANK_RENDERINGS,
	RANK_FILL_PROGRESS,
	RANK_CLIENT,
	RANK_SPOOL,
	RANK_DB_WRITING, /* slow */
	RANK_DOWNLOAD_COUNTERS,
	RANK_SEARCH_FOLLOWING, /* slow */
	RANK_SEARCH,
	RANK_SEARCH_TERMS,
	RANK_DB,
	RANK_IMPORTS,
	RANK_RESPONSE_CACHE,
	RANK_RENDITIONS,
	RANK_IN_FLIGHT,
	RANK_WORKERS,
	RANK_ACCEPTOR,
	RANK_LOOP,
};

#endif
