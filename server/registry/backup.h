/* SPDX-License-Identifier: Apache-2.0
 *
 * Backs up a data folder into another, while a daemon serves from it: the blobs, each verified on its way,
 * and the database last, so that whatever is cut off leaves the backup of before. What is there already is
 * kept. */
#ifndef SERVER_REGISTRY_BACKUP_H
#define SERVER_REGISTRY_BACKUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "server/module/name.h"
#include "server/registry/backup_folder.h"
#include "server/registry/paced_blob.h"
#include "server/store/catalog/catalog_passes.h"

struct blobs;
struct catalog;

/* How far it is, in the blobs of the database that was copied. */
struct backup_progress {
	int64_t blobs;
	int64_t bytes;
	int64_t total_blobs;
	int64_t total_bytes;
};

/* What is told on the way; both may be NULL. */
struct backup_watch {
	void (*progressed)(void *context, const char *what, const struct backup_progress *progress);
	/* A blob that is not whole where it comes from: it is left out, and counts as not in the store. */
	void (*faulty)(void *context, const struct pass_blob *blob, const struct name *names, size_t count,
		const char *detail);
	void *context;
};

struct backup_order {
	const char *data_dir;
	struct catalog *catalog; /* of that folder, as are the blobs */
	struct blobs *blobs;
	struct read_rate *rate;
	bool is_index; /* a bucket has the blobs: none is copied */
	bool link;     /* by hard links, on one file system */
	bool checks;   /* what is there already is read, too */
	bool prune;    /* what the new backup has no row for goes */
	struct backup_watch watch;
};

struct backup_report {
	int64_t new_blobs;
	int64_t new_bytes;
	int64_t pruned_blobs;
	int64_t pruned_bytes;
	int64_t faulty;
};

/* The folder's marker tells what it has then. Fails where it could not come to its end: then the folder has
 * the backup of before, if there was one. */
bool backup_run(const struct backup_order *order, struct backup_folder *folder, struct backup_report *report,
	struct err *err);

/* For whoever goes through the blobs of a backup: whether this one is there, by its size; checks: by its
 * bytes, and one that is damaged is removed. */
bool backup_has_blob(struct blobs *blobs, const struct pass_blob *blob, bool checks, struct read_rate *rate);

/* Has a blob of some blobs in others, verified on the way. Where it is not whole there:
 * blob_copy_is_blamed(). */
bool backup_copy_blob(struct blobs *from, const struct pass_blob *blob, struct blobs *into, bool link,
	struct read_rate *rate, struct err *err);

#endif
