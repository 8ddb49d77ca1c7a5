/* SPDX-License-Identifier: Apache-2.0
 *
 * What is held back for its findings, and what people decide of it. */
#ifndef SERVER_STORE_CATALOG_CATALOG_HOLDS_H
#define SERVER_STORE_CATALOG_CATALOG_HOLDS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "server/module/name.h"
#include "server/store/catalog/catalog.h"

/* A decision of somebody who may make it. */
struct decision {
	bool approves; /* it is given out; else it is held back */
	const char *reason;
	const char *who; /* the token's name */
	int64_t now_s;
};

/* Decides of all artifacts that a version has now; what it is given later is judged anew. The last decision
 * counts, and each has its line in the audit log. ERR_NOT_FOUND where nothing of it is here or was, ERR_GONE,
 * ERR_BUSY where another process has the database. */
bool catalog_decide(
	struct catalog *catalog, const struct name *name, const struct decision *decision, struct err *err);

#endif
