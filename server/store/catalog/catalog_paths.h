/* SPDX-License-Identifier: Apache-2.0
 *
 * How a path is read that can be read in several ways, since names have numbers inside: what is known
 * decides. */
#ifndef SERVER_STORE_CATALOG_CATALOG_PATHS_H
#define SERVER_STORE_CATALOG_CATALOG_PATHS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "server/module/name.h"
#include "server/store/catalog/catalog.h"

/* What may stand behind the version. */
enum path_use {
	PATH_ANY,   /* nothing, or a member */
	PATH_WHOLE, /* nothing: digits with more behind them belong to the name */
	PATH_MEMBER /* a member */
};

/* Reads "<handle>[/<version>][/<member>]" by one look at the catalog: as a version that is known, whatever
 * else it could be (what its address answers never changes), else as the longest known handle, else as a file
 * of the longest known version. What is not known is read by the grammar (name_parse_path), and so is all
 * where catalog is NULL. *member points into path. ERR_BAD_REQUEST. */
bool catalog_read_path(struct catalog *catalog, const char *path, enum path_use use, struct name *name,
	const char **member, struct err *err);

/* The active versions that a name without a version can mean; 0: none. Where one was published, withdrawn or
 * not, only published ones can: what else came here, whoever asks for it can have fetched. */
struct newest {
	int64_t here;   /* the highest whose bytes in the format are here */
	int64_t known;  /* the highest that has the format, or may have it: one that is listed or mirrored */
	bool published; /* the handle has published versions: no upstream is asked about it */
};
bool catalog_find_newest(
	struct catalog *catalog, const char *handle, enum format format, struct newest *out, struct err *err);

/* Whether this version may be answered as the latest: not known, or active. */
bool catalog_may_be_latest(struct catalog *catalog, const struct name *name, bool *out, struct err *err);

#endif
