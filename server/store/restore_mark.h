/* SPDX-License-Identifier: Apache-2.0
 *
 * What tells that a restore into a data folder has not come to its end: until then nothing else may work on
 * it. */
#ifndef SERVER_STORE_RESTORE_MARK_H
#define SERVER_STORE_RESTORE_MARK_H

#include <stdbool.h>

#include "common/err.h"

#define RESTORE_MARK "restoring"

/* ERR_CONFLICT, with what to do, where the folder has the mark. */
bool restore_mark_check(const char *data_dir, struct err *err);

/* Durable on return. */
bool restore_mark_set(const char *data_dir, struct err *err);
bool restore_mark_remove(const char *data_dir, struct err *err);

bool restore_mark_is_set(const char *data_dir);

#endif
