/* SPDX-License-Identifier: Apache-2.0
 *
 * What is told to the commands that ask a registry: which one it is, how to answer, and flags of their own.
 */
#ifndef SERVER_COMMAND_ASKING_H
#define SERVER_COMMAND_ASKING_H

#include <stdbool.h>

#include "server/command/remote.h"

struct asking {
	struct remote_options remote;
	bool json;
};

/* A flag, such as "yes" for --yes. */
struct asking_flag {
	const char *name;
	bool *set;
};

enum { ASKING_FLAGS_MAX = 4 };

/* Reads the options; flags end with one without a name. False where one is not known, which getopt has
 * told. What is left of argv begins at optind. */
bool asking_read(int argc, char **argv, const struct asking_flag *flags, struct asking *out);

#endif
