/* SPDX-License-Identifier: Apache-2.0
 *
 * What a registry has of many versions, asked for in few requests. */
#ifndef SERVER_COMMAND_INVENTORY_H
#define SERVER_COMMAND_INVENTORY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "server/command/remote.h"

/* Calls take for each path ("acme/model/1") of an array, in its order, with what is known: handle, version,
 * state and artifacts (format, digest, size_bytes, cached) as in the API's JSON of a version; NULL where that
 * is not known. Ends where take answers false. */
bool inventory_ask(struct remote *remote, const json_t *paths,
	bool (*take)(void *context, size_t place, const json_t *version, struct err *err), void *context,
	struct err *err);

#endif
