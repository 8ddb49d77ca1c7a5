/* SPDX-License-Identifier: Apache-2.0
 *
 * Makes a module's archive from a folder: canonical, so that the same files give the same bytes wherever and
 * whenever they are packed. Whether it is a module that may be published, the examination says. */
#ifndef SERVER_MODULE_ARCHIVES_PACK_H
#define SERVER_MODULE_ARCHIVES_PACK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"

/* Symbolic links are refused, or packed as what they lead to. */
enum pack_links { PACK_LINKS_REFUSED, PACK_LINKS_FOLLOWED };

/* Followed links can multiply folders: no more files and folders than this are packed. */
enum { PACK_LINKED_MAX = 100000 };

struct pack_watcher {
	void (*progressed)(struct pack_watcher *watcher, int64_t done_bytes, int64_t total_bytes);
	/* A link is followed to a place outside of the folder; NULL: not of interest. Before any progress. */
	void (*left)(struct pack_watcher *watcher, const char *link, const char *target);
};

/* Writes the folder's archive to fd, from its offset on: folders before files, each sorted, without owners
 * and times. watcher may be NULL. ERR_INVALID_MODULE names what is neither a file nor a folder, names that
 * are not UTF-8, links that lead to nothing or back to a folder that holds them, and more than
 * PACK_LINKED_MAX. */
bool pack_folder(
	const char *folder, enum pack_links links, int fd, struct pack_watcher *watcher, struct err *err);

#endif
