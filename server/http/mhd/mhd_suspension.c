/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/mhd/mhd_suspension.h"

#include <microhttpd.h>
#include <stdatomic.h>
#include <stddef.h>

#include "common/container.h"
#include "server/http/mhd/guest.h"

static struct exchange *of_suspension(struct suspension *suspension)
{
	return CONTAINER_OF(suspension, struct exchange, suspension);
}

static void suspend(struct suspension *suspension)
{
	MHD_suspend_connection(suspension->connection);
}

static void resume(struct suspension *suspension)
{
	struct exchange *exchange = of_suspension(suspension);

	if (suspension->unanswered)
		atomic_store(&exchange->hidden,
			guest_hide_end(suspension->connection, exchange->in_flight->quiet_socket));
	suspension->unanswered = false;
	MHD_resume_connection(suspension->connection);
}

static int socket_of(const struct suspension *suspension)
{
	return guest_socket(suspension->connection);
}

const struct suspension_ops mhd_suspension_ops = {suspend, resume, socket_of};

void mhd_suspension_is_over(struct exchange *exchange)
{
	if (atomic_load(&exchange->hidden) >= 0)
		guest_show_end(exchange->suspension.connection, atomic_exchange(&exchange->hidden, -1));
}

bool mhd_suspension_settle(struct exchange *exchange)
{
	struct suspension *suspension = &exchange->suspension;

	if (!suspension_prepare(suspension, NULL))
		return false;
	suspension->unanswered = true;
	(void)suspension_begin(suspension);
	guest_settle(suspension->connection);
	suspension_resume(suspension);
	return true;
}
