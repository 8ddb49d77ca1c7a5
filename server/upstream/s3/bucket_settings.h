/* SPDX-License-Identifier: Apache-2.0
 *
 * Which bucket, and how it is spoken to. */
#ifndef SERVER_UPSTREAM_S3_BUCKET_SETTINGS_H
#define SERVER_UPSTREAM_S3_BUCKET_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

struct bucket_settings {
	char *endpoint;         /* "https://host:port"; NULL: AWS, by its region */
	char *name;             /* of the bucket */
	char *prefix;           /* of all keys, without a slash at its end; NULL: none */
	char *region;           /* that requests are signed for */
	char *credentials_file; /* in the format that AWS' tools share; NULL: the environment */
	char *ca_file;          /* PEM; NULL: the system's */
	bool path_style;        /* the bucket stands in the path, not before the host */
	int64_t connect_timeout_s;
	int64_t timeout_s; /* without an answer, or without a byte */
};

#endif
