/* SPDX-License-Identifier: Apache-2.0
 *
 * A database as it is at one moment, in another file, while processes write to it. */
#ifndef SERVER_STORE_DB_COPY_H
#define SERVER_STORE_DB_COPY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"

/* Copies it into a file that is not there, in steps: holds up nobody, and is one snapshot however long it
 * takes. Durable, and found to be sound (PRAGMA quick_check), on return. ERR_INTERNAL where it is not. */
bool db_copy(const char *from, const char *to,
	void (*progressed)(void *context, int64_t done_bytes, int64_t total_bytes), void *context,
	struct err *err);

#endif
