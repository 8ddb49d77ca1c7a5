/* SPDX-License-Identifier: Apache-2.0
 *
 * A module as people name it, as what a server is asked for; and which version they mean who name none. */
#ifndef SERVER_COMMAND_MODULE_TARGET_H
#define SERVER_COMMAND_MODULE_TARGET_H

#include <jansson.h>

#include "common/buffer.h"
#include "common/err.h"
#include "server/command/remote.h"

/* Adds the path and query: a URL of a hub is a path of ours behind another slash, one of the server itself is
 * its path, and without a query the tf-hub archive is meant. ERR_BAD_REQUEST for what can be no module. */
bool module_target_write(const char *path, const char *server, struct buffer *out, struct err *err);

/* Asks the server which version is the latest: *out, the caller's, is its path, with a query where that of
 * the tf-hub archive would not do. False where it leads to none: *problem, the caller's, is its reason, or
 * NULL. */
bool module_target_find_latest(struct remote *remote, const char *path, char **out, json_t **problem);

#endif
