/* SPDX-License-Identifier: Apache-2.0
 *
 * Has the sender pool read a body that comes in chunks, while its connection is suspended: libmicrohttpd,
 * which takes more for chunks than they are, never sees them. */
#ifndef SERVER_HTTP_EXCHANGE_CHUNKED_UPLOAD_H
#define SERVER_HTTP_EXCHANGE_CHUNKED_UPLOAD_H

#include <stdbool.h>

struct exchange;
struct chunked_upload;

/* On the connection's thread, when its head is taken; this is the client's socket. False: the server closes.
 * True: the connection is suspended unless *arrived. When it wakes the body has been poured into the
 * exchange, or is lost; one that cannot be read is refused. */
bool chunked_upload_begin(struct exchange *exchange, int client, bool *arrived);

/* The client has gone, has been too slow, or the server closes. */
bool chunked_upload_has_lost(const struct chunked_upload *chunked_upload);

/* Takes NULL. */
void chunked_upload_destroy(struct chunked_upload *chunked_upload);

#endif
