/* SPDX-License-Identifier: Apache-2.0
 *
 * Holds what a running registry has against a lock file. */
#ifndef SERVER_COMMAND_LOCKCHECK_H
#define SERVER_COMMAND_LOCKCHECK_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "server/command/lockfile.h"
#include "server/command/remote.h"

/* Finds the state of each artifact that is not known to be LOCK_SAME, of a lock file that is sorted: one
 * request a version. Fails as remote_get(), but not for what the registry does not have. */
bool lockcheck_run(struct remote *remote, struct lockfile *lockfile, struct err *err);

/* Whether it was looked at and is not as it was locked. */
bool lockcheck_is_fault(const struct locked *locked);

/* Whether fetching it would be in vain: the registry has other bytes for it, or gives it to nobody. */
bool lockcheck_is_withheld(const struct locked *locked);

/* How many are in a state. */
size_t lockcheck_count(const struct lockfile *lockfile, enum lock_state state);

/* Says on standard error what is wrong with an artifact. */
void lockcheck_tell(const struct locked *locked);

/* {"path", "state", "digest", "size_bytes"}, and "found_digest", "found_size_bytes" where it is different. */
json_t *lockcheck_json(const struct locked *locked);

#endif
