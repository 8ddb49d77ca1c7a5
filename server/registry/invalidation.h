/* SPDX-License-Identifier: Apache-2.0
 *
 * Invalidation between processes on one data folder: a command that removes something from the store tells
 * the daemon, and once that returns the daemon serves none of it from memory. A socket in the
 * folder; knows neither what is cached nor what is removed. */
#ifndef SERVER_REGISTRY_INVALIDATION_H
#define SERVER_REGISTRY_INVALIDATION_H

#include <stdbool.h>

#include "common/err.h"
#include "common/own.h"

/* A label that is no name's: places at Kaggle were imported. */
#define INVALIDATION_PLACES "places at Kaggle"
/* … tokens were made or revoked. */
#define INVALIDATION_TOKENS "tokens of all"

struct invalidation;

/* From now on heard is called, on a thread of its own, for each label that another process sends.
 * Only for the process that has the folder's lock. */
bool invalidation_open(const char *data_dir, void (*heard)(void *context, const char *label), void *context,
	struct invalidation **out, struct err *err);
/* Takes NULL. */
void invalidation_close(struct invalidation *invalidation);
AUTO_CLEANER(own_invalidation, struct invalidation *, invalidation_close)
#define AUTO_INVALIDATION AUTO(own_invalidation)

/* Invalidates a version's path or a digest. Returns when it was heard, or at once where no daemon listens;
 * ERR_BUSY where one does not answer for seconds. */
bool invalidation_send(const char *data_dir, const char *label, struct err *err);

#endif
