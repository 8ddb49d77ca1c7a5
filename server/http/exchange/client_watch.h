/* SPDX-License-Identifier: Apache-2.0
 *
 * Looks after suspended connections, which libmicrohttpd does not: whose client is gone need not wait on. */
#ifndef SERVER_HTTP_EXCHANGE_CLIENT_WATCH_H
#define SERVER_HTTP_EXCHANGE_CLIENT_WATCH_H

#include <stdbool.h>

#include "common/err.h"
#include "common/own.h"
#include "server/http/exchange/suspensions.h"

struct client_watch;

/* A thread that looks twice a second while there is anybody to look after. close takes NULL. */
bool client_watch_open(struct suspensions *suspensions, struct client_watch **out, struct err *err);
void client_watch_close(struct client_watch *client_watch);
AUTO_CLEANER(own_client_watch, struct client_watch *, client_watch_close)
#define AUTO_CLIENT_WATCH AUTO(own_client_watch)

#endif
