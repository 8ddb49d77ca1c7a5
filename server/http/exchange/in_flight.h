/* SPDX-License-Identifier: Apache-2.0
 *
 * What the requests in flight of one front share: its settings, its workers, its sender pools, its suspended
 * connections, how many requests are running, and how they end when the server closes. */
#ifndef SERVER_HTTP_EXCHANGE_IN_FLIGHT_H
#define SERVER_HTTP_EXCHANGE_IN_FLIGHT_H

#include <pthread.h>
#include <stdbool.h>

#include "common/lock.h"
#include "server/http/exchange/suspensions.h"
#include "server/http/front_settings.h"
#include "server/http/workers.h"

struct renditions;
struct sender_pool;

struct in_flight {
	struct lock mutex; /* guards running and handed */
	pthread_cond_t quiet;
	unsigned running;
	unsigned handed; /* connections that libmicrohttpd was given and has not looked at yet */
	_Atomic bool draining;
	struct front_settings settings; /* from here on: immutable, or with a lock of its own */
	struct workers *workers;
	struct workers *disk_workers; /* for what waits for the disk, so that short requests need not */
	struct workers *probers;      /* see enum caller */
	/* For what waits for the disk, and for what waits for more to come, which is not to wait for the
	 * former. */
	struct sender_pool *cold_senders;
	struct sender_pool *growing_senders;
	struct suspensions suspensions;
	struct renditions *renditions;
	int quiet_socket; /* see guest_hide_end; -1, or set by the front */
};

void in_flight_init(struct in_flight *in_flight, const struct front_settings *settings);
void in_flight_finish(struct in_flight *in_flight);

/* From now on each answer closes its connection. */
void in_flight_announce_end(struct in_flight *in_flight);

bool in_flight_is_ending(const struct in_flight *in_flight);

/* One more, one less that in_flight_drain waits for. */
void in_flight_enter(struct in_flight *in_flight);
void in_flight_leave(struct in_flight *in_flight);

/* A connection is given to libmicrohttpd, or has been looked at by it. It closes those that it has not, when
 * it stops, without a word and without taking locks: so all are awaited before (a second at most). */
void in_flight_hand_over(struct in_flight *in_flight);
void in_flight_confirm(struct in_flight *in_flight);
void in_flight_await_confirmations(struct in_flight *in_flight);

/* Asks clients to leave after their running request, and waits until none runs, for at most this long. */
void in_flight_drain(struct in_flight *in_flight, unsigned timeout_s);

#endif
