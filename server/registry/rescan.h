/* SPDX-License-Identifier: Apache-2.0
 *
 * Judges anew what is here and was judged by an older version of the safety rules: reads it at a bounded
 * rate, beside a daemon or without one, writes down what is found now, and holds back what the policy holds
 * back. What was done counts at once, so that the next run goes on there. */
#ifndef SERVER_REGISTRY_RESCAN_H
#define SERVER_REGISTRY_RESCAN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "server/module/name.h"
#include "server/module/safety/safety_policy.h"

struct blobs;
struct catalog;
struct vault;

enum rescan_outcome {
	RESCAN_UNCHANGED,  /* the findings are those of before */
	RESCAN_JUDGED,     /* they are others */
	RESCAN_HELD,       /* they hold it back, which nothing did before */
	RESCAN_UNREADABLE, /* it could not be read, or is damaged: it stays as it was */
	RESCAN_OUTCOME_COUNT
};

/* What became of one artifact; the texts live as long as the call. */
struct rescanned {
	enum rescan_outcome outcome;
	const char *path; /* of its version; its digest where no version has it */
	enum format format;
	const char *detail;
};

/* The vault, if it is shared, is to be writable. */
struct rescan_tools {
	struct catalog *catalog;
	struct blobs *blobs;
	struct vault *vault;
	const char *data_dir;
	const struct safety_policy *policy;
};

struct rescan_order {
	const char *patterns; /* a list of globs of handles and versions; NULL: all */
	int64_t bytes_per_s;  /* 0: as fast as can be */
	bool dry_run;
	void (*tell)(void *context, const struct rescanned *what);
	void *context;
};

/* What shares its bytes with an artifact that is meant is judged with it. Fails where it cannot go on: the
 * database, the bucket's store, or a daemon that does not answer. What was told of until then stays. */
bool rescan_run(const struct rescan_tools *tools, const struct rescan_order *order, struct err *err);

#endif
