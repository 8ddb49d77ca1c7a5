/* SPDX-License-Identifier: Apache-2.0
 *
 * Who a client is, where each has a share or a budget of his own. */
#ifndef SERVER_HTTP_CLIENTKEY_H
#define SERVER_HTTP_CLIENTKEY_H

#include "server/http/forwarded.h"
#include "server/http/request.h"

/* Sets request->origin: its client's address, behind one of these proxies (networks; NULL: none) the one that
 * it tells of; and what that proxy says of the scheme and the host that its client used. */
void client_set_origin(const char *trusted_proxies, enum forwarded_kind kind, struct request *request);

/* A token, or an address, of IPv6 a network's; behind a trusted proxy that of its client. free() it. */
char *client_key(const struct request *request);

/* The address alone. */
const char *client_address(const struct request *request);

#endif
