/* SPDX-License-Identifier: Apache-2.0
 *
 * What the safety rules have found in what is kept. */
#ifndef SERVER_STORE_CATALOG_CATALOG_SAFETY_H
#define SERVER_STORE_CATALOG_CATALOG_SAFETY_H

#include <stddef.h>

#include "server/module/safety/safety_findings.h"

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

#endif
