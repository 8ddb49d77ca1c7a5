/* SPDX-License-Identifier: Apache-2.0
 *
 * Where Kaggle has what once had another name, as a file of the operator's tells it, and else as
 * documentation that was imported does. For any number of threads. */
#ifndef SERVER_UPSTREAM_KAGGLE_PLACES_H
#define SERVER_UPSTREAM_KAGGLE_PLACES_H

#include <stdbool.h>

#include "common/own.h"
#include "server/module/name.h"

struct kaggle_map;
struct kaggle_places;

/* Takes over the operator's map; NULL: he has none. What mirror.allow and mirror.deny (NULL: unset; they must
 * outlive it) do not let in is no place. destroy takes NULL. */
struct kaggle_places *kaggle_places_create(struct kaggle_map *own, const char *allow, const char *deny);
void kaggle_places_destroy(struct kaggle_places *places);
AUTO_CLEANER(own_kaggle_places, struct kaggle_places *, kaggle_places_destroy)
#define AUTO_KAGGLE_PLACES AUTO(own_kaggle_places)

/* Takes over what was imported, in place of what was imported before. */
void kaggle_places_import(struct kaggle_places *places, struct kaggle_map *imported);

/* As kaggle_map_find. NULL has none. */
bool kaggle_places_find(struct kaggle_places *places, const struct name *name, struct name *out);

/* The rule that keeps its place, *out, from being one; NULL: none does. */
const char *kaggle_places_forbidden(struct kaggle_places *places, const struct name *name, struct name *out);

#endif
