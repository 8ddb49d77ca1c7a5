/* SPDX-License-Identifier: Apache-2.0
 *
 * The catalog's side of the disk's limits: how much is mirrored, what is pinned, and which blobs go first.
 * The bytes themselves are the blobs' business. */
#ifndef SERVER_STORE_CATALOG_CATALOG_SPACE_H
#define SERVER_STORE_CATALOG_CATALOG_SPACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"
#include "server/module/name.h"
#include "server/store/catalog/catalog.h"

/* The bytes of all blobs in the store that no published version needs. */
bool catalog_mirrored_bytes(struct catalog *catalog, int64_t *out_bytes, struct err *err);

/* What an eviction is to reach, and what it reached. */
struct eviction {
	int64_t wanted_bytes;
	size_t max_blobs;
	bool dry_run;  /* all but the last step: nothing is written */
	bool for_disk; /* the disk's bytes are wanted: a blob with other links would free none */
	int64_t bytes; /* reached: the sum of what was taken */
	size_t count;
	size_t looked;          /* at so many blobs */
	bool over;              /* there are no more that may go */
	int64_t withheld_bytes; /* of blobs that take has refused */
	int64_t linked_bytes;   /* the committer's: of blobs that stay for their other links */
	struct {
		int64_t used_at;
		int64_t id;
	} behind; /* where the next call goes on: what has been looked at is not looked at again */
};

/* In one transaction, which for a dry run writes nothing: blobs that are neither published nor pinned are
 * offered to take, least recently used first, and those for which it answers true no longer count as cached;
 * until wanted_bytes or max_blobs is reached, or it is over. Unless it is a dry run, it may also end after it
 * has looked at so many that others should have their turn. Those that turn out to be pinned are noted so,
 * and no later eviction looks at them. The files are the caller's to remove afterwards. */
bool catalog_evict(struct catalog *catalog, struct eviction *eviction,
	bool (*take)(void *context, const struct digest *digest, int64_t size_bytes), void *context,
	struct err *err);

/* Has each later eviction written down in the audit log, a row for all that goes in one transaction: for a
 * command, before the catalog is used. */
void catalog_audit_evictions(struct catalog *catalog);

/* Pins the versions that a pattern stands for, also those to come: one version ("acme/model/1"), or a shell
 * pattern of handles such as "acme/model" itself. *added is false where it was there. */
bool catalog_pin(struct catalog *catalog, const char *pattern, int64_t now_s, bool *added, struct err *err);
/* ERR_NOT_FOUND where no such pin is. */
bool catalog_unpin(struct catalog *catalog, const char *pattern, struct err *err);

/* The same as a note of this revision says, unless a later one was taken. */
bool catalog_take_pin(struct catalog *catalog, const char *pattern, bool pinned, int64_t at_s,
	int64_t revision, struct err *err);

/* The pattern that pins a name, NULL where none does; free() it. */
bool catalog_find_pin(struct catalog *catalog, const struct name *name, char **out_pattern, struct err *err);

struct pin_row {
	char *pattern;
	int64_t created_at;
};
/* By pattern; the caller owns *out. */
bool catalog_list_pins(struct catalog *catalog, struct pin_row **out, size_t *count, struct err *err);
void pin_rows_destroy(struct pin_row *rows, size_t count);

#endif
