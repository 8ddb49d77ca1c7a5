/* SPDX-License-Identifier: Apache-2.0
 *
 * What is selected of a data folder into the cache of a client, for code that has no server. */
#ifndef SERVER_COMMAND_CACHE_EXPORT_H
#define SERVER_COMMAND_CACHE_EXPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "server/bundle/exporting.h"
#include "server/bundle/selection.h"
#include "server/command/client_cache.h"
#include "server/store/catalog/catalog.h"

struct cache_export {
	struct catalog *catalog;
	const char *data_dir;
	struct selection *selection; /* sealed; learns what is lacking */
	const char *folder;
	const char *const *origins;
	size_t origin_count;
	struct export_watch *watch;
	struct damages *damages; /* learns what is damaged in the store: the others are made all the same */
};

struct cache_report {
	int64_t modules;
	int64_t bytes;    /* of their archives */
	int64_t unsuited; /* versions without a SavedModel, which are left out */
	int64_t quarantined;
	struct client_cache_counts folders;
};

/* Finds what would be made, and makes nothing but the folder. Versions that are left out are named on
 * standard error. ERR_NOT_FOUND where nothing is selected that tensorflow_hub could load. */
bool cache_export_look(const struct cache_export *options, struct cache_report *out, struct err *err);

/* Makes it. What is made before a failure is whole, and stays. */
bool cache_export_run(const struct cache_export *options, struct cache_report *out, struct err *err);

struct cache_telling {
	const char *folder;
	bool dry_run;
	const struct cache_report *report;
	const struct selection *selection;
	const struct damages *damages;
	const struct err *failure; /* NULL */
};

/* Prints it: for people, or as JSON. */
void cache_report_print(const struct cache_telling *telling);
void cache_report_print_json(const struct cache_telling *telling);

#endif
