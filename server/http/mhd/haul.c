/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/mhd/haul.h"

#include <fcntl.h>
#include <stddef.h>

#include "common/file.h"
#include "server/http/mhd/exchange.h"

static struct exchange *of_cargo(struct cargo *cargo)
{
	return (struct exchange *)((char *)cargo - offsetof(struct exchange, haul.cargo));
}

static bool begin(struct exchange *exchange, struct freight *freight, const struct cargo_ops *ops, int socket,
	bool *arrived)
{
	if (!freight || !sleeper_prepare(&exchange->sleeper, NULL))
		return false;
	exchange->haul.begun = true;
	exchange->haul.cargo = (struct cargo){.ops = ops, .socket = socket};
	if (!freight_load(freight, &exchange->haul.cargo)) {
		sleeper_cancel(&exchange->sleeper);
		exchange->haul.begun = false;
		return false;
	}
	*arrived = !sleeper_sleep(&exchange->sleeper);
	return true;
}

/* ---- a feed ---- */

static enum sending move_feed(struct cargo *cargo)
{
	struct exchange *exchange = of_cargo(cargo);

	return chunked_next(&exchange->haul.chunked, cargo->socket, &exchange->waiter);
}

static bool leave_feed(struct cargo *cargo)
{
	struct exchange *exchange = of_cargo(cargo);

	return exchange->reply.feed_ops->leave(exchange->reply.feed, &exchange->waiter);
}

static void unload_feed(struct cargo *cargo, enum sending ending)
{
	struct exchange *exchange = of_cargo(cargo);

	exchange->haul.ending = ending;
	exchange->sent_bytes = exchange->haul.chunked.offset;
	sleeper_wake(&exchange->sleeper);
}

static void wake(struct waiter *waiter)
{
	struct exchange *exchange = (struct exchange *)((char *)waiter - offsetof(struct exchange, waiter));

	freight_wake(&exchange->haul.cargo);
}

bool haul_feed(struct exchange *exchange, int socket, bool *arrived)
{
	static const struct cargo_ops ops = {move_feed, leave_feed, unload_feed};
	const struct reply *reply = &exchange->reply;

	if (!reply->feed_ops->lend)
		return false;
	exchange->haul.chunked = (struct chunked){.ops = reply->feed_ops, .feed = reply->feed};
	exchange->waiter.wake = wake;
	return begin(exchange, exchange->traffic->growing_freight, &ops, socket, arrived);
}

/* ---- a file ---- */

/* The disk is given all of it to do; when the last byte is here, so is the rest, or soon. */
static enum sending warm(struct cargo *cargo)
{
	const struct exchange *exchange = of_cargo(cargo);
	const struct reply *reply = &exchange->reply;
	int64_t end = reply->offset + reply->size;
	int64_t from = exchange->haul.offset;
	int64_t length = end - from < HAUL_WARM_BYTES ? end - from : HAUL_WARM_BYTES;
	struct err err;
	size_t got;
	char byte;

	(void)posix_fadvise(reply->fd, from, length, POSIX_FADV_WILLNEED);
	return file_read_at(reply->fd, &byte, 1, from, &got, &err) &&
			       file_read_at(reply->fd, &byte, 1, from + length - 1, &got, &err) && got == 1
		       ? SENDING_DONE
		       : SENDING_BROKEN;
}

static void unload_warm(struct cargo *cargo, enum sending ending)
{
	struct exchange *exchange = of_cargo(cargo);

	exchange->haul.ending = ending;
	sleeper_wake(&exchange->sleeper);
}

bool haul_warmth(struct exchange *exchange, int socket, int64_t offset, bool *arrived)
{
	static const struct cargo_ops ops = {warm, NULL, unload_warm};

	exchange->haul.offset = offset;
	return begin(exchange, exchange->traffic->cold_freight, &ops, socket, arrived);
}
