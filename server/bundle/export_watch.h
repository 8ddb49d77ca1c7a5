/* SPDX-License-Identifier: Apache-2.0
 *
 * Who is told how far an export has come, and may end it. */
#ifndef SERVER_BUNDLE_EXPORT_WATCH_H
#define SERVER_BUNDLE_EXPORT_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"

/* How far it has come: first versions are looked at, then their files are copied. A total is 0 where it is
 * not known. */
struct export_progress {
	bool copies;
	int64_t count; /* of versions, then of files */
	int64_t total_count;
	int64_t bytes; /* of files */
	int64_t total_bytes;
};

struct export_watch {
	/* Often; false, with *err, ends the export. */
	bool (*progressed)(
		struct export_watch *watch, const struct export_progress *progress, struct err *err);
};

#endif
