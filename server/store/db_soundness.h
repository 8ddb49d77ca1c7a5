/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether a database is sound, asked beside whoever has it open. */
#ifndef SERVER_STORE_DB_SOUNDNESS_H
#define SERVER_STORE_DB_SOUNDNESS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"

/* Reads all of a file that is there and changes nothing: its pages and indexes (PRAGMA quick_check), its
 * foreign keys, and that it has no more migrations than are known. ERR_INTERNAL with the first that is not
 * so; ERR_BUSY where another process held the file for ten seconds. */
bool db_soundness_check(const char *path, int64_t known_migrations, struct err *err);

#endif
