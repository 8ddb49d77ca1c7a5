/* SPDX-License-Identifier: Apache-2.0
 *
 * How far a body has come that is sent in turns. */
#ifndef SERVER_HTTP_SENDING_H
#define SERVER_HTTP_SENDING_H

/* How much goes out before others have their turn. */
enum { SENDING_TURN_BYTES = 2 << 20 };

enum sending {
	SENDING_DONE,
	SENDING_FULL,    /* the socket takes no more for now */
	SENDING_COLD,    /* what comes next is not in memory: reading it would wait for the disk */
	SENDING_STARVED, /* there is no more for now; who sends it has asked to be woken */
	SENDING_GONE,    /* the client is gone */
	SENDING_BROKEN,  /* the file does not give what it had */
	SENDING_CUT,     /* what it is read from has failed */
	SENDING_LATE,    /* the client has taken nothing for too long */
	SENDING_STOPPED  /* the server closes */
};

/* A word on the end for the log; NULL: in order. */
const char *sending_ending(enum sending sending);

#endif
