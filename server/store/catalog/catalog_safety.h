/* SPDX-License-Identifier: Apache-2.0
 *
 * What the safety rules have found in what is kept. */
#ifndef SERVER_STORE_CATALOG_CATALOG_SAFETY_H
#define SERVER_STORE_CATALOG_CATALOG_SAFETY_H

#include <stddef.h>

#include "common/digest.h"
#include "common/err.h"
#include "server/module/name.h"
#include "server/module/safety/safety_findings.h"

struct catalog;

/* A finding as it was written down: its rule may be one that this release does not know. */
struct safety_row {
	char *rule;
	char *severity;
	char *where;
	char *detail;
};

/* Zeroed, it is empty. */
struct safety_rows {
	struct safety_row *items;
	size_t count;
	size_t capacity;
};
void safety_rows_finish(struct safety_rows *rows);

/* What was found in these bytes as that format; nothing where they are not known so. */
bool catalog_find_safety(struct catalog *catalog, const struct digest *digest, enum format format,
	struct safety_rows *out, struct err *err);

#endif
