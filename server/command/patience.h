/* SPDX-License-Identifier: Apache-2.0
 *
 * Trying again what may pass, in the middle of something that is worth waiting for: a server that is busy, a
 * connection that broke. */
#ifndef SERVER_COMMAND_PATIENCE_H
#define SERVER_COMMAND_PATIENCE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "server/command/remote.h"

/* How long one has tried already; all zeros at first. */
struct patience {
	int tries;
	int64_t until_ms;
};

/* After a failure: waits as long as the server has asked for (Retry-After), else a while. False at once for
 * what is neither ERR_BUSY nor ERR_UPSTREAM_UNREACHABLE, and where it would take too long: a busy server is
 * tried for two minutes, one that cannot be reached for some seconds. */
bool patience_wait(struct patience *patience, const struct remote *remote, const struct err *err);

/* remote_get(), again and again while it may do. */
bool patience_get(struct remote *remote, const char *target, json_t **out, struct err *err);

#endif
