/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/haul.h"

#include <stddef.h>

#include "server/http/exchange.h"

static struct exchange *of_cargo(struct cargo *cargo)
{
	return (struct exchange *)((char *)cargo - offsetof(struct exchange, haul.cargo));
}

static enum sending move(struct cargo *cargo)
{
	struct exchange *exchange = of_cargo(cargo);

	return chunked_next(&exchange->haul.chunked, cargo->socket, &exchange->waiter);
}

static bool leave(struct cargo *cargo)
{
	struct exchange *exchange = of_cargo(cargo);

	return exchange->reply.feed_ops->leave(exchange->reply.feed, &exchange->waiter);
}

static void unload(struct cargo *cargo, enum sending ending)
{
	struct exchange *exchange = of_cargo(cargo);

	exchange->haul.ending = ending;
	exchange->sent_bytes = exchange->haul.chunked.offset;
	sleeper_wake(&exchange->sleeper);
}

static const struct cargo_ops ops = {move, leave, unload};

static void wake(struct waiter *waiter)
{
	struct exchange *exchange = (struct exchange *)((char *)waiter - offsetof(struct exchange, waiter));

	freight_wake(&exchange->haul.cargo);
}

bool haul_begin(struct exchange *exchange, int socket, bool *arrived)
{
	struct freight *freight = exchange->traffic->growing_freight;
	struct reply *reply = &exchange->reply;

	if (!freight || !reply->feed_ops->lend || !sleeper_prepare(&exchange->sleeper, NULL))
		return false;
	exchange->haul = (struct haul){.begun = true,
		.cargo = {.ops = &ops, .socket = socket},
		.chunked = {.ops = reply->feed_ops, .feed = reply->feed}};
	exchange->waiter.wake = wake;
	if (!freight_load(freight, &exchange->haul.cargo)) {
		sleeper_cancel(&exchange->sleeper);
		exchange->haul.begun = false;
		return false;
	}
	*arrived = !sleeper_sleep(&exchange->sleeper);
	return true;
}
