/* SPDX-License-Identifier: Apache-2.0
 *
 * The artifacts of a bundle that a daemon lacks, in the bundle's order, and by digest and format. However
 * many there are, memory does not grow: they lie in files without a name. */
#ifndef SERVER_REGISTRY_LACKING_H
#define SERVER_REGISTRY_LACKING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/own.h"
#include "server/bundle/scratch.h"
#include "server/module/name.h"
#include "server/store/catalog/catalog_import.h"

struct lacking;

/* One of them, with the first version that has it. */
struct lacked {
	struct name name; /* with the format */
	enum version_source source;
	struct digest digest;
	int64_t size_bytes;
};

/* Its files lie at scratch, which must outlive it. destroy takes NULL. */
bool lacking_create(const struct scratch_place *scratch, struct lacking **out, struct err *err);
void lacking_destroy(struct lacking *lacking);
AUTO_CLEANER(own_lacking, struct lacking *, lacking_destroy)
#define AUTO_LACKING AUTO(own_lacking)

/* Nothing to do where it is there already. Nobody may read meanwhile. ERR_NO_SPACE. */
bool lacking_add(struct lacking *lacking, const struct lacked *lacked, struct err *err);

size_t lacking_count(const struct lacking *lacking);
int64_t lacking_bytes(const struct lacking *lacking);

bool lacking_find(const struct lacking *lacking, const struct digest *digest, enum format format,
	struct lacked *out, bool *found, struct err *err);

/* The one at a place (0, then what the one before has set *place to); *more is false behind the last.
 * ERR_BAD_REQUEST for what is no place. */
bool lacking_next(
	const struct lacking *lacking, int64_t *place, struct lacked *out, bool *more, struct err *err);

#endif
