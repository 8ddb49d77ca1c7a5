/* SPDX-License-Identifier: Apache-2.0
 *
 * The sender pool ("freight lanes"): threads that send bodies ("cargo") that may have to wait: for the disk,
 * where a file is not in memory, or for more bytes, where it still grows. The fast path lends them sockets
 * for the former, libmicrohttpd for the latter, for one answer's body. So no other request waits for it;
 * bodies of one thread do. Of a file that libmicrohttpd sends itself, they only bring pieces into memory. */
#ifndef SERVER_HTTP_FAST_FREIGHT_H
#define SERVER_HTTP_FAST_FREIGHT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "server/http/loop.h"
#include "server/http/sending.h"

struct freight;
struct cargo;

/* On one of the freight's threads. */
struct cargo_ops {
	/* Sends as much as the socket takes, or does what there is to do; may wait for the disk.
	 * SENDING_STARVED: freight_wake will be called, or has been. */
	enum sending (*move)(struct cargo *cargo);
	/* Takes back what would call freight_wake; false if that is just being called. NULL: never starved.
	 */
	bool (*leave)(struct cargo *cargo);
	/* It has ended so; the cargo and its socket are the owner's again. */
	void (*unload)(struct cargo *cargo, enum sending ending);
};

/* One body on its way; zeroed, then ops and socket set, by its owner. */
struct cargo {
	const struct cargo_ops *ops;
	int socket;

	struct post post; /* from here on the freight's */
	struct freight_lane *lane;
	struct cargo *next;
	struct cargo *previous;
	enum sending state;
	bool watched; /* its lane waits for its socket */
	int64_t active_s;
};

/* This many threads, of this niceness (setpriority); a body that waits for its socket for longer than
 * idle_timeout_s (0: never) has ended. */
bool freight_open(
	unsigned lanes, int niceness, unsigned idle_timeout_s, struct freight **out, struct err *err);

/* Takes the cargo until it is unloaded. False: the freight is closing. From any thread. */
bool freight_load(struct freight *freight, struct cargo *cargo);

/* There is more, or an end, for a cargo that was starved. From any thread; the cargo may be gone thereafter.
 */
void freight_wake(struct cargo *cargo);

/* Unloads all that is left (SENDING_STOPPED). Then nothing can be loaded, until freight_destroy. Takes NULL.
 */
void freight_stop(struct freight *freight);
void freight_destroy(struct freight *freight);

#endif
