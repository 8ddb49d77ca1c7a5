/* SPDX-License-Identifier: Apache-2.0
 *
 * Which handle a spelling of Kaggle's stands for, and how far their versions have been counted. */
#ifndef SERVER_STORE_CATALOG_CATALOG_SPELLINGS_H
#define SERVER_STORE_CATALOG_CATALOG_SPELLINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "server/module/framework.h"
#include "server/module/name.h"
#include "server/store/catalog/catalog.h"

/* The handles "<before>/<word>/<behind>", whose words are spellings of one framework. */
struct spelling {
	const char *before;
	const char *behind;
	const struct framework *framework;
	const char *written; /* the word as it was asked for */
	int64_t version;     /* 0: any */
	bool for_upload;     /* only what is published counts, and Kaggle's own word */
};

/* Looks through at most so many words, behind the one that was asked for and Kaggle's own. */
enum { SPELLING_WORDS_MAX = 256 };

/* The handle that is known. What is published comes before what is mirrored; then the word as it is written
 * before Kaggle's own, and that before others; then one that has the version. out stays as it is where none
 * is known. */
bool catalog_find_spelling(struct catalog *catalog, const struct spelling *spelling,
	char out[NAME_PATH_MAX + 1], bool *found, struct err *err);

/* Makes a name that is asked for the one that its spelling stands for: a version that is known as it is
 * written stays; else it is as catalog_find_spelling() has it; what is not known has Kaggle's own word. Names
 * that are none of Kaggle's stay. */
bool catalog_settle_name(struct catalog *catalog, struct name *name, struct err *err);

/* Whether any handle begins with "<before>/". */
bool catalog_has_below(struct catalog *catalog, const char *before, bool *out, struct err *err);

/* The highest version of a handle that was ever known, in whatever state; 0: none. */
bool catalog_last_version(struct catalog *catalog, const char *handle, int64_t *out, struct err *err);

#endif
