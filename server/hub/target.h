/* SPDX-License-Identifier: Apache-2.0
 *
 * Hub URLs that stand in a query or a body: read as if a client had requested them. */
#ifndef SERVER_HUB_TARGET_H
#define SERVER_HUB_TARGET_H

#include <stdbool.h>

#include "common/err.h"
#include "server/http/request.h"
#include "server/hub/hub_url.h"
#include "server/registry/services.h"

/* Reads a path with or without its first slash, a URL of this server as the request reached it, or one of
 * hub.hosts. ERR_BAD_REQUEST. *shown, which may be NULL, gets the text with tokens replaced, also on failure;
 * free() it. */
bool target_read(const struct services *services, const struct request *request, const char *text,
	struct hub_url *out, char **shown, struct err *err);

#endif
