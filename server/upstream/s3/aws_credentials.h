/* SPDX-License-Identifier: Apache-2.0
 *
 * Whose requests to a bucket are: from a file in the format that AWS' tools share, or from the environment.
 */
#ifndef SERVER_UPSTREAM_S3_AWS_CREDENTIALS_H
#define SERVER_UPSTREAM_S3_AWS_CREDENTIALS_H

#include <stdbool.h>

#include "common/err.h"

struct aws_credentials {
	char key_id[256];
	char secret[256];
	char token[8192]; /* of a session; "" where there is none */
};

/* Reads the profile that AWS_PROFILE names, or [default], of the file; NULL is AWS_ACCESS_KEY_ID,
 * AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN. ERR_BAD_REQUEST for whatever is wrong with them; what a
 * sentence tells is no secret. */
bool aws_credentials_read(const char *path, struct aws_credentials *out, struct err *err);

/* Overwrites them. */
void aws_credentials_finish(struct aws_credentials *credentials);

#endif
