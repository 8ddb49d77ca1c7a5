/* SPDX-License-Identifier: Apache-2.0
 *
 * Invalidation between processes on one data folder: a command that removes something from the store tells
 * the daemon ("rings"), and once that returns the daemon serves none of it from memory. A socket in the
 * folder; knows neither what is cached nor what is removed. */
#ifndef SERVER_REGISTRY_BELL_H
#define SERVER_REGISTRY_BELL_H

#include <stdbool.h>

#include "common/err.h"

struct bell;

/* From now on heard is called, on a thread of the bell's own, for each label that another process rings for.
 * Only for the process that has the folder's lock. */
bool bell_open(const char *data_dir, void (*heard)(void *context, const char *label), void *context,
	struct bell **out, struct err *err);
/* Takes NULL. */
void bell_close(struct bell *bell);

/* Rings for a version's path or a digest. Returns when it was heard, or at once where no daemon listens;
 * ERR_BUSY where one does not answer for seconds. */
bool bell_ring(const char *data_dir, const char *label, struct err *err);

#endif
