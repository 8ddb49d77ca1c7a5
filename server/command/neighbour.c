/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command/neighbour.h"

#include "server/command/command.h"
#include "server/registry/invalidation.h"

void neighbour_forget(void *context, const char *label)
{
	struct neighbour *neighbour = context;
	struct err err;

	if (neighbour->silent || invalidation_send(neighbour->data_dir, label, &err))
		return;
	neighbour->silent = true;
	(void)command_fail(&err);
}
