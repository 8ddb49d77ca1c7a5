/* SPDX-License-Identifier: Apache-2.0
 *
 * A stream that is looked through while somebody reads it. */
#ifndef SERVER_MODULE_SAFETY_WATCH_H
#define SERVER_MODULE_SAFETY_WATCH_H

#include <stdbool.h>

#include "common/err.h"
#include "common/stream.h"
#include "server/module/safety/scan.h"

struct watch {
	struct stream stream;
	struct stream *source;
	struct scan *scan; /* NULL: it has seen what it needs */
};

/* Gives the stream to be read in place of source, which must outlive it. A sparse file is not looked into,
 * which is told. */
struct stream *watch_init(struct watch *watch, struct safety_findings *findings, const char *path,
	bool is_sparse, struct stream *source);
void watch_finish(struct watch *watch);

/* Looks through what nobody has read, as far as it needs that. False where the source fails. */
bool watch_end(struct watch *watch, struct err *err);

#endif
