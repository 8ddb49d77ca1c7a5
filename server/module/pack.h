/* SPDX-License-Identifier: Apache-2.0
 *
 * Makes a module's archive from a folder: canonical, so that the same files give the same bytes wherever and
 * whenever they are packed. Whether it is a module that may be published, the examination says. */
#ifndef SERVER_MODULE_PACK_H
#define SERVER_MODULE_PACK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"

struct pack_watcher {
	void (*progressed)(struct pack_watcher *watcher, int64_t done_bytes, int64_t total_bytes);
};

/* Writes the folder's archive to fd, from its offset on: folders before files, each sorted, without owners
 * and times. watcher may be NULL. ERR_INVALID_MODULE names what is neither a file nor a folder, and names
 * that are not UTF-8. */
bool pack_folder(const char *folder, int fd, struct pack_watcher *watcher, struct err *err);

#endif
