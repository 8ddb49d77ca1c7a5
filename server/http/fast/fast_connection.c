/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/fast/fast_connection.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/log.h"
#include "server/metrics.h"

/* How many bytes of answered heads may stay in a socket. */
enum { ANSWERED_MAX = 2 << 10 };

#define TO(state) (1u << (state))
#define TO_ENDS (TO(FAST_CLOSED) | TO(FAST_HANDED_ON) | TO(FAST_SEEN_OFF))

/* The table of the header. */
static const unsigned leads_to[FAST_STATE_COUNT] = {
	[FAST_ARRIVING] = TO(FAST_WAITING),
	[FAST_WAITING] = TO(FAST_HEAD) | TO(FAST_ANSWERING) | TO(FAST_CALLING) | TO_ENDS,
	[FAST_HEAD] = TO(FAST_CALLING) | TO_ENDS,
	[FAST_ANSWERING] =
		TO(FAST_WAITING) | TO(FAST_FULL) | TO(FAST_LOADING) | TO(FAST_FEEDING) | TO(FAST_CLOSED),
	[FAST_FULL] = TO(FAST_ANSWERING) | TO(FAST_CLOSED),
	[FAST_LOADING] = TO(FAST_ANSWERING) | TO(FAST_CLOSED),
	[FAST_CALLING] = TO(FAST_ANSWERING) | TO(FAST_CLOSED),
	[FAST_FEEDING] = TO(FAST_ANSWERING) | TO(FAST_CLOSED),
};

bool fast_connection_may_enter(enum fast_state from, enum fast_state to)
{
	return from < FAST_STATE_COUNT && to < FAST_STATE_COUNT && (leads_to[from] & TO(to));
}

void fast_connection_check(enum fast_state from, enum fast_state to)
{
	char text[96];

	if (fast_connection_may_enter(from, to))
		return;
	(void)snprintf(text, sizeof text, "a connection of the fast path goes from state %d to %d", (int)from,
		(int)to);
	log_event(LOG_LEVEL_ERROR, text, NULL);
	abort();
}

/* For TCP from Linux 6.9 on. */
bool fast_connection_look_past(const struct fast_connection *connection)
{
	const int nothing = 0;

	return setsockopt(connection->fd, SOL_SOCKET, SO_PEEK_OFF, &nothing, sizeof nothing) == 0;
}

/* Without copying them once more. What was sent as urgent ends a call before its time. */
void fast_connection_take_answered(struct fast_connection *connection, char *scratch)
{
	size_t left = connection->answered;
	ssize_t taken = 1;

	while (left > 0 && taken > 0) {
		taken = recv(connection->fd, scratch, left < FAST_LOOK ? left : FAST_LOOK, MSG_TRUNC);
		left -= taken > 0 ? (size_t)taken : 0;
	}
	connection->answered = 0;
}

void fast_connection_note_answered(struct fast_connection *connection, size_t length, char *scratch)
{
	connection->answered += length;
	if (connection->looks_past && connection->answered < ANSWERED_MAX && !connection->unseen)
		return;
	fast_connection_take_answered(connection, scratch);
	if (connection->looks_past)
		(void)fast_connection_look_past(connection);
}

void fast_connection_cut(const struct fast_connection *connection)
{
	const struct linger at_once = {.l_onoff = 1, .l_linger = 0};

	metric_add(METRIC_CUTS, 1);
	(void)setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}
