/* SPDX-License-Identifier: Apache-2.0
 *
 * Which versions say in their documentation that they are deployments of another one, in other formats. */
#ifndef SERVER_STORE_CATALOG_CATALOG_DEPLOYMENTS_H
#define SERVER_STORE_CATALOG_CATALOG_DEPLOYMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/own.h"
#include "server/module/name.h"

struct catalog;
struct txn;

struct deployment {
	char *handle;
	int64_t version;
	char *formats; /* "tfjs,tflite" */
};

struct deployments {
	struct deployment *items; /* in the order in which they became known */
	size_t count;
	size_t capacity;
	size_t total; /* how many there are, where they are a module's; some may not be listed */
};
void deployments_finish(struct deployments *deployments);

/* Active ones of this parent, limit at most. */
bool catalog_list_deployments(struct catalog *catalog, const struct name *parent, size_t limit,
	struct deployments *out, struct err *err);

/* Appends the latest version of a module, unless it has none that is active. */
bool deployments_load(struct txn *txn, int64_t module_id, struct deployments *out, struct err *err);

#endif
