/* SPDX-License-Identifier: Apache-2.0
 *
 * Publishers as JSON. */
#ifndef SERVER_API_PUBLISHERS_H
#define SERVER_API_PUBLISHERS_H

#include <jansson.h>

#include "common/err.h"
#include "server/http/request.h"
#include "server/registry/services.h"

/* One publisher with the way to its modules; NULL with ERR_NOT_FOUND where it has none. */
json_t *publisher_json(
	const struct services *services, const struct request *request, const char *name, struct err *err);

#endif
