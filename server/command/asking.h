/* SPDX-License-Identifier: Apache-2.0
 *
 * What is told to the commands that ask a registry and have no more than flags of their own. */
#ifndef SERVER_COMMAND_ASKING_H
#define SERVER_COMMAND_ASKING_H

#include <stdbool.h>

#include "server/command/remote.h"

struct asking {
	struct remote_options remote;
	bool json;
};

/* --json alone; what leads to the registry is remote_option_rows. */
extern const struct option_row asking_option_rows[];

#endif
