/* SPDX-License-Identifier: Apache-2.0
 *
 * Where Kaggle has what had another name, as documentation trees tell it. */
#ifndef SERVER_STORE_CATALOG_CATALOG_PLACES_H
#define SERVER_STORE_CATALOG_CATALOG_PLACES_H

#include "server/store/catalog/catalog_docs.h"

/* All of them are in a daemon's memory: no tree may bring more. */
enum { PLACES_MAX = 100000 };

/* Takes one name and its place, in place of what was told of that name before, and forgets that the name was
 * not found. Without a version it is of all of them. */
bool docs_import_place(struct docs_import *import, const struct name *old, const struct name *place,
	enum docs_outcome *out, struct err *err);

/* Takes one back. */
bool docs_import_drop_place(struct docs_import *import, const struct name *old, struct err *err);

/* Hands out all of them until take fails. */
bool catalog_each_place(struct catalog *catalog,
	bool (*take)(void *context, const struct name *old, const struct name *place, struct err *err),
	void *context, struct err *err);

#endif
