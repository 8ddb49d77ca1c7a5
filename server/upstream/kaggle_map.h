/* SPDX-License-Identifier: Apache-2.0
 *
 * Where Kaggle has what once had another name: a table that somebody wrote, in memory. */
#ifndef SERVER_UPSTREAM_KAGGLE_MAP_H
#define SERVER_UPSTREAM_KAGGLE_MAP_H

#include <stdbool.h>

#include "common/err.h"
#include "common/own.h"
#include "server/module/name.h"

struct kaggle_map;

/* Reads a file with a line for each name: the old handle, with a version or without, a tab, and the
 * variation, with a version or without; # begins a remark. ERR_BAD_REQUEST names the line. destroy takes
 * NULL. */
bool kaggle_map_read(const char *path, struct kaggle_map **out, struct err *err);
void kaggle_map_destroy(struct kaggle_map *map);
AUTO_CLEANER(own_kaggle_map, struct kaggle_map *, kaggle_map_destroy)
#define AUTO_KAGGLE_MAP AUTO(own_kaggle_map)

/* The place of a name: of this version, or else of all of them, whose numbers stay the same. False: it is not
 * in the table. NULL is an empty one. */
bool kaggle_map_find(const struct kaggle_map *map, const struct name *name, struct name *out);

#endif
