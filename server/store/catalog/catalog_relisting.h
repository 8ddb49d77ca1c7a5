/* SPDX-License-Identifier: Apache-2.0
 *
 * The catalog's side of listing what was kept before its format had listings: which examinations lack one,
 * and what it is. */
#ifndef SERVER_STORE_CATALOG_CATALOG_RELISTING_H
#define SERVER_STORE_CATALOG_CATALOG_RELISTING_H

#include <stdbool.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"
#include "server/module/name.h"

struct catalog;
struct saved_model;

struct unlisted {
	int64_t id; /* of the examination; 0: there is none */
	int64_t blob_id;
	enum format format;
	struct digest digest;
};

/* The next one, by id, behind this id, whose blob is in the store. */
bool catalog_find_unlisted(struct catalog *catalog, int64_t behind_id, struct unlisted *out, struct err *err);

/* Writes down what was found, NULL where nothing was, and brings up to date what is searched. */
bool catalog_record_listing(struct catalog *catalog, const struct unlisted *item,
	const struct saved_model *model, struct err *err);

#endif
