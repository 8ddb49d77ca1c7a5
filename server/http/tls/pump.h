/* SPDX-License-Identifier: Apache-2.0
 *
 * Moves bytes between a session and the near end of a pair, both ways and without waiting: what one side does
 * not take is not read from the other. Ends are carried on as they come: an end of one way as such, a reset
 * as a reset, so that nobody takes a part for the whole. */
#ifndef SERVER_HTTP_TLS_PUMP_H
#define SERVER_HTTP_TLS_PUMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/http/tls/session.h"

enum { PUMP_BLOCK_BYTES = 64 << 10 };

enum pump_state {
	PUMP_WAITS, /* for an event */
	PUMP_BUSY,  /* its turn is over, and there is more to do */
	PUMP_OVER   /* all was carried, or no more can be */
};

/* What was read on one side and not taken by the other. */
struct backlog {
	char *bytes; /* NULL: nothing */
	size_t start;
	size_t length;
};

/* Zeroed, then the session begun and near set. */
struct pump {
	struct session session;
	int near; /* -1: none yet */
	bool client_in;
	bool client_out;
	bool near_in;
	bool near_out;
	bool near_closing; /* its end may be there without another word */
	bool answers;      /* TLS itself has something to send before more is read */
	struct backlog up;
	struct backlog down;
	bool client_ended; /* sends nothing more */
	bool near_shut;    /* which was passed on */
	bool near_dead;    /* takes nothing more */
	bool near_reset;   /* its end is no end */
	bool near_ended;
	bool client_shut;
	bool broken; /* ends in a reset */
	uint64_t moved_bytes;
};

/* What epoll has told of either socket. */
void pump_note_client(struct pump *pump, uint32_t events);
void pump_note_near(struct pump *pump, uint32_t events);

/* Carries what there is, up to a turn's worth. block: PUMP_BLOCK_BYTES of anybody's. */
enum pump_state pump_move(struct pump *pump, char *block);

/* Closes the near end, which is reset where anything was left, and the client's: reset where it broke. Takes
 * one without a near end, and without a client (fd -1). */
void pump_finish(struct pump *pump);

#endif
