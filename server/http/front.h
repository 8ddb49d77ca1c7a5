/* SPDX-License-Identifier: Apache-2.0
 *
 * The HTTP server as a whole: listens, has connections judged and answered by the fast path, gives those with
 * bodies to libmicrohttpd, pours bodies, and has workers call handlers while the connection is suspended. */
#ifndef SERVER_HTTP_FRONT_H
#define SERVER_HTTP_FRONT_H

#include <stdbool.h>

#include "common/err.h"
#include "common/own.h"
#include "server/http/front_settings.h"

struct front;

/* How many workers there are of each sort where so many are configured; 0: by the number of cores. */
unsigned front_worker_count(unsigned configured);

/* Listens and serves from its own threads. The settings' strings and table must outlive the front. */
bool front_open(const struct front_settings *settings, struct front **out, struct err *err);

/* "http://127.0.0.1:8080": where it really listens. */
const char *front_url(const struct front *front);

/* From now on each answer closes its connection; connections are taken as before. */
void front_announce_end(struct front *front);

/* Takes no more connections, lets running answers end for at most drain_timeout_s, ends the rest; takes NULL.
 */
void front_close(struct front *front);
AUTO_CLEANER(own_front, struct front *, front_close)
#define AUTO_FRONT AUTO(own_front)

#endif
