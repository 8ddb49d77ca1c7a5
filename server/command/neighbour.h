/* SPDX-License-Identifier: Apache-2.0
 *
 * The daemon that may run on the folder that a command works on. */
#ifndef SERVER_COMMAND_NEIGHBOUR_H
#define SERVER_COMMAND_NEIGHBOUR_H

#include <stdbool.h>

struct neighbour {
	const char *data_dir;
	bool silent; /* it was asked once, and did not answer */
};

/* Has it forget a label (registry/invalidation.h): what it keeps at hand counts as being read, and would be
 * given to clients after it has gone. context is the neighbour; for committer_set_forget(). */
void neighbour_forget(void *context, const char *label);

#endif
