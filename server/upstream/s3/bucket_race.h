/* SPDX-License-Identifier: Apache-2.0
 *
 * Several threads that write one object of a bucket at the same instant, under one condition that only one of
 * them can meet. */
#ifndef SERVER_UPSTREAM_S3_BUCKET_RACE_H
#define SERVER_UPSTREAM_S3_BUCKET_RACE_H

#include <stdbool.h>

#include "server/upstream/s3/bucket.h"

enum { BUCKET_RACERS = 8 };

struct bucket_race {
	enum bucket_outcome told[BUCKET_RACERS];
	int done;    /* how many were told that they wrote */
	int unclear; /* … that they may have, or that it was not the time to */
	int winner;  /* whose bytes are there; -1: nobody's */
	char etag[S3_ETAG_MAX];
};

enum bucket_race_end {
	RACE_WON,     /* one was told that it wrote, and did */
	RACE_UNCLEAR, /* none was told so, but answers were lost */
	RACE_FALSE    /* more than one was told so, or another than who did */
};

enum bucket_race_end bucket_race_end(const struct bucket_race *race);

/* Runs one and reads what is there. BUCKET_DONE whatever the race came to; else what kept a racer from taking
 * part, or what is there from being read. */
enum bucket_outcome bucket_race(struct bucket *bucket, const char *key,
	const struct bucket_condition *condition, struct bucket_race *out, struct err *why);

#endif
