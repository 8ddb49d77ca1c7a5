/* SPDX-License-Identifier: Apache-2.0
 *
 * A module as people name it, as what a server is asked for; and which version they mean who name none. */
#ifndef SERVER_COMMAND_MODULE_TARGET_H
#define SERVER_COMMAND_MODULE_TARGET_H

#include <jansson.h>

#include "common/buffer.h"
#include "common/err.h"
#include "server/command/remote.h"

/* The path, with a query where it has one, of a module that is named by its path, by its URL on this server,
 * or by one that hub clients know, which the server stands in for; the caller frees *out. ERR_BAD_REQUEST for
 * a URL on another server: what to do. */
bool module_target_path(const char *text, const struct remote *remote, char **out, struct err *err);

/* Whether it may be asked of this server: it is no URL on another one, while nobody has named this one.
 * Where somebody has, it may be a hub's that only the server knows. ERR_BAD_REQUEST says what to do. */
bool module_target_check(const char *text, const struct remote *remote, struct err *err);

/* Adds the path and query: a URL of a hub is a path of ours behind another slash, one of the server itself is
 * its path, and without a query the tf-hub archive is meant. ERR_BAD_REQUEST for what can be no module. */
bool module_target_write(const char *path, const char *server, struct buffer *out, struct err *err);

/* Asks the server which version is the latest: *out, the caller's, is its path, with a query where that of
 * the tf-hub archive would not do. False where it leads to none: *problem, the caller's, is its reason, or
 * NULL. */
bool module_target_find_latest(struct remote *remote, const char *path, char **out, json_t **problem);

#endif
