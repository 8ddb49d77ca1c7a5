/* SPDX-License-Identifier: Apache-2.0
 *
 * The file under a spool: a draft in its folder, until it is named a blob or unlinked. What is in it so far
 * is the spool's to know. */
#ifndef SERVER_STORE_SPOOL_DRAFT_H
#define SERVER_STORE_SPOOL_DRAFT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"

struct spool_draft {
	int folder_fd; /* ours; -1: it is not open */
	int fd;
	char *name;
};

/* Not open. close does nothing then, and leaves the file where it is. */
void spool_draft_init(struct spool_draft *draft);
void spool_draft_close(struct spool_draft *draft);

/* Opens a new one, or one that an earlier process left, cut to its first length bytes: ERR_NOT_FOUND where it
 * has fewer. The name is copied. */
bool spool_draft_create(struct spool_draft *draft, int drafts_fd, const char *name, struct err *err);
bool spool_draft_resume(
	struct spool_draft *draft, int drafts_fd, const char *name, int64_t length, struct err *err);

/* Takes away its name; whoever has it open keeps it. */
bool spool_draft_unlink(const struct spool_draft *draft);

/* Drops all behind the first length bytes. */
bool spool_draft_cut(const struct spool_draft *draft, int64_t length);

/* Gives the first length bytes back to the file system, where that can make holes. */
void spool_draft_give_back(const struct spool_draft *draft, int64_t length);

/* Has the disk begin with these bytes; and makes all durable, which blocks. */
void spool_draft_write_out(const struct spool_draft *draft, int64_t from, int64_t to);
bool spool_draft_sync(const struct spool_draft *draft, struct err *err);

#endif
