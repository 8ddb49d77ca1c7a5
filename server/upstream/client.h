/* SPDX-License-Identifier: Apache-2.0
 *
 * HTTP(S) transfers from upstreams: one thread, one connection pool, any number of transfers. Of the
 * daemon, this room, transfer.h, poster.h, proxy_address.h, curl_terms.h and s3_exchange.h know libcurl. It
 * judges transport, not content: what a status means for a module is the business of those who ask. */
#ifndef SERVER_UPSTREAM_CLIENT_H
#define SERVER_UPSTREAM_CLIENT_H

#include <stdbool.h>

#include "common/err.h"
#include "common/own.h"
#include "server/upstream/transfer_terms.h"

struct client;

/* The first transfer starts libcurl and the thread. destroy ends all transfers (TRANSFER_STOPPED) and waits
 * for the thread; takes NULL. */
struct client *client_create(const struct client_settings *settings);
void client_destroy(struct client *client);
AUTO_CLEANER(own_client, struct client *, client_destroy)
#define AUTO_CLIENT AUTO(own_client)

/* Performs one transfer and blocks until it has ended. The receiver gets the head once, then the body of
 * whatever status in pieces of up to 256 KiB, gathered but not held for longer than 2 ms. A body in a
 * Content-Encoding is passed on as it is. *stop, which may be NULL, is looked at about once a second and on
 * client_wake(): true ends the transfer. *why gets a sentence for every outcome but TRANSFER_DONE. */
enum transfer_outcome client_transfer(struct client *client, const struct transfer_request *request,
	const struct receiver *receiver, const _Atomic bool *stop, struct err *why);

/* Starts libcurl, once for the process, beside whatever threads there are. */
void client_start_library(void);

/* Makes the client look at its transfers' stop flags now. */
void client_wake(struct client *client);

#endif
