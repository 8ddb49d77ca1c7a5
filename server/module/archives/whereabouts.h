/* SPDX-License-Identifier: Apache-2.0
 *
 * Where in an archive models lie, of any format, for the words about one that has none where it should be. */
#ifndef SERVER_MODULE_ARCHIVES_WHEREABOUTS_H
#define SERVER_MODULE_ARCHIVES_WHEREABOUTS_H

#include <stdbool.h>
#include <stddef.h>

#include "server/module/findings.h"

/* The nearest to the root of one kind of model. */
struct sighting {
	char *path; /* "module/saved_model.pb"; NULL: none was seen */
	size_t depth;
	char *another; /* as deep, in another folder; or NULL */
};

enum { SIGHTINGS = 3 };

/* Begins with all zeros. */
struct whereabouts {
	struct sighting sightings[SIGHTINGS];
};

void whereabouts_finish(struct whereabouts *whereabouts);

/* Notes a file by its path in normal form. */
void whereabouts_note(struct whereabouts *whereabouts, const char *path);

/* Adds the finding on an archive that has no model of its format at its root, though nothing of it is
 * missing: RULE_WRAPPER_FOLDER where one lies in a folder, else that it is missing, and what is there
 * instead. */
void whereabouts_report(const struct whereabouts *whereabouts, struct examination *examination);

#endif
