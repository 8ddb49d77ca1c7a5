/* SPDX-License-Identifier: Apache-2.0
 *
 * Who a client is, where each has a share or a budget of his own. */
#ifndef SERVER_HUB_CLIENTKEY_H
#define SERVER_HUB_CLIENTKEY_H

#include "server/config.h"
#include "server/http/request.h"

/* A token, or an address, of IPv6 a network's; behind a proxy that is trusted the one that it tells of.
 * free() it. */
char *client_key(const struct config *config, const struct request *request);

#endif
