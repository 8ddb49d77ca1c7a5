/* SPDX-License-Identifier: Apache-2.0
 *
 * Publishers as JSON. */
#ifndef SERVER_API_PUBLISHERS_H
#define SERVER_API_PUBLISHERS_H

#include <jansson.h>

#include "common/err.h"
#include "server/api/ask.h"

/* One publisher with the way to its modules; NULL with ERR_NOT_FOUND where it has none. */
json_t *publisher_json(const struct ask *ask, const char *name, struct err *err);

#endif
