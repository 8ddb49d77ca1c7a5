/* SPDX-License-Identifier: Apache-2.0
 *
 * Which clients must wait until a module is here as a whole. Larder ends a stream that failed by a reset or
 * without its last chunk; some proxies make an orderly end of that, and the client then takes a part for the
 * whole. */
#ifndef SERVER_HUB_PROXIED_H
#define SERVER_HUB_PROXIED_H

#include <stdbool.h>

#include "server/config.h"
#include "server/http/request.h"

/* Whether the request came through a proxy: it says so itself (Via, Forwarded, X-Forwarded-For), or the
 * connection is one of server.trusted_proxies. */
bool proxied_request(const struct config *config, const struct request *request);

/* Whether this client gets nothing of a running fill (mirror.hold_until_verified). */
bool proxied_must_wait(const struct config *config, const struct request *request);

#endif
