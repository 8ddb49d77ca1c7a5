/* SPDX-License-Identifier: Apache-2.0
 *
 * The folders of data_dir/unpacked on the disk: one an archive, named by its digest. Each is flat, and made
 * under another name first. Others may remove one, or all of them, at any moment. */
#ifndef SERVER_STORE_UNPACKED_UNPACKED_FOLDER_H
#define SERVER_STORE_UNPACKED_UNPACKED_FOLDER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"
#include "server/store/unpacked/unpack.h"

/* "unpacked/ab12…", in data_dir. */
struct unpacked_path {
	char text[88];
};
struct unpacked_path unpacked_folder_path(const struct digest *digest);

/* Creates data_dir/unpacked, durably, where it is not there. */
bool unpacked_folder_make_root(int data_fd, struct err *err);

/* What is unpacked, and how. */
struct unpacked_source {
	int archive_fd;
	const struct archive_limits *limits;
	const struct unpack_room *room;
};

/* Makes the folder anew, as unpack_archive() does, and the one around it. */
bool unpacked_folder_make(int data_fd, const struct digest *digest, const struct unpacked_source *source,
	struct unpack_record *out, struct filesums *sums, struct err *err);

/* One that is not there is removed. */
bool unpacked_folder_remove(int parent, const char *name, struct err *err);

/* Calls visit with the name of everything in data_dir/unpacked, until it fails. */
bool unpacked_folder_each(int data_fd,
	bool (*visit)(void *context, int root_fd, const char *name, struct err *err), void *context,
	struct err *err);

/* Whether this is the name of a folder that is being made, or was left so. */
bool unpacked_folder_is_draft(const char *name);

/* Gives what has this name in data_dir/unpacked a name of no meaning, at once, to be removed later; and
 * whether a name is such a one. */
bool unpacked_folder_put_aside(int root_fd, const char *name, struct err *err);
bool unpacked_folder_is_aside(const char *name);

/* What a folder says of itself, and since when it is there (in seconds since 1970); false where it does not.
 */
bool unpacked_folder_read(int root_fd, const char *name, struct unpack_record *record, int64_t *made_at);

/* Whether it has lost files since it was made, as one that is just being removed by hand. */
bool unpacked_folder_lacks_files(int folder_fd);

#endif
