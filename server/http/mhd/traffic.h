/* SPDX-License-Identifier: Apache-2.0
 *
 * What the requests in flight of one front share: its settings, its workers, its sender pools, its suspended
 * connections, how many requests are running, and how they end when the server closes. */
#ifndef SERVER_HTTP_MHD_TRAFFIC_H
#define SERVER_HTTP_MHD_TRAFFIC_H

#include <pthread.h>
#include <stdbool.h>

#include "common/lock.h"
#include "server/http/front.h"
#include "server/http/mhd/sleepers.h"
#include "server/http/workers.h"

struct freight;

struct traffic {
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
	struct freight *cold_freight;
	struct freight *growing_freight; /* NULL: TLS, where nobody else can send */
	struct sleepers sleepers;
};

void traffic_init(struct traffic *traffic, const struct front_settings *settings);
void traffic_finish(struct traffic *traffic);

/* From now on each answer closes its connection. */
void traffic_announce_end(struct traffic *traffic);

bool traffic_is_ending(const struct traffic *traffic);

/* One more, one less that traffic_drain waits for. */
void traffic_enter(struct traffic *traffic);
void traffic_leave(struct traffic *traffic);

/* A connection is given to libmicrohttpd, or has been looked at by it. It closes those that it has not, when
 * it stops, without a word and without taking locks: so all are awaited before (a second at most). */
void traffic_hand_over(struct traffic *traffic);
void traffic_confirm(struct traffic *traffic);
void traffic_await_confirmations(struct traffic *traffic);

/* Asks clients to leave after their running request, and waits until none runs, for at most this long. */
void traffic_drain(struct traffic *traffic, unsigned timeout_s);

#endif
