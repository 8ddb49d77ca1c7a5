/* SPDX-License-Identifier: Apache-2.0
 *
 * verify without a lock file: a pass over the data folder, and what becomes of what is found there. */
#ifndef SERVER_COMMAND_VERIFY_STORE_H
#define SERVER_COMMAND_VERIFY_STORE_H

#include "server/command/command.h"
#include "server/command/remote.h"

struct verify_store_options {
	struct place_options place;
	struct remote_options daemon; /* that fetches mirrored ones again */
	int64_t bytes_per_s;          /* 0: as fast as can be */
	bool repair;
	bool anew;
	const char *from;            /* a folder or a URL */
	const char *from_token_file; /* for the URL */
	bool json;
};

/* An exit status, with everything told. */
int verify_store(const struct verify_store_options *options);

#endif
