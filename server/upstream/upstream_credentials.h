/* SPDX-License-Identifier: Apache-2.0
 *
 * What an upstream is told so that it answers: read from the files that its section names. */
#ifndef SERVER_UPSTREAM_UPSTREAM_CREDENTIALS_H
#define SERVER_UPSTREAM_UPSTREAM_CREDENTIALS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "common/own.h"
#include "server/upstream/upstream.h"

enum { CREDENTIALS_MAX = 17, CREDENTIAL_BYTES_MAX = 8192 };

/* Lines for the head of a request, each "Name: value", and what of each nobody may see. */
struct credentials {
	struct {
		char *line;
		char *secret;
	} items[CREDENTIALS_MAX];
	size_t count;
};

/* Reads bearer_token_file, basic_file or credentials_file, and header_file, anew each time, so that they can
 * be rotated. What it fails with (ERR_UPSTREAM_FAILED) names the key and the line, and nothing of what stands
 * there. credentials_forget() overwrites and frees them. */
bool credentials_read(const struct upstream *upstream, struct credentials *out, struct err *err);
void credentials_forget(struct credentials *credentials);
#define AUTO_CREDENTIALS AUTO(credentials_forget)

/* Whether a text repeats one of them. */
bool credentials_are_told_by(const struct credentials *credentials, const char *text);

#endif
