/* SPDX-License-Identifier: Apache-2.0
 *
 * What an export was asked for: paths, a want list, a lock file, a collection. */
#ifndef SERVER_COMMAND_EXPORT_CHOICE_H
#define SERVER_COMMAND_EXPORT_CHOICE_H

#include <stdbool.h>

#include "common/err.h"
#include "server/bundle/selection.h"
#include "server/store/catalog/catalog.h"

/* NULL: not given. */
struct export_choice {
	const char *want;
	const char *lock;
	const char *collection;
	char **paths; /* NULL is behind the last one */
};

/* Adds all of it, and seals the selection. Fails as selection_add_path() does, and where a file cannot be
 * read or names nothing. */
bool export_choice_read(const struct export_choice *choice, struct catalog *catalog,
	struct selection *selection, struct err *err);

#endif
