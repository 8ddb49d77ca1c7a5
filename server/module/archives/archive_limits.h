/* SPDX-License-Identifier: Apache-2.0
 *
 * How much an archive of strangers may be. The configuration fills the only one that counts, and its table of
 * keys has the defaults; whoever examines, unpacks or imports is handed that one. */
#ifndef SERVER_MODULE_ARCHIVES_ARCHIVE_LIMITS_H
#define SERVER_MODULE_ARCHIVES_ARCHIVE_LIMITS_H

#include <stdint.h>

/* 0 is no limit. */
struct archive_limits {
	int64_t max_unpacked_bytes; /* of the tar stream */
	int64_t max_members;        /* files and folders; an examination bounds their names besides */
	int64_t max_ratio;          /* of tar bytes to gzip bytes, judged from 16 MiB of tar on */
};

#endif
