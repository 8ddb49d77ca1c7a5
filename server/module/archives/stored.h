/* SPDX-License-Identifier: Apache-2.0
 *
 * gzip that does not compress: its bytes follow from what is put in alone, whatever library there is and in
 * whatever pieces it comes. */
#ifndef SERVER_MODULE_ARCHIVES_STORED_H
#define SERVER_MODULE_ARCHIVES_STORED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/own.h"

/* Takes the next bytes of the gzip. */
struct stored_sink {
	bool (*write)(void *context, const void *bytes, size_t length, struct err *err);
	void *context;
};

struct stored;

/* Each function fails with what the sink fails with; one that has failed can only be destroyed. destroy takes
 * NULL. */
struct stored *stored_create(const struct stored_sink *sink);
void stored_destroy(struct stored *stored);
AUTO_CLEANER(own_stored, struct stored *, stored_destroy)
#define AUTO_STORED AUTO(own_stored)

bool stored_write(struct stored *stored, const void *bytes, size_t length, struct err *err);
bool stored_finish(struct stored *stored, struct err *err);

/* How many bytes so many become; -1 where that is no number. */
int64_t stored_size(int64_t length);

#endif
