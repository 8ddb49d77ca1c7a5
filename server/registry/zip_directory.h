/* SPDX-License-Identifier: Apache-2.0
 *
 * The directory at the end of a zip: how many entries it has, told before anybody takes memory for them.
 * https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT */
#ifndef SERVER_REGISTRY_ZIP_DIRECTORY_H
#define SERVER_REGISTRY_ZIP_DIRECTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"

/* Goes through the directory that libarchive reads: the last one, which must be where its end says. It may
 * have so many entries. ERR_INVALID_MODULE. */
bool zip_directory_check(int fd, int64_t zip_bytes, int64_t max_members, struct err *err);

/* What too many members are refused with: ERR_INVALID_MODULE. */
bool zip_refuse_many(struct err *err);

#endif
