/* SPDX-License-Identifier: Apache-2.0
 *
 * Handles one segment of which several words stand for, and how far their versions have been counted. */
#ifndef SERVER_STORE_CATALOG_CATALOG_SPELLINGS_H
#define SERVER_STORE_CATALOG_CATALOG_SPELLINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "server/module/name.h"
#include "server/store/catalog/catalog.h"

/* The handles "<before>/<word>/<behind>". */
struct spelling {
	const char *before;
	const char *behind;
	/* Whether the word, which may be in any spelling, is the one that is meant. */
	bool (*takes)(const void *context, const char *word, size_t length);
	const void *context;
	int64_t version; /* one that has it is taken first; 0: any */
};

/* Looks through at most so many words. */
enum { SPELLING_WORDS_MAX = 256 };

/* The handle that is known; out stays as it is where none is. */
bool catalog_find_spelling(struct catalog *catalog, const struct spelling *spelling,
	char out[NAME_PATH_MAX + 1], bool *found, struct err *err);

/* Whether any handle begins with "<before>/". */
bool catalog_has_below(struct catalog *catalog, const char *before, bool *out, struct err *err);

/* The highest version of a handle that was ever known, in whatever state; 0: none. */
bool catalog_last_version(struct catalog *catalog, const char *handle, int64_t *out, struct err *err);

#endif
