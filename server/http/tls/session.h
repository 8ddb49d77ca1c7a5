/* SPDX-License-Identifier: Apache-2.0
 *
 * TLS with one client. Nothing here waits. */
#ifndef SERVER_HTTP_TLS_SESSION_H
#define SERVER_HTTP_TLS_SESSION_H

#include <stdbool.h>
#include <stddef.h>

#include "server/http/tls/credentials.h"
#include "server/http/tls/cable.h"

struct ssl_st;

enum session_result {
	SESSION_DONE,
	SESSION_WANTS_READ,  /* until more comes, or another turn (cable_has_more) */
	SESSION_WANTS_WRITE, /* until the socket takes more */
	SESSION_ENDED,       /* the client sends nothing more, whether it said so or not */
	SESSION_PLAIN,       /* it speaks HTTP without TLS, and was sent nothing */
	SESSION_FAILED       /* it was told why, where TLS has a word for it */
};

/* Zeroed, then cable.fd set. It must stay where it is until it is finished. */
struct session {
	struct cable cable;
	struct ssl_st *ssl; /* NULL: not begun */
};

/* False: there is no memory. */
bool session_begin(struct session *session, const struct credentials *credentials);

enum session_result session_shake_hands(struct session *session);
enum session_result session_read(struct session *session, void *bytes, size_t size, size_t *got);

/* A part may go out: *sent bytes. What did not has to be offered again before anything else. */
enum session_result session_write(struct session *session, const void *bytes, size_t length, size_t *sent);

/* Tells the client that nothing more will be sent. */
enum session_result session_tell_end(struct session *session);

/* Without a word; the socket stays the caller's. Takes one that has not begun. */
void session_finish(struct session *session);

#endif
