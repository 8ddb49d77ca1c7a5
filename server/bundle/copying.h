/* SPDX-License-Identifier: Apache-2.0
 *
 * The files of the modules that are exported, from the store to where the bundle is written. */
#ifndef SERVER_BUNDLE_COPYING_H
#define SERVER_BUNDLE_COPYING_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "server/bundle/damage.h"
#include "server/bundle/export_watch.h"
#include "server/bundle/notes.h"
#include "server/bundle/outlet.h"
#include "server/store/outgoing.h"

struct copying {
	struct outlet *outlet;
	struct export_watch *watch;
	struct damages *damages; /* learns more */
	struct outgoing *outgoing;
	struct notes *list;
	int64_t files; /* of different bytes */
	int64_t bytes;
	const struct scratch_place *scratch;
};

/* Appends an artifact to the list; what: how people call it. Several may have the same blob. */
bool copying_add(struct notes *list, const struct bundle_blob *blob, const char *what, struct err *err);

/* Copies them. Where one is damaged the others are looked at, too, and the damages name all that are:
 * ERR_DIGEST_MISMATCH. */
bool copying_run(const struct copying *copying, struct err *err);

#endif
