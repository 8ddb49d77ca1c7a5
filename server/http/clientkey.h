/* SPDX-License-Identifier: Apache-2.0
 *
 * Who a client is, where each has a share or a budget of his own. */
#ifndef SERVER_HTTP_CLIENTKEY_H
#define SERVER_HTTP_CLIENTKEY_H

#include "server/http/request.h"

/* Sets request->origin: its client's address, behind one of these proxies (networks; NULL: none) the one that
 * it tells of. */
void client_set_origin(const char *trusted_proxies, struct request *request);

/* A token, or an address, of IPv6 a network's; behind one of these proxies (networks; NULL: none) the one
 * that it tells of. free() it. */
char *client_key(const char *trusted_proxies, const struct request *request);

/* The address alone: behind such a proxy the one that it tells of. */
struct client_address {
	char text[64];
};
struct client_address client_address(const char *trusted_proxies, const struct request *request);

#endif
