/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/exchange/client_watch.h"

#include <stdlib.h>

#include "common/mem.h"
#include "common/thread.h"

struct client_watch {
	struct suspensions *suspensions;
	pthread_t thread;
};

static void *look(void *argument)
{
	struct client_watch *client_watch = argument;

	while (suspensions_check_clients(client_watch->suspensions))
		continue;
	return NULL;
}

bool client_watch_open(struct suspensions *suspensions, struct client_watch **out, struct err *err)
{
	struct client_watch *client_watch = mem_zero(1, sizeof *client_watch);
	const struct thread_plan plan = {.name = "client watch", .run = look, .context = client_watch};

	client_watch->suspensions = suspensions;
	if (!thread_start(&client_watch->thread, &plan, err)) {
		free(client_watch);
		return false;
	}
	*out = client_watch;
	return true;
}

void client_watch_close(struct client_watch *client_watch)
{
	if (!client_watch)
		return;
	suspensions_stop_checking(client_watch->suspensions);
	thread_join(client_watch->thread);
	free(client_watch);
}
