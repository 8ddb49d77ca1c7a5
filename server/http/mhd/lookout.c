/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/mhd/lookout.h"

#include <stdlib.h>

#include "common/mem.h"
#include "common/thread.h"

struct lookout {
	struct sleepers *sleepers;
	pthread_t thread;
};

static void *look(void *argument)
{
	struct lookout *lookout = argument;

	while (sleepers_look_after(lookout->sleepers))
		continue;
	return NULL;
}

bool lookout_open(struct sleepers *sleepers, struct lookout **out, struct err *err)
{
	struct lookout *lookout = mem_zero(1, sizeof *lookout);
	const struct thread_plan plan = {.name = "lookout", .run = look, .context = lookout};

	lookout->sleepers = sleepers;
	if (!thread_start(&lookout->thread, &plan, err)) {
		free(lookout);
		return false;
	}
	*out = lookout;
	return true;
}

void lookout_close(struct lookout *lookout)
{
	if (!lookout)
		return;
	sleepers_stop_looking(lookout->sleepers);
	thread_join(lookout->thread);
	free(lookout);
}
