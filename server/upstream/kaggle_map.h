/* SPDX-License-Identifier: Apache-2.0
 *
 * Where Kaggle has what once had another name: a table that somebody wrote, in memory. */
#ifndef SERVER_UPSTREAM_KAGGLE_MAP_H
#define SERVER_UPSTREAM_KAGGLE_MAP_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "common/own.h"
#include "server/module/name.h"

struct kaggle_map;

/* A text may have so many bytes, wherever it stands. */
enum { KAGGLE_MAP_BYTES_MAX = 4 << 20 };

/* Reads a text with a line for each name: the old handle, with a version or without, a tab, and the
 * variation, with a version or without; # begins a remark. ERR_BAD_REQUEST names the line. destroy takes
 * NULL. */
bool kaggle_map_parse(const char *text, struct kaggle_map **out, struct err *err);
/* … of a file. */
bool kaggle_map_read(const char *path, struct kaggle_map **out, struct err *err);
void kaggle_map_destroy(struct kaggle_map *map);
AUTO_CLEANER(own_kaggle_map, struct kaggle_map *, kaggle_map_destroy)
#define AUTO_KAGGLE_MAP AUTO(own_kaggle_map)

/* An empty one, what is added to it, and the end of that: nothing is looked for before. ERR_BAD_REQUEST: a
 * name is in it twice. */
struct kaggle_map *kaggle_map_create(void);
void kaggle_map_add(struct kaggle_map *map, const struct name *old, const struct name *place);
bool kaggle_map_seal(struct kaggle_map *map, struct err *err);

size_t kaggle_map_count(const struct kaggle_map *map);

/* Whether this name is in it, as it is, with its version or without. */
bool kaggle_map_has(const struct kaggle_map *map, const struct name *old);

/* Hands out each name and its place, in the order of the names, until take fails. */
bool kaggle_map_each(const struct kaggle_map *map,
	bool (*take)(void *context, const struct name *old, const struct name *place, struct err *err),
	void *context, struct err *err);

/* The place of a name: of this version, or else of all of them, whose numbers stay the same. False: it is not
 * in the table. NULL is an empty one. */
bool kaggle_map_find(const struct kaggle_map *map, const struct name *name, struct name *out);

#endif
