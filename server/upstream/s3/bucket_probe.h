/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether a bucket can be trusted: that it holds to conditions above all, since nothing else keeps two nodes
 * from giving a version two contents. Tried on objects below probe/, which are removed, also where an answer
 * was lost. */
#ifndef SERVER_UPSTREAM_S3_BUCKET_PROBE_H
#define SERVER_UPSTREAM_S3_BUCKET_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/upstream/s3/bucket.h"

enum probe_verdict { PROBE_OK, PROBE_WARNING, PROBE_FAILURE, PROBE_SKIPPED };

enum { PROBE_STEPS_MAX = 16 };

struct probe_step {
	const char *name; /* "create once" */
	enum probe_verdict verdict;
	int64_t time_ms;
	char detail[320];
	const char *remedy; /* what to do; NULL where nothing is to be done */
};

struct probe_report {
	struct probe_step steps[PROBE_STEPS_MAX];
	size_t count;
	bool sound;   /* no step is a failure */
	bool lasting; /* one is that does not pass by itself */
};

/* Tries the bucket and tells it how it wants ETags. whole: with what takes longer (ranges, digests, parts,
 * speed), which a start can do without. After a failure what depends on it is skipped. */
void bucket_probe(struct bucket *bucket, bool whole, struct probe_report *out);

/* "ok", "warning", "failure", "skipped". */
const char *probe_verdict_name(enum probe_verdict verdict);

#endif
