/* SPDX-License-Identifier: Apache-2.0
 *
 * A folder that is filled beside the place where it is to be, and gets there whole or not at all. */
#ifndef SERVER_COMMAND_DRAFT_FOLDER_H
#define SERVER_COMMAND_DRAFT_FOLDER_H

#include <stdbool.h>

#include "common/err.h"
#include "common/own.h"

struct draft_folder {
	const char *target; /* the caller's; without a slash at its end */
	char *path;         /* "<target>.part-XXXXXX"; NULL once it is committed */
	int root;           /* it, open; -1: not yet */
};

/* Makes the folder, of a mode that lets nobody else put a link into it; target must outlive it. Finish
 * removes it with all that is in it, unless it was committed. */
bool draft_folder_open(struct draft_folder *draft, const char *target, struct err *err);
void draft_folder_finish(struct draft_folder *draft);
#define AUTO_DRAFT_FOLDER AUTO(draft_folder_finish)

/* Gives it its name, durably. ERR_CONFLICT where something has that by now. */
bool draft_folder_commit(struct draft_folder *draft, struct err *err);

/* Whether a name is that of a draft whose target's name has so many letters. */
bool draft_folder_is_name(const char *name, int letters);

/* Removes a draft that nobody fills any more. */
void draft_folder_remove(const char *path);

#endif
