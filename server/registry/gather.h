/* SPDX-License-Identifier: Apache-2.0
 *
 * A TF.js module that an upstream has as single files only: brings model.json and the shards that it names,
 * and makes of them the archive that they would always become. */
#ifndef SERVER_REGISTRY_GATHER_H
#define SERVER_REGISTRY_GATHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/own.h"
#include "server/registry/fetch.h"
#include "server/registry/intake.h"

/* More shards than this are no model that was ever seen. */
enum { GATHER_FILES_MAX = 1024 };

/* Whether the upstream of this fetch, which has ended so, may have single files in place of the archive. */
bool gather_is_possible(const struct fetch *archive, enum verdict verdict);

/* The request for the file that tells whether it has. */
struct fetch gather_first(const struct fetch *archive);

struct gather;

/* Of the upstream of this fetch, into the intake, which is empty; both must outlive it. destroy takes NULL.
 */
struct gather *gather_create(const struct fetch *archive, struct intake *intake);
void gather_destroy(struct gather *gather);
AUTO_CLEANER(own_gather, struct gather *, gather_destroy)
#define AUTO_GATHER AUTO(own_gather)

/* NULL gathers from nowhere. */
bool gather_is_from(const struct gather *gather, size_t upstream);

/* What it has so far, without what could not be gone on with. */
int64_t gather_bytes(const struct gather *gather);

/* VERDICT_TAKE: as if the archive had come; VERDICT_ABSENT: it has no model.json; any other with *err, as
 * fetch_run. After VERDICT_BROKEN, _SLOW and _FAILED it can be run again, and goes on where it was. */
enum verdict gather_run(struct gather *gather, struct err *err);

#endif
