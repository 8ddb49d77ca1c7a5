/* SPDX-License-Identifier: Apache-2.0
 *
 * The folder of a backup: blobs by their digests, and the database that was copied last, which its marker
 * names. The marker changes at once and last, so a backup that is cut off is the one of before. */
#ifndef SERVER_REGISTRY_BACKUP_FOLDER_H
#define SERVER_REGISTRY_BACKUP_FOLDER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"
#include "common/own.h"

struct backup_marker {
	int64_t number; /* of the catalog's folder; 0: no backup has come to its end here */
	int64_t at_s;
	int64_t blobs;
	int64_t bytes;
	bool is_index;          /* of a node over a bucket, which has the blobs */
	struct digest database; /* of the file larder.db in it */
	char larder[32];
};

struct backup_folder {
	char *path;
	int fd; /* locked while it is open */
	struct backup_marker marker;
};

/* Takes it for writing: makes it where there is none, removes what one that was cut off left. ERR_CONFLICT
 * where it has anything in it and is no backup, or one of a newer format; ERR_BUSY while another backup or
 * restore works on it. */
bool backup_folder_open(const char *path, struct backup_folder *folder, struct err *err);
/* The same for reading. ERR_NOT_FOUND where no backup has come to its end in it. */
bool backup_folder_read(const char *path, struct backup_folder *folder, struct err *err);
void backup_folder_finish(struct backup_folder *folder);

/* "DIR/catalog-3", of a number; free() it. */
char *backup_folder_catalog(const struct backup_folder *folder, int64_t number);

/* Removes that of a number, with what is in it. */
bool backup_folder_drop(const struct backup_folder *folder, int64_t number, struct err *err);

/* From now on this is the backup: durable on return. */
bool backup_folder_commit(struct backup_folder *folder, const struct backup_marker *marker, struct err *err);

#endif
