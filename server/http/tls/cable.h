/* SPDX-License-Identifier: Apache-2.0
 *
 * A client's non-blocking socket, as OpenSSL reads and writes it: asked for nothing that cannot be there, and
 * for no more in a turn than others can wait for. */
#ifndef SERVER_HTTP_TLS_CABLE_H
#define SERVER_HTTP_TLS_CABLE_H

#include <stdbool.h>
#include <stddef.h>

struct bio_method_st;

/* Zeroed, then fd set. It must stay where it is while OpenSSL has it. */
struct cable {
	int fd;
	bool drained;     /* it has nothing more, until cable_note_input */
	bool closing;     /* its end may be there without another word */
	bool ended;       /* which was read */
	size_t allowance; /* bytes that may be read in this turn */
};

/* Of a BIO whose data is a cable. NULL: there is no memory. BIO_meth_free() it. */
struct bio_method_st *cable_make_method(void);

/* Something has come, or (closing) the end or an error, of which no other event tells. */
void cable_note_input(struct cable *cable, bool closing);

void cable_begin_turn(struct cable *cable);

/* Whether the turn was over before the socket had nothing more. */
bool cable_has_more(const struct cable *cable);

#endif
