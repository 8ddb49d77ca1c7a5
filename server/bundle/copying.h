/* SPDX-License-Identifier: Apache-2.0
 *
 * The files of the modules that are exported, from the store to where the bundle is written. */
#ifndef SERVER_BUNDLE_COPYING_H
#define SERVER_BUNDLE_COPYING_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "server/bundle/exporting.h"
#include "server/bundle/notes.h"
#include "server/store/outgoing.h"

struct copying {
	const struct exporting_options *options;
	struct outgoing *outgoing;
	struct notes *list;
	int64_t files; /* of different bytes */
	int64_t bytes;
};

/* Appends an artifact to the list; what: how people call it. Several may have the same blob. */
bool copying_add(struct notes *list, const struct bundle_blob *blob, const char *what, struct err *err);

/* Copies them. Where one is damaged the others are looked at, too, and the options' damages name all that
 * are: ERR_DIGEST_MISMATCH. */
bool copying_run(const struct copying *copying, struct err *err);

#endif
