/* SPDX-License-Identifier: Apache-2.0
 *
 * All that decides what a request for a name gets. */
#ifndef SERVER_STORE_CATALOG_CATALOG_KNOWN_H
#define SERVER_STORE_CATALOG_CATALOG_KNOWN_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "server/module/name.h"
#include "server/store/catalog/catalog_artifacts.h"

/* What upstreams were found not to have. */
struct absence {
	int64_t until_s;   /* 0: none is remembered */
	struct err answer; /* what clients were told: ERR_NOT_FOUND, or ERR_UPSTREAM_FAILED with its reason */
};

bool catalog_remember_absent(
	struct catalog *catalog, const struct name *name, const struct absence *absence, struct err *err);

/* Forgets absences that ended before now_s. */
bool catalog_prune_absences(struct catalog *catalog, int64_t now_s, int64_t *out_count, struct err *err);

/* What whoever may publish can do about bytes that are held back; ends a sentence's text. */
#define CATALOG_WAYS_OUT \
	"Have upstream restore them, PUT those recorded here, or publish the others as another version"

/* What is known of a name with its format, at one moment. */
struct known {
	struct artifact artifact; /* with its name, whatever is known */
	bool version;             /* the version is known */
	struct absence absence;   /* until_s 0: nothing that is still valid is remembered */
	int64_t quarantined_at_s; /* when an upstream had other bytes than those recorded; 0: never */
};
bool known_is_here(const struct known *known);
bool catalog_look(
	struct catalog *catalog, const struct name *name, int64_t now_s, struct known *out, struct err *err);

#endif
